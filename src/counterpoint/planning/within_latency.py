"""Throughput under a latency limit, where frames wait for each other.

The linear program knows what a frame takes alone. With many frames under way it also waits, so the
mix of most frames may have to run with few of them in flight, and simpler lanes then do better. So
mixes of every kind, with lanes within several tighter limits, are judged by what they reach within
the limit in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter_ns

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.planning.throughput import plan_throughput

Judge = Callable[[Network, CostTable, PlanResult], int | None]
"""Mean time from one frame's end to the next one's that a plan reaches with no frame beyond the
limit; ``None`` where even a frame alone is."""

TIGHTER = 4
"""So many limits are tried between the least latency and the limit, in equal ratios."""

MIXES = ("switch", "pipeline", "replicate", "single")
"""Beside ``auto``; see :func:`plan_throughput`."""


def plan_within_latency(
    network: Network,
    table: CostTable,
    judge: Judge,
    *,
    max_latency_ns: int,
    fixed: Fixed | None = None,
) -> PlanResult:
    """The mix that the judge says is fastest; its bound is the linear program's, for every mix.

    Args:
        network: What is run.
        table: What it costs.
        judge: Knows what a mix reaches within the limit.
        max_latency_ns: No frame may be under way for longer.
        fixed: Unit or units of some layers, by layer index.

    Raises:
        UserInputError: An unknown unit or layer, or the costs of another network.
    """
    began_ns = perf_counter_ns()
    loosest = plan_throughput(network, table, fixed=fixed, max_latency_ns=max_latency_ns)
    if loosest.status is Status.INFEASIBLE:
        return loosest
    best, best_ns = loosest, judge(network, table, loosest)
    seen: set[tuple[PlannedLane, ...]] = {loosest.lanes}
    for limit_ns in _limits(network, table, fixed, max_latency_ns):
        for method in ("auto", *MIXES):
            found = plan_throughput(
                network, table, fixed=fixed, method=method, max_latency_ns=limit_ns
            )
            if found.lanes in seen or found.status is Status.INFEASIBLE:
                continue
            seen.add(found.lanes)
            interval_ns = judge(network, table, found)
            if interval_ns is not None and (best_ns is None or interval_ns < best_ns):
                best, best_ns = found, interval_ns
    bound = loosest.lower_bound
    if bound is not None and best.value is not None:
        bound = min(bound, best.value)
    return replace(
        best,
        status=Status.OPTIMAL if bound == best.value else Status.FEASIBLE,
        lower_bound=bound,
        settings={**loosest.settings, "mixes": len(seen)},
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _limits(
    network: Network, table: CostTable, fixed: Fixed | None, max_latency_ns: int
) -> Iterator[int]:
    """The limit itself, and tighter ones: frames with shorter lanes leave time for waiting."""
    yield max_latency_ns
    least = plan_latency(network, table, fixed=fixed).value or max_latency_ns
    ratio = max_latency_ns / max(1, least)
    for step in range(TIGHTER - 1, -1, -1):
        yield min(max_latency_ns, round(least * ratio ** (step / TIGHTER)) + 1)
