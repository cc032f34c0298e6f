"""Mixes of lanes for many frames under way that keep to a power.

A power budget is one more thing that frames share: one whose work takes ``e`` picojoules keeps a
budget of ``p`` milliwatts busy for ``e / p`` nanoseconds. So the linear program over lanes that
finds the shortest interval between frames finds it under a budget as well, and energy has a price
like the time of a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import Column, Pricing, relax
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import merged
from counterpoint.planning.problem import Weights, weighted_problem
from counterpoint.planning.restriction import restricted
from counterpoint.planning.result import PlannedLane, Segment
from counterpoint.planning.share_rounding import whole_shares
from counterpoint.planning.trade_off import Columns

_BUDGET = "power budget"
"""Beside the names of devices and links; none of theirs has a space."""

_MAX_PRICINGS = 60
"""Near the optimum is enough: a front needs no proof of its points between the ends."""


@dataclass(frozen=True, slots=True)
class PowerBudget:
    """The linear program over lanes, with a limit on the power of the work.

    Attributes:
        network: What is run.
        table: What it costs; the energy of a layer is known wherever its time is.
        allowed: For each layer the columns that it may be given.
        power_mw: Above idle, on average; at least 1.
    """

    network: Network
    table: CostTable
    allowed: Columns
    power_mw: int

    def lanes(self, start: Sequence[tuple[Segment, ...]]) -> tuple[PlannedLane, ...]:
        """Lanes in whole shares, whose mean interval is about the least within the power.

        Args:
            start: Lanes to begin with, the quickest one among them.
        """
        found = relax(
            [self._column(lane) for lane in start], self._price, max_pricings=_MAX_PRICINGS
        )
        if not found.pricings:  # a lane that uses nothing
            return (PlannedLane(found.columns[0].segments),)
        shares = whole_shares(found.columns)
        return tuple(PlannedLane(column.segments, share) for column, share in shares)

    def _price(self, weights: Mapping[str, int]) -> Pricing:
        prices = {name: float(weight) for name, weight in weights.items() if name != _BUDGET}
        energy = weights.get(_BUDGET, 0) / self.power_mw
        problem = weighted_problem(
            self.network, self.table, Weights(device=prices, link=prices, energy=energy)
        )
        cheapest = label(restricted(problem, self.allowed))
        if cheapest.labels is None or cheapest.lower_bound is None:
            raise InternalError(f"{self.network.name} has a lane, but no labelling")
        column = self._column(merged(self.table, cheapest.labels))
        return Pricing((column,), Fraction(cheapest.lower_bound) / sum(weights.values()))

    def _column(self, lane: tuple[Segment, ...]) -> Column:
        found = evaluate(self.network, self.table, lane)
        if found.energy_pj is None:
            raise InternalError(f"{self.network.name}: {'; '.join(found.violations)}")
        used_ns = -(-found.energy_pj // self.power_mw)
        return Column(lane, replace(found, busy_ns={**found.busy_ns, _BUDGET: used_ns}))
