"""What the best plan would gain if a unit ran what it refuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from counterpoint.costs.lifting import Lift, lifted
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.latency import plan_latency

MOST_PLANS = 16
"""So many refusals are planned without, those with most time at stake first."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The best plan with and without a kind of refusal.

    Attributes:
        lift: Which.
        moved: Indices of its layers that the unit would then run.
        before_ns: Latency of the best plan as it is; ``None``: there is none.
        after_ns: Latency of the best plan without the refusal, predicted; ``None``: there is none.
    """

    lift: Lift
    moved: tuple[int, ...]
    before_ns: int | None
    after_ns: int | None

    @property
    def share(self) -> float | None:
        """Of the latency that is saved, from 0 to 1; ``None`` where there is no plan before."""
        if not self.before_ns or self.after_ns is None:
            return None
        return (self.before_ns - self.after_ns) / self.before_ns


def gains(network: Network, table: CostTable, wanted: Iterable[Lift]) -> tuple[Gain, ...]:
    """Plans again with each kind of refusal lifted; the largest gain first.

    Args:
        network: What is run.
        table: What it costs.
        wanted: From :func:`counterpoint.costs.lifting.lifts`.
    """
    before_ns = plan_latency(network, table).value
    by_stake = sorted(wanted, key=lambda lift: -_at_stake(table, lift))
    found = []
    for lift in by_stake[:MOST_PLANS]:
        planned = plan_latency(network, lifted(table, lift))
        moved = tuple(
            layer
            for lane in planned.lanes
            for layers, unit in lane.segments
            for layer in layers
            if unit == lift.unit and layer in lift.predicted_ns
        )
        found.append(Gain(lift, moved, before_ns, planned.value))
    return tuple(sorted(found, key=lambda gain: -(gain.share or 0.0)))


def _at_stake(table: CostTable, lift: Lift) -> int:
    """What the layers take at best where they run now."""
    known = (
        [cell for cell in table.layer_ns[layer] if cell is not None] for layer in lift.predicted_ns
    )
    return sum(min(cells) for cells in known if cells)
