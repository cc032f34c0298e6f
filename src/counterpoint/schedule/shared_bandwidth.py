"""The simulator for segments that slow each other down over a shared memory.

Like :func:`simulate`, with one difference: a segment's duration is work, done at a rate that
changes whenever another segment starts or ends. Between two such events nothing changes, so that
the loop stays one of discrete events; the plain simulator pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop
from math import ceil

from counterpoint.costs.models.contention import Load, SharedMemory
from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import SegmentFinished, Start
from counterpoint.schedule.simulate import Durations, Simulation, Simulator

Demands = Sequence[Sequence[float]]
"""GB/s that each segment of each lane moves to and from the shared memory when it runs alone."""

_ROUNDING = 1e-6
"""Nanoseconds by which work that is left may miss a whole number and still count as that."""


def simulate_shared(
    graph: DispatchGraph,
    durations_ns: Durations,
    demands_gb_per_s: Demands,
    memory: SharedMemory,
    frames: int,
    *,
    arrival_interval_ns: int = 0,
    record: bool = True,
) -> Simulation:
    """Runs frames in virtual time over a shared memory.

    Args:
        graph: As :func:`simulate` takes it.
        durations_ns: Time of each segment of each lane when it runs alone.
        demands_gb_per_s: What each moves meanwhile, at least 0.
        memory: Who slows whom down.
        frames: How many; at least 1.
        arrival_interval_ns: As for :func:`simulate`.
        record: Keep every span.

    Raises:
        InternalError: Durations or demands are not those of the graph, or out of range.
    """
    return _SharedSimulator(
        graph,
        durations_ns,
        frames,
        arrival_interval_ns,
        demands=demands_gb_per_s,
        memory=memory,
        record=record,
    ).run()


@dataclass(slots=True)
class _Running:
    """A segment under way.

    Attributes:
        left_ns: What it would still take alone, as of the last event.
        slow_down: Until the next event.
        end_ns: When it ends if nothing changes.
        place: Of its span in the trace, which is in order of the starts.
    """

    frame: int
    lane: int
    segment: int
    serial: int
    start_ns: int
    left_ns: float
    place: int
    slow_down: float = 1.0
    end_ns: int = 0


class _SharedSimulator(Simulator):
    """As its base, which keeps the arrivals in its queue; running segments are kept here."""

    def __init__(
        self,
        graph: DispatchGraph,
        durations_ns: Durations,
        frames: int,
        interval_ns: int,
        *,
        demands: Demands,
        memory: SharedMemory,
        record: bool,
    ) -> None:
        super().__init__(graph, durations_ns, frames, interval_ns, record)
        shape = [len(lane) for lane in graph.lanes]
        if [len(row) for row in demands] != shape or any(min(row) < 0 for row in demands):
            raise InternalError("simulate: one demand, not negative, for each segment expected")
        self.demands = demands
        self.memory = memory
        self.running: list[_Running] = []
        self.busy_ns = dict.fromkeys(graph.devices, 0)

    def run(self) -> Simulation:
        now = 0
        self.hand_over(now)
        self.set_rates(now)
        while self.running or self.queue:
            first = min(self.running, key=lambda r: (r.end_ns, r.serial), default=None)
            if first is None or (self.queue and self.queue[0][:2] < (first.end_ns, first.serial)):
                after = heappop(self.queue)[0]
                self.advance(now, after)
                now = after
                self.hand_over(now)
            else:
                self.advance(now, first.end_ns)
                now = first.end_ns
                if self.end(first, now):
                    self.hand_over(now)
            self.set_rates(now)
        return replace(self.result(now), busy_ns=self.busy_ns)

    def start(self, command: Start, now: int) -> None:
        """A segment starts; when it ends, what else runs decides."""
        frame, lane, segment, _ = command
        self.serial += 1
        work = float(self.durations_ns[lane][segment])
        place = 0 if self.spans is None else len(self.spans)
        self.note_span(command, now, now)
        self.running.append(_Running(frame, lane, segment, self.serial, now, work, place))

    def end(self, over: _Running, now: int) -> bool:
        """A segment has ended; whether its frame is done with it."""
        self.running.remove(over)
        node = self.graph.lanes[over.lane][over.segment]
        for device in node.devices:
            self.busy_ns[device] += now - over.start_ns
        if self.spans is not None:
            self.spans[over.place] = replace(self.spans[over.place], end_ns=now)
        return self.perform(self.dispatcher.handle(SegmentFinished(over.frame, over.segment)), now)

    def advance(self, before: int, after: int) -> None:
        """Does the work of the time between two events."""
        for under_way in self.running:
            done = (after - before) / under_way.slow_down
            under_way.left_ns = max(0.0, under_way.left_ns - done)

    def set_rates(self, now: int) -> None:
        """Rates and ends for those that run now."""
        loads = [
            Load(self.graph.lanes[r.lane][r.segment].devices, self.demands[r.lane][r.segment])
            for r in self.running
        ]
        for under_way, slow_down in zip(self.running, self.memory.slow_downs(loads), strict=True):
            under_way.slow_down = slow_down
            under_way.end_ns = now + ceil(under_way.left_ns * slow_down - _ROUNDING)
