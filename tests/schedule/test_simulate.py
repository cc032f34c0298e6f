from __future__ import annotations

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.dispatcher import (
    Dispatcher,
    FrameArrived,
    SegmentFinished,
    Start,
)
from counterpoint.schedule.simulate import Simulation, simulate
from counterpoint.schedule.trace import Span
from tests.schedule.random_plans import dispatch_graphs

PIPELINE = DispatchGraph(
    ((SegmentNode(("a",)), SegmentNode(("b",), (0,)), SegmentNode(("c",), (1,))),), (1,), 3
)


def spans_of(simulation: Simulation) -> tuple[Span, ...]:
    assert simulation.trace is not None
    return simulation.trace.spans


@st.composite
def cases(draw: st.DrawFn) -> tuple[DispatchGraph, list[list[int]], int]:
    graph = draw(dispatch_graphs())
    durations = [[draw(st.integers(0, 5)) for _ in lane] for lane in graph.lanes]
    return graph, durations, draw(st.integers(1, 8))


def all_at_once(graph: DispatchGraph, durations: list[list[int]], frames: int) -> list[Span]:
    """The oracle: every frame arrives at 0; the next end is found by looking at all."""
    dispatcher = Dispatcher(graph)
    spans: list[Span] = []
    running: list[Span] = []
    commands = deque(
        command for frame in range(frames) for command in dispatcher.handle(FrameArrived(frame))
    )
    now = 0
    while commands or running:
        while commands:
            command = commands.popleft()
            if isinstance(command, Start):
                frame, lane, segment, devices = command
                end = now + durations[lane][segment]
                running.append(Span("", "", devices, frame, lane, segment, now, end))
                spans.append(running[-1])
        if running:
            ended = min(running, key=lambda span: span.end_ns)  # the first one of those
            running.remove(ended)
            now = ended.end_ns
            commands.extend(dispatcher.handle(SegmentFinished(ended.frame, ended.segment)))
    return spans


@given(case=cases())
def test_same_spans_as_when_all_frames_wait_in_the_dispatcher(
    case: tuple[DispatchGraph, list[list[int]], int],
) -> None:
    graph, durations, frames = case
    simulation = simulate(graph, durations, frames)
    assert list(spans_of(simulation)) == all_at_once(graph, durations, frames)


@given(case=cases(), interval=st.integers(0, 9))
def test_trace_is_a_schedule(
    case: tuple[DispatchGraph, list[list[int]], int], interval: int
) -> None:
    graph, durations, frames = case
    simulation = simulate(graph, durations, frames, interval)
    spans = spans_of(simulation)
    assert len(spans) == len({(span.frame, span.segment) for span in spans})
    ends = {(span.frame, span.segment): span.end_ns for span in spans}
    for span in spans:
        assert span.end_ns - span.start_ns == durations[span.lane][span.segment]
        assert span.start_ns >= span.frame * interval
        for earlier in graph.lanes[span.lane][span.segment].predecessors:
            assert ends[span.frame, earlier] <= span.start_ns
    for device in graph.devices:
        here = sorted((s.start_ns, s.end_ns) for s in spans if device in s.devices)
        assert all(one[1] <= other[0] for one, other in pairwise(here))
        assert simulation.busy_ns[device] == sum(end - start for start, end in here)
        assert simulation.busy_ns[device] <= simulation.makespan_ns
    for frame in range(frames):
        lane = next(span.lane for span in spans if span.frame == frame)
        assert sum(key[0] == frame for key in ends) == len(graph.lanes[lane])
    assert simulation.makespan_ns == max(ends.values())


@given(case=cases(), interval=st.integers(0, 9))
def test_without_recording_the_figures_are_the_same(
    case: tuple[DispatchGraph, list[list[int]], int], interval: int
) -> None:
    graph, durations, frames = case
    with_spans = simulate(graph, durations, frames, interval)
    without = simulate(graph, durations, frames, interval, record=False)
    assert without.trace is None
    assert (without.makespan_ns, without.first_done_ns, without.latency, without.busy_ns) == (
        with_spans.makespan_ns,
        with_spans.first_done_ns,
        with_spans.latency,
        with_spans.busy_ns,
    )


def test_pipeline_runs_at_the_rate_of_its_slowest_segment() -> None:
    simulation = simulate(PIPELINE, [[20, 50, 30]], 100)
    assert simulation.first_done_ns == 100
    assert simulation.makespan_ns == 100 + 99 * 50
    assert simulation.interval_ns == 50
    assert simulation.busy_ns == {"a": 2000, "b": 5000, "c": 3000}


def test_frames_that_come_slowly_do_not_meet() -> None:
    simulation = simulate(PIPELINE, [[20, 50, 30]], 10, arrival_interval_ns=150)
    assert (simulation.latency.low_ns, simulation.latency.high_ns) == (100, 100)
    assert simulation.makespan_ns == 9 * 150 + 100


def test_frames_that_come_too_fast_wait_and_their_waiting_counts() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)),),), (1,), 1)
    simulation = simulate(graph, [[10]], 4, arrival_interval_ns=6)
    assert [span.start_ns for span in spans_of(simulation)] == [0, 10, 20, 30]
    assert simulation.latency.high_ns == 40 - 18
    assert simulation.latency.low_ns == 10
    assert simulation.latency.mean_ns == (10 + 14 + 18 + 22) / 4


def test_single_frame_has_no_interval() -> None:
    assert simulate(PIPELINE, [[1, 1, 1]], 1).interval_ns is None


def test_lanes_share_the_frames() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)),), (SegmentNode(("b",)),)), (3, 1), 2)
    simulation = simulate(graph, [[10], [30]], 400, record=False)
    assert simulation.busy_ns == {"a": 3000, "b": 3000}
    assert simulation.makespan_ns < 3100


def test_no_twin_waits_for_a_slower_one() -> None:
    lanes = ((SegmentNode(("a",)),), (SegmentNode(("b",)),))
    taking_turns = simulate(DispatchGraph(lanes, (1, 1), 4), [[10], [30]], 400, record=False)
    assert taking_turns.makespan_ns >= 200 * 30
    as_they_can = DispatchGraph(lanes, (1, 1), 4, twins=((0, 1), (0, 1)))
    assert simulate(as_they_can, [[10], [30]], 400, record=False).makespan_ns < 1.02 * 300 * 10


@pytest.mark.parametrize(
    ("durations", "frames", "interval"),
    [([[1, 1]], 1, 0), ([[1, 1, -1]], 1, 0), ([[1, 1, 1]], 0, 0), ([[1, 1, 1]], 1, -1)],
)
def test_refuses_nonsense(durations: list[list[int]], frames: int, interval: int) -> None:
    with pytest.raises(InternalError):
        simulate(PIPELINE, durations, frames, interval)
