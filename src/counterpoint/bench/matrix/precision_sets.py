"""For which precisions plans are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from counterpoint.bench.matrix.subject import Site
from counterpoint.network.graph import Network


def precision_sets(
    network: Network, site: Site, precisions: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The network's own precision, and all that units may compute in without a rewrite.

    Plans with layers rewritten to int8 belong to an accuracy budget, which a bench has not.

    Args:
        network: What is run.
        site: Where.
        precisions: What the user asked for.

    Yields:
        The plan's label and the precisions.
    """
    own = ("fp32", "int8") if network.is_quantised else ("fp32",)
    plain = tuple(name for name in own if name in precisions)
    if plain:
        yield f"plan {own[-1]}", plain
    have = {unit.precision for unit in site.platform.units}
    coarser = tuple(name for name in ("bf16", "fp16") if name in precisions and name in have)
    if coarser:
        yield "plan any", (*plain, *coarser)
