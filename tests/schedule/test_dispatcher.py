from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.dispatcher import (
    DeviceFailed,
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    LaneRotation,
    Replan,
    Replanned,
    SegmentFinished,
    Start,
)
from tests.schedule.random_plans import dispatch_graphs


class Scan:
    """The rules, by looking at everything at every event: the oracle."""

    def __init__(self, graph: DispatchGraph) -> None:
        self.graph = graph
        self.rotation = LaneRotation(graph.shares)
        self.waiting: list[int] = []
        self.lane: dict[int, int] = {}  # of frames under way, in order of admission
        self.finished: set[tuple[int, int]] = set()
        self.running: set[tuple[int, int]] = set()

    def handle(self, event: FrameArrived | SegmentFinished) -> list[Start | FrameDone]:
        commands: list[Start | FrameDone] = []
        if isinstance(event, FrameArrived):
            self.waiting.append(event.frame)
        else:
            self.running.remove((event.frame, event.segment))
            self.finished.add((event.frame, event.segment))
            lane = self.lane[event.frame]
            if all((event.frame, s) in self.finished for s in range(len(self.graph.lanes[lane]))):
                del self.lane[event.frame]
                commands.append(FrameDone(event.frame, lane))
        while self.waiting and len(self.lane) < self.graph.frames_in_flight:
            self.lane[self.waiting.pop(0)] = self.next_lane()
        for frame, lane in self.lane.items():
            for segment, node in enumerate(self.graph.lanes[lane]):
                if self.may_start(frame, segment, node):
                    self.running.add((frame, segment))
                    commands.append(Start(frame, lane, segment, node.devices))
        return commands

    def next_lane(self) -> int:
        """The lane whose turn it is, unless one of its twins has fewer frames under way."""
        turn = self.rotation.next()
        under_way = list(self.lane.values())
        twins = self.graph.twins[turn] if self.graph.twins else (turn,)
        fewest = min(under_way.count(twin) for twin in twins)
        if under_way.count(turn) == fewest:
            return turn
        return next(twin for twin in twins if under_way.count(twin) == fewest)

    def may_start(self, frame: int, segment: int, node: SegmentNode) -> bool:
        busy = {
            device
            for other, index in self.running
            for device in self.graph.lanes[self.lane[other]][index].devices
        }
        return (
            (frame, segment) not in self.running | self.finished
            and all((frame, earlier) in self.finished for earlier in node.predecessors)
            and not busy & set(node.devices)
        )


@given(graph=dispatch_graphs(), data=st.data())
def test_follows_the_rules_on_random_graphs(graph: DispatchGraph, data: st.DataObject) -> None:
    dispatcher, oracle = Dispatcher(graph), Scan(graph)
    frames = data.draw(st.integers(1, 8))
    arrived, done = 0, []
    running: list[SegmentFinished] = []
    while arrived < frames or running:
        choices = len(running) + (arrived < frames)
        choice = data.draw(st.integers(0, choices - 1))
        event: FrameArrived | SegmentFinished
        if choice < len(running):
            event = running.pop(choice)
        else:
            event = FrameArrived(arrived)
            arrived += 1
        commands = dispatcher.handle(event)
        dispatcher.check()
        assert commands == oracle.handle(event)
        for command in commands:
            if isinstance(command, Start):
                running.append(SegmentFinished(command.frame, command.segment))
            else:
                assert isinstance(command, FrameDone)
                done.append(command.frame)
        assert dispatcher.outstanding == arrived - len(done)
    assert sorted(done) == list(range(frames))


@given(shares=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_rotation_keeps_shares_and_repeats(shares: list[int]) -> None:
    rotation = LaneRotation(tuple(shares))
    cycle = [rotation.next() for _ in range(sum(shares))]
    assert Counter(cycle) == Counter(dict(enumerate(shares)))
    assert rotation.credits == [0] * len(shares)
    assert [rotation.next() for _ in cycle] == cycle


def test_rotation_is_smooth() -> None:
    rotation = LaneRotation((5, 1, 1))
    # nginx's published example for weights 5, 1, 1
    assert [rotation.next() for _ in range(7)] == [0, 0, 1, 0, 2, 0, 0]


def test_older_frame_goes_first_whatever_its_number() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)), SegmentNode(("a",), (0,))),), (1,), 2)
    dispatcher = Dispatcher(graph)
    assert dispatcher.handle(FrameArrived(9)) == [Start(9, 0, 0, ("a",))]
    assert dispatcher.handle(FrameArrived(3)) == []
    assert dispatcher.handle(SegmentFinished(9, 0)) == [Start(9, 0, 1, ("a",))]
    assert dispatcher.handle(SegmentFinished(9, 1)) == [FrameDone(9, 0), Start(3, 0, 0, ("a",))]


def test_segment_on_two_devices_waits_for_both() -> None:
    graph = DispatchGraph(
        ((SegmentNode(("a",)), SegmentNode(("b",)), SegmentNode(("a", "b"))),), (1,), 1
    )
    dispatcher = Dispatcher(graph)
    assert dispatcher.handle(FrameArrived(0)) == [Start(0, 0, 0, ("a",)), Start(0, 0, 1, ("b",))]
    assert dispatcher.handle(SegmentFinished(0, 1)) == []
    assert dispatcher.handle(SegmentFinished(0, 0)) == [Start(0, 0, 2, ("a", "b"))]


@pytest.mark.parametrize(
    "event",
    [
        FrameArrived(0),
        FrameArrived(1),
        SegmentFinished(0, 1),
        SegmentFinished(0, -1),
        SegmentFinished(0, 2),
        SegmentFinished(1, 0),
        SegmentFinished(7, 0),
    ],
)
def test_refuses_what_cannot_be(event: Event) -> None:
    dispatcher = Dispatcher(
        DispatchGraph(((SegmentNode(("a",)), SegmentNode(("a",), (0,))),), (1,), 1)
    )
    dispatcher.handle(FrameArrived(0))
    dispatcher.handle(FrameArrived(1))  # waits
    with pytest.raises(InternalError):
        dispatcher.handle(event)
    dispatcher.check()


def test_check_notices_a_device_that_is_lost() -> None:
    dispatcher = Dispatcher(DispatchGraph(((SegmentNode(("a",)),),), (1,), 1))
    dispatcher.handle(FrameArrived(0))
    dispatcher._busy = 0
    with pytest.raises(InternalError, match="busy"):
        dispatcher.check()


# Failures

REST = DispatchGraph(((SegmentNode(("b",)), SegmentNode(("b",), (0,))),), (1,), 2)


def test_a_failure_lets_runs_end_and_starts_frames_again_in_order() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)), SegmentNode(("b",), (0,))),), (1,), 2)
    dispatcher = Dispatcher(graph)
    for frame in range(4):
        dispatcher.handle(FrameArrived(frame))
    dispatcher.handle(SegmentFinished(0, 0))  # frame 0 is on b now, frame 1 on a
    assert dispatcher.handle(DeviceFailed(1, 0)) == []  # frame 0 still runs
    dispatcher.check()
    assert dispatcher.handle(FrameArrived(4)) == []
    assert dispatcher.handle(SegmentFinished(0, 1)) == [Replan()]  # and is not done
    dispatcher.check()
    assert dispatcher.outstanding == 5
    assert dispatcher.handle(Replanned(REST)) == [Start(0, 0, 0, ("b",))]
    done = []
    commands = deque([Start(0, 0, 0, ("b",))])
    while commands:
        command = commands.popleft()
        if isinstance(command, Start):
            for following in dispatcher.handle(SegmentFinished(command.frame, command.segment)):
                if isinstance(following, Start):
                    commands.append(following)
                else:
                    assert isinstance(following, FrameDone)
                    done.append(following.frame)
        dispatcher.check()
    assert done == [0, 1, 2, 3, 4]


def test_several_devices_may_fail_before_it_is_quiet() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)),), (SegmentNode(("b",)),)), (1, 1), 2)
    dispatcher = Dispatcher(graph)
    dispatcher.handle(FrameArrived(0))
    dispatcher.handle(FrameArrived(1))
    assert dispatcher.handle(DeviceFailed(0, 0)) == []
    assert dispatcher.handle(DeviceFailed(1, 0)) == [Replan()]
    dispatcher.check()


@pytest.mark.parametrize(
    "event", [DeviceFailed(0, 1), DeviceFailed(7, 0), Replanned(REST), SegmentFinished(0, 1)]
)
def test_what_cannot_have_happened(event: Event) -> None:
    dispatcher = Dispatcher(REST)
    dispatcher.handle(FrameArrived(0))
    with pytest.raises(InternalError):
        dispatcher.handle(event)


def test_a_new_graph_waits_until_nothing_runs() -> None:
    graph = DispatchGraph(((SegmentNode(("a",)),), (SegmentNode(("b",)),)), (1, 1), 2)
    dispatcher = Dispatcher(graph)
    dispatcher.handle(FrameArrived(0))
    dispatcher.handle(FrameArrived(1))
    dispatcher.handle(DeviceFailed(0, 0))
    with pytest.raises(InternalError, match="something still runs"):
        dispatcher.handle(Replanned(REST))


@given(graph=dispatch_graphs(), other=dispatch_graphs(), data=st.data())
def test_frames_survive_any_failures(
    graph: DispatchGraph, other: DispatchGraph, data: st.DataObject
) -> None:
    """Each is done once, whatever fails and whatever the new graph is."""
    dispatcher = Dispatcher(graph)
    frames = data.draw(st.integers(1, 6))
    failures = data.draw(st.integers(0, 4))
    running: list[Start] = []
    done: list[int] = []
    to_come = list(range(frames))
    while to_come or running:
        event: Event
        if to_come and (not running or data.draw(st.booleans())):
            event = FrameArrived(to_come.pop(0))
        else:
            ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
            event = SegmentFinished(ended.frame, ended.segment)
            if failures and data.draw(st.booleans()):
                failures -= 1
                event = DeviceFailed(ended.frame, ended.segment)
        commands = deque(dispatcher.handle(event))
        while commands:
            command = commands.popleft()
            dispatcher.check()
            if isinstance(command, Replan):
                assert not running
                chosen = data.draw(st.sampled_from([graph, other]))
                commands.extend(dispatcher.handle(Replanned(chosen)))
            elif isinstance(command, Start):
                running.append(command)
            else:
                done.append(command.frame)
    assert sorted(done) == list(range(frames))
    assert dispatcher.outstanding == 0
