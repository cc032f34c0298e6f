from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.dispatcher import (
    Command,
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    LaneRotation,
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

    def handle(self, event: Event) -> list[Command]:
        commands: list[Command] = []
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
            self.lane[self.waiting.pop(0)] = self.rotation.next()
        for frame, lane in self.lane.items():
            for segment, node in enumerate(self.graph.lanes[lane]):
                if self.may_start(frame, segment, node):
                    self.running.add((frame, segment))
                    commands.append(Start(frame, lane, segment, node.devices))
        return commands

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
        event: Event
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
