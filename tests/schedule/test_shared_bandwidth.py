from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.costs.models.contention import Contention, Load, SharedMemory
from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.shared_bandwidth import simulate_shared
from counterpoint.schedule.simulate import simulate
from tests.schedule.random_plans import dispatch_graphs

HALVING = Contention(
    peak_gb_per_s=100.0,
    minor_gb_per_s=0.0,
    intensive_gb_per_s=1.0,
    minor_loss=0.0,
    threshold_gb_per_s=0.0,
    balance_gb_per_s=10.0,
    loss_per_gb_per_s=0.025,
)
"""10 GB/s beside 10 others: half the speed."""

TWO_LANES = DispatchGraph(((SegmentNode(("a",)),), (SegmentNode(("b",)),)), (1, 1), 2)


@st.composite
def cases(draw: st.DrawFn) -> tuple[DispatchGraph, list[list[int]], list[list[float]], int]:
    graph = draw(dispatch_graphs())
    durations = [[draw(st.integers(0, 50)) for _ in lane] for lane in graph.lanes]
    demands = [[draw(st.sampled_from([0.0, 5.0, 10.0])) for _ in lane] for lane in graph.lanes]
    return graph, durations, demands, draw(st.integers(1, 6))


def everybody(graph: DispatchGraph) -> SharedMemory:
    return SharedMemory(dict.fromkeys(graph.devices, HALVING))


@given(case=cases(), interval=st.integers(0, 30))
def test_without_sharing_it_is_the_plain_simulation(
    case: tuple[DispatchGraph, list[list[int]], list[list[float]], int], interval: int
) -> None:
    graph, durations, demands, frames = case
    shared = simulate_shared(
        graph, durations, demands, SharedMemory({}), frames, arrival_interval_ns=interval
    )
    assert shared == simulate(graph, durations, frames, interval)


@given(case=cases())
def test_everything_that_runs_took_at_least_its_time_alone(
    case: tuple[DispatchGraph, list[list[int]], list[list[float]], int],
) -> None:
    graph, durations, demands, frames = case
    shared = simulate_shared(graph, durations, demands, everybody(graph), frames)
    assert shared.trace is not None
    for span in shared.trace.spans:
        assert span.end_ns - span.start_ns >= durations[span.lane][span.segment]
    for device, busy_ns in shared.trace.busy_ns.items():
        assert shared.busy_ns[device] == busy_ns


@given(case=cases())
def test_work_is_done_at_the_rates_of_the_moment(
    case: tuple[DispatchGraph, list[list[int]], list[list[float]], int],
) -> None:
    """Integrates each span's rate over the pieces between all starts and ends."""
    graph, durations, demands, frames = case
    memory = everybody(graph)
    shared = simulate_shared(graph, durations, demands, memory, frames)
    assert shared.trace is not None
    spans = [span for span in shared.trace.spans if span.end_ns > span.start_ns]
    moments = sorted({moment for span in spans for moment in (span.start_ns, span.end_ns)})
    done = dict.fromkeys(range(len(spans)), 0.0)
    for before, after in pairwise(moments):
        running = [i for i, s in enumerate(spans) if s.start_ns <= before and after <= s.end_ns]
        loads = [Load(spans[i].devices, demands[spans[i].lane][spans[i].segment]) for i in running]
        for i, slow_down in zip(running, memory.slow_downs(loads), strict=True):
            done[i] += (after - before) / slow_down
    for i, span in enumerate(spans):
        work = durations[span.lane][span.segment]
        assert work - 1e-3 <= done[i] <= work + 1  # an end is rounded up to a whole nanosecond


def test_rates_change_when_something_ends() -> None:
    memory = SharedMemory({"a": HALVING, "b": HALVING})
    shared = simulate_shared(TWO_LANES, [[100], [40]], [[10.0], [10.0]], memory, 2)
    # both at half speed until b has done its 40 at 80; a then has 60 of 100 left
    assert shared.trace is not None
    assert [(span.start_ns, span.end_ns) for span in shared.trace.spans] == [(0, 140), (0, 80)]
    assert shared.busy_ns == {"a": 140, "b": 80}


def test_demands_must_fit_the_graph() -> None:
    for wrong in ([[1.0]], [[1.0], [-1.0]]):
        with pytest.raises(InternalError, match="demand"):
            simulate_shared(TWO_LANES, [[1], [1]], wrong, SharedMemory({}), 1)
