"""What a unit takes for a node beyond computing: dispatch, and starting a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from counterpoint.engines.protocol import Engine
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import Run, interleave
from counterpoint.network.node_probe import chain_network
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.frames import seeded_tensor

SHORT, LONG = 4, 36
"""Nodes of the two chains; in their difference the price of the call falls out."""

_ROUNDS = 7
_BLOCK_NS = 5_000_000


def node_overhead_ns(unit: ComputeUnit, engine: Engine) -> int | None:
    """Time of one node that hardly computes, inside a network; a tenth of a second.

    Returns:
        ``None`` where the unit cannot run the probe.
    """

    @contextmanager
    def chain(depth: int) -> Iterator[Run]:
        segment = chain_network(depth).whole()
        frame = [seeded_tensor(spec, 0) for spec in segment.inputs]
        compiled = engine.compile(segment, unit)
        try:
            yield lambda: compiled.run(frame)
        finally:
            compiled.close()

    try:
        seen = interleave(
            {"short": lambda: chain(SHORT), "long": lambda: chain(LONG)},
            rounds=_ROUNDS,
            block_ns=_BLOCK_NS,
        )
    except CounterpointError:
        return None
    more_ns = seen.samples["long"].median_ns - seen.samples["short"].median_ns
    return max(0, more_ns // (LONG - SHORT))
