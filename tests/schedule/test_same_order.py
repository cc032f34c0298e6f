"""Two clocks, one order: the device threads do what the simulator says, when it says it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from heapq import heappop, heappush

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from counterpoint.engines.protocol import Tensor
from counterpoint.schedule.assembly import Assembly
from counterpoint.schedule.device_threads import DeviceThreads
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import (
    Command,
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    Replan,
)
from counterpoint.schedule.simulate import simulate
from tests.schedule.fake_lanes import expected, fake_lanes, number
from tests.schedule.random_plans import dispatch_graphs

TIMEOUT_S = 30


class VirtualClock:
    """Lets running segments end in the order of virtual time.

    The next one ends when all that its predecessor set off has happened: the segments that
    started are in their engines' hands, and the frames for which there is room have come.

    Attributes:
        starts: ``(frame, lane, segment, start, end)`` in the order of the dispatcher's commands.
        entered: ``(frame, lane, segment)`` in the order in which threads came to run them.
    """

    def __init__(
        self, graph: DispatchGraph, durations: Sequence[Sequence[int]], frames: int
    ) -> None:
        self.durations = durations
        self.frames = frames
        self.room = graph.frames_in_flight + 1
        self.changed = threading.Condition()
        self.now = 0
        self.running: list[tuple[int, int, tuple[int, int]]] = []
        self.starts: list[tuple[int, int, int, int, int]] = []
        self.entered: list[tuple[int, int, int]] = []
        self.ended: set[tuple[int, int]] = set()
        self.arrived = self.finished = self.done = 0
        self.abandoned = False

    def heard(self, event: Event, commands: Sequence[Command]) -> None:
        with self.changed:
            if isinstance(event, FrameArrived):
                self.arrived += 1
            else:
                self.finished += 1
            for command in commands:
                if isinstance(command, FrameDone):
                    self.done += 1
                    continue
                assert not isinstance(command, Replan), "nothing fails here"
                frame, lane, segment, _ = command
                end = self.now + self.durations[lane][segment]
                heappush(self.running, (end, len(self.starts), (frame, segment)))
                self.starts.append((frame, lane, segment, self.now, end))
            self.changed.notify_all()

    def visit(self, lane: int, frame: int, segment: int) -> None:
        """A thread runs a segment, until its virtual time has passed."""
        with self.changed:
            self.entered.append((frame, lane, segment))
            self.changed.notify_all()
            self.wait(lambda: self.abandoned or (frame, segment) in self.ended)

    def play(self) -> None:
        """Until every frame is done."""
        with self.changed:
            while True:
                self.wait(self.is_quiet)
                if not self.running:
                    break
                self.now, _, ending = heappop(self.running)
                self.ended.add(ending)
                self.changed.notify_all()
                self.wait(lambda: self.finished == len(self.ended))
        assert self.done == self.frames

    def abandon(self) -> None:
        """Whatever runs may end."""
        with self.changed:
            self.abandoned = True
            self.changed.notify_all()

    def is_quiet(self) -> bool:
        return len(self.entered) == len(self.starts) and self.arrived == min(
            self.frames, self.done + self.room
        )

    def wait(self, condition: Callable[[], bool]) -> None:
        assert self.changed.wait_for(condition, TIMEOUT_S), "nothing happens any more"


class Overheard(Dispatcher):
    """The real one, with somebody who listens."""

    def __init__(self, graph: DispatchGraph, clock: VirtualClock) -> None:
        super().__init__(graph)
        self.clock = clock

    def handle(self, event: Event) -> list[Command]:
        commands = super().handle(event)
        self.clock.heard(event, commands)
        return commands


@st.composite
def cases(draw: st.DrawFn) -> tuple[DispatchGraph, list[list[int]], int]:
    graph = draw(dispatch_graphs())
    durations = [[draw(st.integers(0, 5)) for _ in lane] for lane in graph.lanes]
    return graph, durations, draw(st.integers(1, 8))


@settings(phases=(Phase.generate,))  # a failure may be a wait, and shrinking would wait again
@given(case=cases())
def test_threads_start_segments_as_the_simulator_does(
    case: tuple[DispatchGraph, list[list[int]], int],
) -> None:
    graph, durations, frames = case
    predicted = simulate(graph, durations, frames).trace
    assert predicted is not None
    clock = VirtualClock(graph, durations, frames)
    lanes = fake_lanes(graph, clock.visit)
    threads = DeviceThreads(Assembly(graph, tuple(lanes)), None)
    threads._dispatcher = Overheard(graph, clock)
    futures: list[Future[list[Tensor]]] = []

    def submit() -> None:
        futures.extend(threads.run_async(number(frame), list) for frame in range(frames))

    submitter = threading.Thread(target=submit)
    submitter.start()
    try:
        clock.play()
        submitter.join()
    finally:
        clock.abandon()
        threads.close()
    spans = predicted.spans
    assert clock.starts == [(s.frame, s.lane, s.segment, s.start_ns, s.end_ns) for s in spans]
    lane_of = {span.frame: span.lane for span in spans}
    for frame, future in enumerate(futures):
        values = [int(tensor[0]) for tensor in future.result()]
        assert values == expected(graph.lanes[lane_of[frame]], frame)
    on_device: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for frame, lane, segment in clock.entered:
        for device in graph.lanes[lane][segment].devices:
            on_device[device].append((frame, lane, segment))
    for device, entered in on_device.items():
        assert entered == [(s.frame, s.lane, s.segment) for s in spans if device in s.devices]
    assert all(pool.lent == 0 for lane in lanes for pool in lane.pools if pool is not None)
