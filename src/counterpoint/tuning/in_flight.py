"""How many frames a plan should have under way at once, found in virtual time.

More frames keep more devices busy, up to a point; each one holds its tensors, and waits longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import ceil

from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.result import PlanResult
from counterpoint.planning.within_latency import Judge
from counterpoint.platform.model import Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import Durations, simulate
from counterpoint.tuning.planned import plan_of

MOST = 256
"""More frames in flight are not tried."""

_AS_GOOD = Fraction(1001, 1000)
"""An interval that is no more than so many times the least one is as good, if fewer frames reach
it."""

_FRAMES = 256
"""At least so many are simulated for an interval, and ``_PER_FLIGHT`` for each frame in flight:
what the first and last frames do differently becomes small."""

_PER_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a number of frames in flight leads to.

    Attributes:
        interval_ns: Mean time from one frame's end to the next one's.
        high_ns: The longest that a frame was under way.
    """

    interval_ns: Fraction
    high_ns: int


def frames_in_flight(
    network: Network, plan: Plan, platform: Platform, *, max_latency_ns: int | None = None
) -> Plan:
    """The plan with as few frames in flight as reach its throughput, and with that predicted.

    Args:
        network: The plan's.
        plan: One that :func:`check_plan` accepts, with predicted times. Its frames in flight do
            not matter.
        platform: Where it runs, or would run.
        max_latency_ns: No simulated frame may be under way for longer; ``None``: no limit.

    Raises:
        UserInputError: The plan predicts no times, or even a frame alone takes longer than that.
    """
    predicted = _predicted(network, plan, platform)
    flow = lru_cache(maxsize=None)(lambda count: _flow(*predicted, count))
    if max_latency_ns is not None and flow(1).high_ns > max_latency_ns:
        raise UserInputError(
            f"a frame of {plan.network_name} alone takes {flow(1).high_ns} ns, which is more than "
            f"{max_latency_ns} ns: make the plan with that limit"
        )
    count = _fewest(flow, _least_interval_ns(*predicted), max_latency_ns)
    prediction = replace(plan.prediction, interval_ns=ceil(flow(count).interval_ns))
    return replace(plan, frames_in_flight=count, prediction=prediction)


def judged_in_virtual_time(platform: Platform, max_latency_ns: int) -> Judge:
    """Says what a planner's mix reaches within a latency limit, with the frames in flight for it.

    Args:
        platform: Where it would run.
        max_latency_ns: No simulated frame may be under way for longer.
    """

    def judge(network: Network, table: CostTable, planned: PlanResult) -> int | None:
        plan = plan_of(network, platform, {}, table, planned)
        try:
            flowing = frames_in_flight(network, plan, platform, max_latency_ns=max_latency_ns)
        except UserInputError:  # a frame alone is beyond the limit
            return None
        return flowing.prediction.interval_ns

    return judge


def with_interval(network: Network, plan: Plan, platform: Platform) -> Plan:
    """The plan with the interval predicted for the frames in flight that it has.

    Raises:
        UserInputError: The plan predicts no times.
    """
    graph, durations_ns = _predicted(network, plan, platform)
    interval_ns = ceil(_flow(graph, durations_ns, plan.frames_in_flight).interval_ns)
    return replace(plan, prediction=replace(plan.prediction, interval_ns=interval_ns))


def _predicted(network: Network, plan: Plan, platform: Platform) -> tuple[DispatchGraph, Durations]:
    predicted = predicted_graph(network, plan, platform)
    if predicted is None:
        raise UserInputError(
            f"the plan for {plan.network_name} predicts no times: make it with `counterpoint plan`"
        )
    return predicted


def _fewest(flow: Callable[[int], _Flow], least_ns: Fraction, max_latency_ns: int | None) -> int:
    """The fewest frames in flight whose interval is as good as any within the limit.

    More frames make intervals shorter and latencies longer, but for small exceptions; so the
    number is doubled until that is of no more use, and then the range is halved.
    """

    def is_quick(count: int) -> bool:
        return max_latency_ns is None or flow(count).high_ns <= max_latency_ns

    tried = [1]
    while flow(tried[-1]).interval_ns > least_ns * _AS_GOOD and 2 * tried[-1] <= MOST:
        if not is_quick(2 * tried[-1]):
            tried.append(_first(tried[-1], 2 * tried[-1], lambda count: not is_quick(count)) - 1)
            break
        tried.append(2 * tried[-1])
        useful_ns = flow(tried[-1]).interval_ns * _AS_GOOD
        if len(tried) > 2 and flow(tried[-3]).interval_ns <= useful_ns:
            break  # doubled twice in vain
    best_ns = max(least_ns, min(flow(count).interval_ns for count in tried))
    enough_ns = best_ns * _AS_GOOD
    position = next(i for i, count in enumerate(tried) if flow(count).interval_ns <= enough_ns)
    below = tried[position - 1] if position else 0
    return _first(
        below,
        tried[position],
        lambda count: flow(count).interval_ns <= enough_ns and is_quick(count),
    )


def _first(below: int, high: int, holds: Callable[[int], bool]) -> int:
    """A number for which it holds, though not for the one before; it holds for ``high``."""
    while high - below > 1:
        middle = (below + high) // 2
        if holds(middle):
            high = middle
        else:
            below = middle
    return high


def _flow(graph: DispatchGraph, durations_ns: Durations, count: int) -> _Flow:
    """Virtual time between the ends of two runs, one with twice the frames of the other.

    Both fill and drain the devices alike, so that only what lies between remains. It is not
    quite steady where the pattern repeats late; but no flow is faster than its busiest device.
    """
    graph = replace(graph, frames_in_flight=count)
    rotation = sum(graph.shares)
    frames = rotation * -(-max(_FRAMES, _PER_FLIGHT * count) // rotation)
    short = simulate(graph, durations_ns, frames, record=False)
    long = simulate(graph, durations_ns, 2 * frames, record=False)
    steady_ns = Fraction(long.makespan_ns - short.makespan_ns, frames)
    return _Flow(
        max(steady_ns, _least_interval_ns(graph, durations_ns)),
        max(short.latency.high_ns, long.latency.high_ns),
    )


def _least_interval_ns(graph: DispatchGraph, durations_ns: Durations) -> Fraction:
    """Mean time between frames when the busiest device never waits."""
    busy_ns: Counter[str] = Counter()
    for nodes, row_ns, share in zip(graph.lanes, durations_ns, graph.shares, strict=True):
        for node, time_ns in zip(nodes, row_ns, strict=True):
            busy_ns.update(dict.fromkeys(node.devices, share * time_ns))
    return Fraction(max(busy_ns.values()), sum(graph.shares))
