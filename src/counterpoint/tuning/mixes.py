"""Mixes of precisions to try: planned for several budgets of noise, and timed on their units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.precision.quantise import choice_of, quantise
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.planning.error_budget import plan_under_error
from counterpoint.tuning.accuracy import Accuracy
from counterpoint.tuning.budget import PPB
from counterpoint.tuning.precision_table import MixedUnit, int8_layers

SWEEP = (0.25, 1.0, 4.0, 16.0)
"""Noise budgets that mixes are planned for, over the noise at which the user's budget is expected
to be used up. That expectation may be off either way; what counts is measured."""

BRANCHES = 20
"""Of each planning: the next mixes are tried anyway, so little is lost without the proof."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Some layers in int8, and a unit that runs them and all others.

    Attributes:
        unit: The unit's name; its precision is that of all other layers.
        layers: Indices of those that were chosen for int8.
        network: With these in int8.
        choice: What a plan writes down of it.
        predicted_noise: Sum over layers; ``None`` where a layer's is not known.
        latency_ns: Of one frame on the unit, measured.
        accuracy: On the images that were held back; ``None``: nobody looked, faster ones do.
        reason: Why it cannot be the plan; ``None``: it may.
    """

    unit: str
    layers: tuple[int, ...]
    network: Network
    choice: PrecisionChoice
    predicted_noise: float | None
    latency_ns: int
    accuracy: Accuracy | None = None
    reason: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Mixes of one key are the same."""
        return self.unit, self.network.content_hash


@dataclass(frozen=True, slots=True)
class MixPlanner:
    """Chooses layers for int8.

    Attributes:
        network: As it is loaded.
        table: Joint, of :func:`precision_table`.
        choosable: Layers with arithmetic that have an int8 form.
    """

    network: Network
    table: CostTable
    choosable: tuple[int, ...]

    def within(self, unit: MixedUnit | None, max_noise: float) -> tuple[int, ...] | None:
        """The layers to have in int8 on a unit for the least latency within that noise.

        Args:
            unit: That all layers run on; ``None``: any, each layer on its own.
            max_noise: Over the outputs' power.

        Returns:
            Indices of layers with arithmetic, ascending; ``None``: nothing makes so little noise.
        """
        fixed = None
        if unit is not None:
            names = (unit.unit.name, unit.variant.name)
            fixed = {layer.index: names for layer in self.network.layers}
        planned = plan_under_error(
            self.network,
            self.table,
            round(max_noise * PPB),
            fixed=fixed,
            max_branches=BRANCHES,
        )
        if planned.value is None:
            return None
        chosen = int8_layers(self.table, planned.segments)
        return tuple(layer for layer in chosen if layer in self.choosable)

    def predicted_noise(self, unit: MixedUnit, layers: Sequence[int]) -> float | None:
        """Sum over layers of what each makes by itself, those in int8 and the others."""
        errors = self.table.layer_error_ppb or ()
        own = self.table.unit_names.index(unit.unit.name)
        coarse = self.table.unit_names.index(unit.variant.name)
        chosen = frozenset(layers)
        cells = [row[coarse if index in chosen else own] for index, row in enumerate(errors)]
        known = [cell for cell in cells if cell is not None]
        return sum(known) / PPB if len(known) == len(cells) else None


def rewritten(
    network: Network, layers: Sequence[int], ranges: Ranges, scheme: Scheme
) -> tuple[Network, PrecisionChoice]:
    """The network with those layers in int8, and how a plan says so."""
    return quantise(network, layers, ranges, scheme), choice_of(network, layers, ranges, scheme)


def front(mixes: Sequence[Mix]) -> tuple[Mix, ...]:
    """Measured mixes of which none is both slower and noisier than another, fastest first."""
    found: list[Mix] = []
    judged = [mix for mix in mixes if mix.accuracy is not None]
    for mix in sorted(judged, key=lambda mix: (mix.latency_ns, _noise(mix))):
        if not found or _noise(mix) < _noise(found[-1]):
            found.append(mix)
    return tuple(found)


def _noise(mix: Mix) -> float:
    return float("inf") if mix.accuracy is None else mix.accuracy.noise
