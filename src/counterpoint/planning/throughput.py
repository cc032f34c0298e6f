"""The most frames a second: which lanes frames take, and how often each."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import MAX_PRICINGS, Column
from counterpoint.planning.evaluator import evaluate, interval_ns
from counterpoint.planning.labelling import label
from counterpoint.planning.lane_pricing import LanePricing
from counterpoint.planning.latency import merged, why_blocked
from counterpoint.planning.problem import latency_problem
from counterpoint.planning.restriction import (
    Fixed,
    allowed_columns,
    restricted,
    restriction_settings,
)
from counterpoint.planning.result import PlannedLane, PlanResult, Setting, Status
from counterpoint.planning.throughput_methods import METHODS, Answer, Nothing, Search


def plan_throughput(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    max_pricings: int = MAX_PRICINGS,
) -> PlanResult:
    """Lanes and their shares with the least mean interval between frames' ends.

    The value is the interval when the busiest device or link never waits, rounded up; with enough
    frames in flight plans come close to it. The bound is rounded down. Methods:

    * ``auto``: any lanes. The bound holds for every schedule under the cost table in which a
      frame's layers run on allowed units in run order.
    * ``switch``: all frames take one lane, the best found; bound as for ``auto``.
    * ``replicate``: every lane is a single unit; the bound holds for such mixes.
    * ``pipeline``: all frames take one lane, in which each unit runs at most one segment; the best,
      as its own bound proves, unless there are many units; then the bound is that of ``auto``.
    * ``single``: everything on the best single unit, which the bound proves.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.
        method: One of the above.
        max_latency_ns: Of a frame alone on the machine, on each lane; the bound holds for all
            mixes of lanes that keep to it in the mean. ``None``: no limit.
        max_pricings: Stop asking for better lanes after so many times; the bound still holds.

    Raises:
        UserInputError: An unknown unit, layer or method, or the costs of another network.
    """
    began_ns = perf_counter_ns()
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise UserInputError(f"unknown method {method!r} for throughput; known are: {known}")
    allowed = allowed_columns(network, table, units, fixed)
    settings: dict[str, Setting] = {
        **restriction_settings(units, fixed),
        "method": method,
        "max_latency_ns": max_latency_ns,
    }
    quickest = _quickest(network, table, allowed, max_latency_ns)
    answer: Answer | Nothing
    if isinstance(quickest, Nothing):
        answer = quickest
    else:
        pricing = LanePricing(network, table, allowed, quickest, max_latency_ns)
        answer = METHODS[method](Search(pricing, max_pricings))
    if isinstance(answer, Nothing):
        return PlanResult(
            planner="throughput",
            status=Status.INFEASIBLE,
            objective=Objective.THROUGHPUT,
            reason=answer.reason,
            settings=settings,
            time_spent_ns=perf_counter_ns() - began_ns,
        )
    settings["pricings"] = answer.pricings
    lanes = tuple(PlannedLane(lane.segments, share) for lane, share in answer.shares)
    evaluations = [(evaluate(network, table, lane.segments), lane.share) for lane in lanes]
    value = ceil(interval_ns(evaluations))
    bound = int(answer.bound_ns)
    return PlanResult(
        planner="throughput",
        status=Status.OPTIMAL if value == bound else Status.FEASIBLE,
        lanes=lanes,
        objective=Objective.THROUGHPUT,
        value=value,
        lower_bound=bound,
        settings=settings,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _quickest(
    network: Network,
    table: CostTable,
    allowed: Sequence[Sequence[int]],
    max_latency_ns: int | None,
) -> Column | Nothing:
    """A lane of least latency, if any is within the limit."""
    labelling = label(restricted(latency_problem(network, table), allowed))
    if labelling.labels is None:
        return Nothing(why_blocked(network, table, labelling, allowed))
    segments = merged(table, labelling.labels)
    quickest = Column(segments, evaluate(network, table, segments))
    if max_latency_ns is not None and quickest.latency_ns > max_latency_ns:
        return Nothing(
            f"no lane of {network.name} takes at most {max_latency_ns} ns for a frame; "
            f"the least latency is {quickest.latency_ns} ns"
        )
    return quickest
