"""The cheapest lane when devices and links have prices, with or without a limit on latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import EXACT, LATE, Column, Pricing
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import merged
from counterpoint.planning.problem import Weights, weighted_problem
from counterpoint.planning.restriction import restricted

_MAX_MULTIPLIERS = 20
"""Prices of time tried for one answer; about five suffice."""


@dataclass(frozen=True, slots=True)
class LanePricing:
    """Prices lanes of a network by labelling.

    Attributes:
        network: What is run.
        table: What it costs.
        allowed: For each layer the columns that it may be given.
        quickest: A lane of least latency.
        max_latency_ns: Of one frame alone; ``None``: no limit.
    """

    network: Network
    table: CostTable
    allowed: Sequence[Sequence[int]]
    quickest: Column
    max_latency_ns: int | None = None

    def __call__(self, weights: Mapping[str, int]) -> Pricing:
        """The cheapest lane, and the bound on the interval that it proves.

        With a limit on latency, what a lane takes beyond it (or less) is paid as well.
        """
        time = weights.get(LATE, 0)
        prices = {name: weight for name, weight in weights.items() if name != LATE}
        lane, cost = self._cheapest(prices, time)
        return Pricing((lane,), self._bound(prices, time, cost))

    def within_limit(self, weights: Mapping[str, int]) -> Pricing:
        """Cheap lanes within the limit on latency, and the bound on the interval that they prove.

        The cheapest one is hard to find. A price of time makes it a labelling again, and the best
        such price is found as Handler and Zang (1980) do: where the last lane within the limit and
        the last one beyond it cost the same.
        """
        limit = self.max_latency_ns
        lane, cost = self._cheapest(weights, 0)
        bound = self._bound(weights, 0, cost)
        if limit is None or lane.latency_ns <= limit:
            return Pricing((lane,), bound)
        beyond, within = lane, self.quickest
        found = [within]
        for _ in range(_MAX_MULTIPLIERS):
            dearer = within.price(weights) - beyond.price(weights)
            time = max(0, round(dearer / (beyond.latency_ns - within.latency_ns)))
            lane, cost = self._cheapest(weights, time)
            bound = max(bound, self._bound(weights, time, cost))
            if lane.segments in (beyond.segments, within.segments):
                break
            if lane.latency_ns > limit:
                beyond = lane
            else:
                within = lane
                found.append(lane)
        return Pricing(tuple(found), bound)

    def _bound(self, weights: Mapping[str, int], time: int, cost: int) -> Fraction:
        if cost >= EXACT:  # then it was rounded, and proves nothing
            return Fraction(0)
        limit = self.max_latency_ns or 0
        return Fraction(max(0, cost - time * limit), max(1, sum(weights.values())))

    def _cheapest(self, weights: Mapping[str, int], time: int) -> tuple[Column, int]:
        """The lane of least ``price + time * latency``, and a lower bound on that sum."""
        prices = {name: float(weight) for name, weight in weights.items()}
        problem = weighted_problem(
            self.network, self.table, Weights(float(time), device=prices, link=prices)
        )
        labelling = label(restricted(problem, self.allowed))
        if labelling.labels is None or labelling.cost is None or labelling.lower_bound is None:
            raise InternalError(f"{self.network.name} has a lane, but no labelling")
        segments = merged(self.table, labelling.labels)
        column = Column(segments, evaluate(self.network, self.table, segments))
        cost = column.price(weights) + time * column.latency_ns
        if cost < EXACT and cost != labelling.cost:
            raise InternalError(
                f"labelling of {self.network.name}: {labelling.cost}, but its lane costs {cost}"
            )
        return column, int(labelling.lower_bound)
