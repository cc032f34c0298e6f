"""Devices that fail in virtual time; and the threads do what the simulator says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from heapq import heappop, heappush

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, InternalError, NoUnitLeftError
from counterpoint.schedule.assembly import Assembly, SegmentKey
from counterpoint.schedule.device_threads import DeviceThreads
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.dispatcher import (
    Command,
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    Replan,
    Replanned,
)
from counterpoint.schedule.faults import Fault
from counterpoint.schedule.simulate import Durations, Simulation, simulate
from counterpoint.schedule.simulate_faults import DeviceFault, ReplanGraph, simulate_with_faults
from counterpoint.schedule.trace import Incident, Span
from tests.schedule.fake_lanes import expected, fake_lanes, number
from tests.schedule.random_plans import dispatch_graphs

TIMEOUT_S = 30

PIPELINE = DispatchGraph(((SegmentNode(("a",)), SegmentNode(("b",), (0,))),), (1,), 2)


def spans_of(simulation: Simulation) -> tuple[Span, ...]:
    assert simulation.trace is not None
    return simulation.trace.spans


def on_the_rest(graph: DispatchGraph, durations: Durations) -> ReplanGraph:
    """The same lanes, in which the next device that is left stands in for one that failed."""

    def replan(lost: frozenset[str]) -> tuple[DispatchGraph, Durations] | str:
        left = [name for name in graph.devices if name not in lost]
        if not left:
            return "all have failed"
        lanes = tuple(
            tuple(
                SegmentNode(
                    tuple(dict.fromkeys(d if d in left else left[0] for d in node.devices)),
                    node.predecessors,
                )
                for node in nodes
            )
            for nodes in graph.lanes
        )
        return DispatchGraph(lanes, graph.shares, graph.frames_in_flight), durations

    return replan


def test_frames_of_a_pipeline_start_again() -> None:
    made = simulate_with_faults(
        PIPELINE,
        [[10, 10]],
        3,
        faults=[DeviceFault("b", at_ns=15)],
        replan=on_the_rest(PIPELINE, [[10, 10]]),
        replan_ns=100,
    )
    assert [(s.frame, s.segment, s.devices, s.start_ns, s.end_ns) for s in spans_of(made)] == [
        (0, 0, ("a",), 0, 10),
        (0, 1, ("b",), 10, 15),  # fails
        (1, 0, ("a",), 10, 20),  # comes to its end, for nothing
        (0, 0, ("a",), 120, 130),
        (0, 1, ("a",), 130, 140),
        (1, 0, ("a",), 140, 150),
        (1, 1, ("a",), 150, 160),
        (2, 0, ("a",), 160, 170),
        (2, 1, ("a",), 170, 180),
    ]
    assert made.trace is not None
    assert [(i.time_ns, i.kind, i.frame) for i in made.trace.incidents] == [
        (15, "run", 0),
        (120, "replanned", None),
    ]
    assert (made.first_done_ns, made.makespan_ns) == (140, 180)
    assert made.busy_ns == {"a": 80, "b": 5}


def test_a_hang_is_noticed_late_and_keeps_its_device() -> None:
    made = simulate_with_faults(
        PIPELINE,
        [[10, 10]],
        1,
        faults=[DeviceFault("b", at_ns=12, noticed_after_ns=1000)],
        replan=on_the_rest(PIPELINE, [[10, 10]]),
    )
    assert [(s.segment, s.devices, s.start_ns, s.end_ns) for s in spans_of(made)] == [
        (0, ("a",), 0, 10),
        (1, ("b",), 10, 1012),
        (0, ("a",), 1012, 1022),
        (1, ("a",), 1022, 1032),
    ]


def test_an_idle_device_that_fails_is_noticed_at_its_next_start() -> None:
    made = simulate_with_faults(
        PIPELINE,
        [[10, 10]],
        1,
        faults=[DeviceFault("b", at_ns=3)],
        replan=on_the_rest(PIPELINE, [[10, 10]]),
    )
    assert [(s.segment, s.devices, s.start_ns, s.end_ns) for s in spans_of(made)] == [
        (0, ("a",), 0, 10),
        (1, ("b",), 10, 10),
        (0, ("a",), 10, 20),
        (1, ("a",), 20, 30),
    ]


def test_a_fault_after_the_last_frame_does_not_matter() -> None:
    made = simulate_with_faults(
        PIPELINE,
        [[10, 10]],
        2,
        faults=[DeviceFault("a", at_ns=1000)],
        replan=on_the_rest(PIPELINE, [[10, 10]]),
    )
    assert made.makespan_ns == 30


def test_no_device_is_left() -> None:
    with pytest.raises(NoUnitLeftError, match="b failed at 3 ns; a failed at 12 ns; all have"):
        simulate_with_faults(
            PIPELINE,
            [[10, 10]],
            1,
            faults=[DeviceFault("b", at_ns=3), DeviceFault("a", at_ns=12)],
            replan=on_the_rest(PIPELINE, [[10, 10]]),
        )


@pytest.mark.parametrize("fault", [DeviceFault("a", -1), DeviceFault("a", 1, -1)])
def test_times_are_not_negative(fault: DeviceFault) -> None:
    with pytest.raises(InternalError):
        simulate_with_faults(PIPELINE, [[1, 1]], 1, faults=[fault], replan=lambda _: "no")


@st.composite
def cases(draw: st.DrawFn) -> tuple[DispatchGraph, list[list[int]], int]:
    graph = draw(dispatch_graphs())
    durations = [[draw(st.integers(0, 5)) for _ in lane] for lane in graph.lanes]
    return graph, durations, draw(st.integers(1, 8))


Case = tuple[DispatchGraph, list[list[int]], int]


@given(case=cases(), interval=st.integers(0, 3))
def test_without_faults_it_is_the_plain_simulation(case: Case, interval: int) -> None:
    graph, durations, frames = case
    made = simulate_with_faults(
        graph, durations, frames, interval, faults=[], replan=lambda _: "nobody failed"
    )
    assert made == simulate(graph, durations, frames, interval)


@st.composite
def faults(draw: st.DrawFn, most_ns: int = 25) -> list[DeviceFault]:
    devices = draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True))
    return [DeviceFault(name, draw(st.integers(0, most_ns))) for name in devices]


@given(case=cases(), broken=faults(), interval=st.integers(0, 3), replan_ns=st.integers(0, 4))
def test_frames_are_done_once_and_without_what_failed(
    case: Case, broken: list[DeviceFault], interval: int, replan_ns: int
) -> None:
    graph, durations, frames = case
    replan = on_the_rest(graph, durations)
    try:
        made = simulate_with_faults(
            graph, durations, frames, interval, faults=broken, replan=replan, replan_ns=replan_ns
        )
    except NoUnitLeftError:
        assert {fault.device for fault in broken} >= set(graph.devices)
        return
    assert made.frames == frames
    assert made.trace is not None
    replanned = [i.time_ns for i in made.trace.incidents if i.kind == "replanned"]
    noticed = [i for i in made.trace.incidents if i.kind == "run"]
    assert bool(replanned) == bool(noticed)
    last_start: dict[tuple[int, int], Span] = {}
    for span in spans_of(made):
        last_start[span.frame, span.segment] = span
        assert span.start_ns <= span.end_ns
        for fault in broken:
            if fault.device in span.devices and span.start_ns > fault.at_ns:
                assert span.end_ns == span.start_ns  # it found out
    busy = dict.fromkeys(made.busy_ns, 0)
    for span in spans_of(made):
        for device in span.devices:
            busy[device] += span.end_ns - span.start_ns
    assert busy == made.busy_ns
    for frame in range(frames):
        lane = max((s for (f, _), s in last_start.items() if f == frame), key=lambda s: s.end_ns)
        assert len(graph.lanes[lane.lane]) <= sum(f == frame for f, _ in last_start)


# Two clocks, one order


class FaultyClock:
    """Lets running segments end, or fail, in the order of virtual time.

    Attributes:
        starts: ``(frame, lane, segment, start)`` in the order of the dispatcher's commands.
        noticed: Names of the devices whose failure somebody noticed.
    """

    def __init__(
        self, graph: DispatchGraph, durations: Durations, frames: int, broken: Sequence[DeviceFault]
    ) -> None:
        self.graph = graph
        self.durations = durations
        self.frames = frames
        self.room = graph.frames_in_flight + 1
        self.changed = threading.Condition()
        self.now = self.serial = 0
        self.coming: list[tuple[int, int, str, object]] = []
        self.running: dict[tuple[int, int], tuple[str, ...]] = {}
        self.due: dict[tuple[int, int], int] = {}  # which of the coming is a run's end
        self.doomed: set[tuple[int, int]] = set()
        self.broken: set[str] = set()
        self.noticed: set[str] = set()
        self.starts: list[tuple[int, int, int, int]] = []
        self.entered: list[tuple[int, int, int]] = []
        self.may_end: dict[tuple[int, int], str] = {}
        self.arrived = self.over = self.done = self.resumed = self.permitted = 0
        self.given_up = False
        for fault in broken:
            self.schedule(fault.at_ns, "breaks", fault.device)

    def schedule(self, time_ns: int, what: str, whom: object) -> None:
        self.serial += 1
        heappush(self.coming, (time_ns, self.serial, what, whom))

    def heard(self, event: Event, commands: Sequence[Command]) -> None:
        with self.changed:
            if isinstance(event, FrameArrived):
                self.arrived += 1
            elif isinstance(event, Replanned):
                self.resumed += 1
            else:
                self.over += 1
            for command in commands:
                if isinstance(command, FrameDone):
                    self.done += 1
                elif isinstance(command, Replan):
                    self.schedule(self.now, "goes on", None)
                else:
                    frame, lane, segment, devices = command
                    key = (frame, segment)
                    self.running[key] = devices
                    self.starts.append((frame, lane, segment, self.now))
                    if self.broken & set(devices):
                        self.doomed.add(key)
                        self.schedule(self.now, "fails", key)
                    else:
                        self.schedule(self.now + self.durations[lane][segment], "ends", key)
                    self.due[key] = self.serial
            self.changed.notify_all()

    def visit(self, lane: int, frame: int, segment: int) -> None:
        """A thread runs a segment, until its virtual time has passed."""
        with self.changed:
            self.entered.append((frame, lane, segment))
            self.changed.notify_all()
            self.wait(lambda: self.given_up or (frame, segment) in self.may_end)
            if self.may_end.pop((frame, segment), "ends") == "fails":
                raise EngineError("the device is gone", unit="unit")

    def play(self) -> None:
        """Until every frame is done, or nothing can go on."""
        with self.changed:
            while True:
                self.wait(self.is_quiet)
                if self.done == self.frames or not self.coming:
                    break
                self.now, serial, what, whom = heappop(self.coming)
                if what == "breaks":
                    self.break_down(str(whom))
                elif what == "goes on":
                    self.permitted += 1
                    self.changed.notify_all()
                    self.wait(lambda: self.given_up or self.resumed == self.permitted)
                    if self.given_up:
                        break
                elif isinstance(whom, tuple) and self.due.get(whom) == serial:
                    del self.due[whom]
                    devices = self.running.pop(whom)
                    if what == "fails":
                        self.doomed.remove(whom)
                        self.noticed |= self.broken & set(devices)
                    over = self.over
                    self.may_end[whom] = what
                    self.changed.notify_all()
                    self.wait(lambda over=over: self.over == over + 1)  # type: ignore[misc]

    def break_down(self, device: str) -> None:
        self.broken.add(device)
        for run, devices in self.running.items():
            if device in devices and run not in self.doomed:
                self.doomed.add(run)
                self.schedule(self.now, "fails", run)
                self.due[run] = self.serial

    def is_quiet(self) -> bool:
        return len(self.entered) == len(self.starts) and self.arrived == min(
            self.frames, self.done + self.room
        )

    def wait(self, condition: Callable[[], bool]) -> None:
        assert self.changed.wait_for(condition, TIMEOUT_S), "nothing happens any more"

    def give_up(self) -> None:
        with self.changed:
            self.given_up = True
            self.changed.notify_all()


class Overheard(Dispatcher):
    """The real one, with somebody who listens."""

    def __init__(self, graph: DispatchGraph, clock: FaultyClock) -> None:
        super().__init__(graph)
        self.clock = clock

    def handle(self, event: Event) -> list[Command]:
        commands = super().handle(event)
        self.check()
        self.clock.heard(event, commands)
        return commands


class VirtualRecovery:
    """Goes on when the clock says so."""

    def __init__(self, clock: FaultyClock, replan: ReplanGraph) -> None:
        self.clock = clock
        self.replan = replan
        self.asked = 0
        self.incidents: tuple[Incident, ...] = ()

    def strand(self, key: SegmentKey) -> None:
        raise AssertionError("nothing hangs")

    def after(self, faults: Sequence[Fault], frames: int) -> Assembly:
        clock = self.clock
        self.asked += 1
        with clock.changed:
            clock.wait(lambda: clock.given_up or clock.permitted == self.asked)
            answer = self.replan(frozenset(clock.noticed))
        if isinstance(answer, str):
            clock.give_up()
            raise NoUnitLeftError(answer)
        graph, clock.durations = answer
        return Assembly(graph, tuple(fake_lanes(graph, clock.visit)))


@settings(phases=(Phase.generate,), deadline=None)  # shrinking would wait again
@given(case=cases(), broken=faults(most_ns=15))
def test_threads_and_simulator_agree_when_devices_fail(
    case: Case, broken: list[DeviceFault]
) -> None:
    graph, durations, frames = case
    replan = on_the_rest(graph, durations)
    predicted: Simulation | None = None
    with suppress(NoUnitLeftError):
        predicted = simulate_with_faults(graph, durations, frames, faults=broken, replan=replan)
    clock = FaultyClock(graph, durations, frames, broken)
    threads = DeviceThreads(
        Assembly(graph, tuple(fake_lanes(graph, clock.visit))), None, VirtualRecovery(clock, replan)
    )
    threads._dispatcher = Overheard(graph, clock)
    futures: list[Future[list[Tensor]]] = []

    def submit() -> None:
        for frame in range(frames):
            try:
                futures.append(threads.run_async(number(frame), list))
            except NoUnitLeftError:
                return

    submitter = threading.Thread(target=submit)
    submitter.start()
    try:
        clock.play()
        submitter.join()
    finally:
        clock.give_up()
        threads.close()
    if predicted is None:
        assert any(isinstance(future.exception(), NoUnitLeftError) for future in futures)
        return
    spans = spans_of(predicted)
    assert clock.starts == [(s.frame, s.lane, s.segment, s.start_ns) for s in spans]
    lane_of = {span.frame: span.lane for span in spans}
    for frame, future in enumerate(futures):
        values = [int(tensor[0]) for tensor in future.result()]
        assert values == expected(graph.lanes[lane_of[frame]], frame)
