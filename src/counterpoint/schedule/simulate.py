"""The dispatcher driven by virtual time: a discrete-event loop in integer nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import (
    Command,
    Dispatcher,
    FrameArrived,
    FrameDone,
    Replan,
    SegmentFinished,
    Start,
)
from counterpoint.schedule.trace import Span, Trace

Durations = Sequence[Sequence[int]]
"""Nanoseconds of each segment of each lane."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """From a frame's arrival until its outputs were there, over all frames."""

    low_ns: int
    mean_ns: float
    high_ns: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happened in virtual time.

    Attributes:
        frames: How many ran; at least 1.
        first_done_ns: When the first frame was done; time starts at 0, with the first arrival.
        makespan_ns: When the last frame was done.
        latency: Waiting included.
        busy_ns: Time in which each device ran something.
        trace: Every span; ``None`` when it was not recorded.
    """

    frames: int
    first_done_ns: int
    makespan_ns: int
    latency: Latencies
    busy_ns: Mapping[str, int]
    trace: Trace | None

    @property
    def interval_ns(self) -> float | None:
        """Mean time from one frame's end to the next one's; ``None`` for a single frame."""
        if self.frames == 1:
            return None
        return (self.makespan_ns - self.first_done_ns) / (self.frames - 1)


def simulate(
    graph: DispatchGraph,
    durations_ns: Durations,
    frames: int,
    arrival_interval_ns: int = 0,
    *,
    record: bool = True,
) -> Simulation:
    """Runs frames in virtual time.

    Args:
        graph: What runs, and on which devices.
        durations_ns: Time of each segment of each lane, at least 0.
        frames: How many; at least 1.
        arrival_interval_ns: Frame ``i`` arrives at ``i`` times this. 0: a frame arrives whenever
            one may be admitted, as from a file.
        record: Keep every span. Without, memory does not grow with the number of frames.

    Raises:
        InternalError: The durations are not those of the graph, or a number is out of range.
    """
    return Simulator(graph, durations_ns, frames, arrival_interval_ns, record).run()


class Simulator:
    """State of one simulation; use :func:`simulate`.

    Attributes:
        queue: Heap of ``(time, serial, frame, segment)``: the ends of running segments and, where
            ``segment`` is ``None``, the arrival of that frame. The serial number breaks ties.
        arrived_ns: When each frame under way arrived.
        next_frame: The next one to hand over.
        expected: The last frame whose arrival is or was in the queue.
        lane_frames: How many frames took each lane.
    """

    def __init__(
        self,
        graph: DispatchGraph,
        durations_ns: Durations,
        frames: int,
        interval_ns: int,
        record: bool,
    ) -> None:
        if [len(row) for row in durations_ns] != [len(lane) for lane in graph.lanes]:
            raise InternalError("simulate: one duration for each segment of each lane expected")
        if frames < 1 or interval_ns < 0 or any(min(row) < 0 for row in durations_ns):
            raise InternalError("simulate: a negative time, or no frame")
        self.graph = graph
        self.durations_ns = durations_ns
        self.frames = frames
        self.interval_ns = interval_ns
        self.dispatcher = Dispatcher(graph)
        self.queue: list[tuple[int, int, int, int | None]] = []
        self.serial = 0
        self.next_frame = 0
        self.expected = 0
        self.arrived_ns: dict[int, int] = {}
        self.lane_frames = [0] * len(graph.lanes)
        self.first_done_ns: int | None = None
        self.latency_sum_ns = 0
        self.latency_low_ns: int | None = None
        self.latency_high_ns = 0
        self.spans: list[Span] | None = [] if record else None

    def run(self) -> Simulation:
        """All frames, from the first arrival to the last end."""
        handle, queue = self.dispatcher.handle, self.queue
        now = 0
        self.hand_over(now)
        while queue:
            now, _, frame, segment = heappop(queue)
            if segment is None or self.perform(handle(SegmentFinished(frame, segment)), now):
                self.hand_over(now)
        return self.result(now)

    def hand_over(self, now: int) -> None:
        """Gives the dispatcher the frames that are there, as long as it would admit them.

        A frame that it would only queue stays outside: the order is the same, as the youngest
        frame comes last either way, and memory stays bounded.
        """
        while (
            self.next_frame < self.frames
            and self.dispatcher.outstanding < self.graph.frames_in_flight
        ):
            frame = self.next_frame
            arrival = frame * self.interval_ns if self.interval_ns else now
            if arrival > now:
                if self.expected < frame:
                    self.expected = frame
                    self.serial += 1
                    heappush(self.queue, (arrival, self.serial, frame, None))
                return
            self.next_frame += 1
            self.arrived_ns[frame] = arrival
            self.perform(self.dispatcher.handle(FrameArrived(frame)), now)

    def perform(self, commands: Sequence[Command], now: int) -> bool:
        """Does what the dispatcher says; whether a frame is done."""
        done = False
        for command in commands:
            if isinstance(command, FrameDone):
                self.finish(command, now)
                done = True
                continue
            if isinstance(command, Replan):
                self.replan(now)
                continue
            self.start(command, now)
        return done

    def start(self, command: Start, now: int) -> None:
        """A segment starts; its end is known."""
        end = now + self.durations_ns[command.lane][command.segment]
        self.serial += 1
        heappush(self.queue, (end, self.serial, command.frame, command.segment))
        self.note_span(command, now, end)

    def note_span(self, command: Start, now: int, end: int) -> None:
        """Keeps when something ran, where that is wanted."""
        if self.spans is not None:
            frame, lane, segment, _ = command
            node = self.graph.lanes[lane][segment]
            self.spans.append(
                Span(node.name, node.unit, node.devices, frame, lane, segment, now, end)
            )

    def replan(self, now: int) -> None:
        """Nothing fails here."""
        raise InternalError(f"simulate: told to plan again at {now} ns, when nothing has failed")

    def finish(self, command: FrameDone, now: int) -> None:
        """Counts a frame that is done."""
        latency_ns = now - self.arrived_ns.pop(command.frame)
        self.latency_sum_ns += latency_ns
        self.latency_high_ns = max(self.latency_high_ns, latency_ns)
        if self.latency_low_ns is None or latency_ns < self.latency_low_ns:
            self.latency_low_ns = latency_ns
        if self.first_done_ns is None:
            self.first_done_ns = now
        self.lane_frames[command.lane] += 1

    def result(self, now: int) -> Simulation:
        """Sums up, the last frame being done."""
        if self.first_done_ns is None or self.latency_low_ns is None:
            raise InternalError("simulate: no frame finished")
        busy_ns = dict.fromkeys(self.graph.devices, 0)
        for lane, nodes in enumerate(self.graph.lanes):
            for node, duration_ns in zip(nodes, self.durations_ns[lane], strict=True):
                for device in node.devices:
                    busy_ns[device] += duration_ns * self.lane_frames[lane]
        return Simulation(
            frames=self.frames,
            first_done_ns=self.first_done_ns,
            makespan_ns=now,
            latency=Latencies(
                self.latency_low_ns, self.latency_sum_ns / self.frames, self.latency_high_ns
            ),
            busy_ns=busy_ns,
            trace=None if self.spans is None else Trace("predicted", tuple(self.spans)),
        )
