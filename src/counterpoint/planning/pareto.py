"""Plans of which none is better than another in latency, throughput and energy at once.

Candidates come from three sweeps: over the hull of latency and energy (``trade_off``), over the
latency that a plan for throughput may have, and over the power that one may take
(``power_budget``). The evaluator gives all their figures, and whoever another dominates is left
out. The quickest plan is proven; so is the most frugal one where the idle machine's power counts
as 0. Between the ends there may be more plans than the sweeps meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from math import ceil
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate, interval_ns
from counterpoint.planning.power_budget import PowerBudget
from counterpoint.planning.restriction import Fixed, allowed_columns, restriction_settings
from counterpoint.planning.result import PlannedLane, PlanResult, Segment, Setting, Status
from counterpoint.planning.throughput import plan_throughput
from counterpoint.planning.trade_off import TradeOff, energy_settings

HULL_POINTS = 100
"""Of latency and energy; coarse ones come first."""

STEPS = 6
"""Limits of latency and of power that are tried."""


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """A plan and its three figures, of which less is better.

    Attributes:
        lanes: As in a planner's answer.
        latency_ns: Of one frame alone, on the slowest lane.
        interval_ns: Mean time from one frame's end to the next one's with many under way.
        energy_pj: Of one frame with many under way: the mean of the lanes' work, and the idle
            machine for an interval.
    """

    lanes: tuple[PlannedLane, ...]
    latency_ns: int
    interval_ns: int
    energy_pj: int

    @property
    def figures(self) -> tuple[int, int, int]:
        """Latency, interval and energy."""
        return self.latency_ns, self.interval_ns, self.energy_pj

    def as_result(self) -> PlanResult:
        """A planner's answer that chose this point; it proves nothing of its interval."""
        return PlanResult(
            planner="pareto",
            status=Status.FEASIBLE,
            lanes=self.lanes,
            objective=Objective.THROUGHPUT,
            value=self.interval_ns,
        )

    def as_good_as(self, other: ParetoPoint) -> bool:
        """It is no worse in anything."""
        return all(one <= two for one, two in zip(self.figures, other.figures, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoFront:
    """Plans among which only the user can choose.

    Attributes:
        points: By latency, the quickest one first; none is as good as another in all three figures.
            Empty when infeasible.
        reason: What stands in the way, one line; ``None`` unless infeasible.
        settings: Whatever else decided the answer.
        time_spent_ns: By the planners.
    """

    points: tuple[ParetoPoint, ...]
    reason: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    time_spent_ns: int = 0

    def __post_init__(self) -> None:
        if (self.reason is None) != bool(self.points):
            raise InternalError("a front has points, an infeasible one a reason")


def plan_pareto(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
    steps: int = STEPS,
) -> ParetoFront:
    """A front of plans, with the quickest, the most frugal and that of the most frames.

    An idle power or an overhead power that is not known counts as 0.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.
        steps: Limits of latency and of power that are tried, each; at least 0.

    Raises:
        UserInputError: An unknown unit or layer, the costs of another network, or costs without
            any energy.
    """
    began_ns = perf_counter_ns()
    allowed = allowed_columns(network, table, units, fixed)
    trade_off = TradeOff(network, table)
    measured = trade_off.table
    hull = [found.point.segments for found in islice(trade_off.hull(allowed), HULL_POINTS)]
    figures = _Figures(network, measured)
    points = [figures.of([PlannedLane(lane)]) for lane in hull]
    if points:
        quickest, frugal = points[:2]

        def stream(max_latency_ns: int | None) -> ParetoPoint:
            answer = plan_throughput(
                network, measured, units=units, fixed=fixed, max_latency_ns=max_latency_ns
            )
            return figures.of(answer.lanes)

        dense = stream(None)
        points.append(dense)
        for limit_ns in _between(quickest.latency_ns, dense.latency_ns, steps):
            points.append(stream(limit_ns))
        for power_mw in _between(figures.power_mw(frugal), figures.power_mw(dense), steps):
            points.append(figures.of(PowerBudget(network, measured, allowed, power_mw).lanes(hull)))
    return ParetoFront(
        points=undominated(points),
        reason=None if points else trade_off.why_none(allowed),
        settings=restriction_settings(units, fixed) | energy_settings(table) | {"steps": steps},
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def undominated(points: Iterable[ParetoPoint]) -> tuple[ParetoPoint, ...]:
    """Those that no other dominates, one for each set of figures, by latency."""
    front: list[ParetoPoint] = []
    # Whoever dominates a point comes before it in this order; of equal ones, fewer lanes do.
    for point in sorted(points, key=lambda point: (point.figures, len(point.lanes))):
        if not any(other.as_good_as(point) for other in front):
            front.append(point)
    return tuple(front)


def _between(low: int, high: int, steps: int) -> list[int]:
    """So many numbers between two, in equal ratios; fewer where there are fewer whole ones."""
    if not 0 < low < high:
        return []
    ratio = high / low
    numbers = {round(low * ratio ** (step / (steps + 1))) for step in range(1, steps + 1)}
    return sorted(numbers - {low, high})


@dataclass(frozen=True, slots=True)
class _Figures:
    """What plans cost, by the evaluator."""

    network: Network
    table: CostTable

    def of(self, lanes: Sequence[PlannedLane]) -> ParetoPoint:
        """The figures of a plan."""
        found = [(self._evaluation(lane.segments), lane.share) for lane in lanes]
        interval = interval_ns(found)
        work_pj = Fraction(
            sum(share * (one.energy_pj or 0) for one, share in found),
            sum(share for _, share in found),
        )
        return ParetoPoint(
            tuple(lanes),
            max(one.latency_ns or 0 for one, _ in found),
            ceil(interval),
            ceil(work_pj + interval * (self.table.idle_power_mw or 0)),
        )

    def power_mw(self, point: ParetoPoint) -> int:
        """Of the work of many frames under way, above idle."""
        return point.energy_pj // max(1, point.interval_ns) - (self.table.idle_power_mw or 0)

    def _evaluation(self, lane: tuple[Segment, ...]) -> Evaluation:
        found = evaluate(self.network, self.table, lane)
        if found.violations:
            raise InternalError(f"{self.network.name}: {'; '.join(found.violations)}")
        return found
