"""What runs next: events in, commands out; no thread, clock, queue or log inside.

The rules:

* A frame takes a lane by smooth weighted round-robin of the lanes' shares. Where that lane has
  twins, lanes that do the same on other devices that are as fast, the one with the fewest frames
  under way takes it: devices alike are never quite as fast, and none shall wait for another.
* At most ``frames_in_flight`` frames are under way; the others wait in order of arrival.
* A segment starts as soon as its predecessors of the same frame have finished and all its devices
  are idle. Where several could, the frame that was admitted first goes first, and within a
  frame the segment that comes first in the lane.
* A device does one thing at a time.
* When a device fails, nothing starts any more. The frames under way go back to the head of those
  that wait, in their order, and start again by another graph once nothing runs.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple

from counterpoint.errors import InternalError
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode


class FrameArrived(NamedTuple):
    """Event: there is a frame to run. Its number is the caller's choice, once in a time."""

    frame: int


class SegmentFinished(NamedTuple):
    """Event: a started segment is done and its devices are idle."""

    frame: int
    segment: int


class DeviceFailed(NamedTuple):
    """Event: the devices of a running segment failed; it never finishes, and its run is over."""

    frame: int
    segment: int


class Replanned(NamedTuple):
    """Event: what is left goes on by this graph; the answer to :class:`Replan`."""

    graph: DispatchGraph


class Start(NamedTuple):
    """Command: run that segment of that lane for that frame, now."""

    frame: int
    lane: int
    segment: int
    devices: tuple[str, ...]


class FrameDone(NamedTuple):
    """Command: hand the frame's outputs over; its last segment has finished."""

    frame: int
    lane: int


class Replan(NamedTuple):
    """Command: say how to go on after a failure; nothing runs any more."""


Event = FrameArrived | SegmentFinished | DeviceFailed | Replanned
Command = Start | FrameDone | Replan

_READY, _RUNNING, _FINISHED = 0, -1, -2


class LaneRotation:
    """Smooth weighted round-robin: whose turn it is, spread as evenly as shares allow.

    Attributes:
        credits: For each lane what it is owed, in sums of shares. They add up to 0.
    """

    def __init__(self, shares: tuple[int, ...]) -> None:
        self._shares = shares
        self._total = sum(shares)
        self.credits = [0] * len(shares)

    def next(self) -> int:
        """Index of the lane for the next frame; the first one of those that are owed most."""
        owed = self.credits
        if len(owed) == 1:
            return 0
        for lane, share in enumerate(self._shares):
            owed[lane] += share
        chosen = owed.index(max(owed))
        owed[chosen] -= self._total
        return chosen


class _LaneTable:
    """A lane in the form in which an event reads it.

    Attributes:
        masks: For each segment the bits of its devices.
        groups: For each segment the index of its set of devices in ``Dispatcher._groups``.
        devices: For each segment the names of its devices.
        unmet: For each segment the number of its predecessors.
        successors: For each segment those that wait for it.
        sources: Segments that wait for nobody.
    """

    __slots__ = ("devices", "groups", "masks", "sources", "successors", "unmet")

    def __init__(
        self, nodes: tuple[SegmentNode, ...], bits: dict[str, int], groups: dict[int, int]
    ) -> None:
        self.masks = tuple(sum(bits[name] for name in node.devices) for node in nodes)
        self.groups = tuple(groups.setdefault(mask, len(groups)) for mask in self.masks)
        self.devices = tuple(node.devices for node in nodes)
        self.unmet = [len(set(node.predecessors)) for node in nodes]
        self.successors = tuple(
            tuple(later for later, node in enumerate(nodes) if index in node.predecessors)
            for index in range(len(nodes))
        )
        self.sources = tuple(index for index, count in enumerate(self.unmet) if not count)


class _Flight:
    """A frame under way.

    Attributes:
        serial: Position in the order of admission.
        state: For each segment: how many predecessors have not finished, if any; else ``_READY``,
            ``_RUNNING`` or ``_FINISHED``.
        left: Segments that have not finished; at least 1.
    """

    __slots__ = ("frame", "lane", "left", "serial", "state", "table")

    def __init__(self, frame: int, lane: int, serial: int, table: _LaneTable) -> None:
        self.frame = frame
        self.lane = lane
        self.serial = serial
        self.table = table
        self.state = table.unmet.copy()
        self.left = len(self.state)


class Dispatcher:
    """Decides; two drivers (:mod:`simulate`, :mod:`execute`) do.

    After each event these hold, and :meth:`check` verifies them:

    * ``_outstanding`` is the frames in ``_flights`` and in ``_waiting``, none twice.
    * ``_flights`` holds at most ``frames_in_flight`` frames, and as many when a frame waits.
    * ``_busy`` is the bits of the devices of all running segments, and no two of them share one.
    * ``_ready[g]`` is a heap of ``(serial, segment, flight)``: exactly the segments in state
      ``_READY`` whose set of devices is ``_groups[g]``.
    * No ready segment has all its devices idle.
    * From a failure until the new graph is there ``_limit`` is 0. ``_draining`` has the bits of
      what still runs of frames that will start again; it is empty at any other time.
    """

    def __init__(self, graph: DispatchGraph) -> None:
        self._rotation = LaneRotation(graph.shares)
        self._admitted = 0
        self._busy = 0
        self._waiting: deque[int] = deque()
        self._flights: dict[int, _Flight] = {}
        self._outstanding: set[int] = set()
        self._draining: dict[tuple[int, int], int] = {}
        self._go_by(graph)

    def _go_by(self, graph: DispatchGraph) -> None:
        bits = {name: 1 << index for index, name in enumerate(graph.devices)}
        groups: dict[int, int] = {}
        self._lanes = tuple(_LaneTable(nodes, bits, groups) for nodes in graph.lanes)
        self._groups = tuple(groups)
        self._ready: tuple[list[tuple[int, int, _Flight]], ...] = tuple([] for _ in groups)
        self._queues = tuple(zip(self._groups, self._ready, strict=True))
        self._rotation = LaneRotation(graph.shares)
        self._twins = graph.twins
        self._under_way = [0] * len(graph.lanes)
        self._limit = graph.frames_in_flight

    @property
    def outstanding(self) -> int:
        """Frames that arrived and are not done."""
        return len(self._outstanding)

    def handle(self, event: Event) -> list[Command]:
        """What to do now that this has happened, in this order.

        Raises:
            InternalError: The driver told what cannot be: a frame that is here already, the end of
                a segment that does not run, or a new graph that nobody asked for.
        """
        commands: list[Command] = []
        if isinstance(event, SegmentFinished):
            self._finish(event, commands)
        elif isinstance(event, FrameArrived):
            self._arrive(event.frame)
        elif isinstance(event, DeviceFailed):
            self._halt(event, commands)
        else:
            self._resume(event.graph)
        self._start_ready(commands)
        return commands

    def _arrive(self, frame: int) -> None:
        if frame in self._outstanding:
            raise InternalError(f"frame {frame} arrived twice")
        self._outstanding.add(frame)
        if len(self._flights) < self._limit:
            self._admit(frame)
        else:
            self._waiting.append(frame)

    def _admit(self, frame: int) -> None:
        lane = self._rotation.next()
        if self._twins:
            lane = min(self._twins[lane], key=lambda twin: (self._under_way[twin], twin != lane))
        self._under_way[lane] += 1
        table = self._lanes[lane]
        flight = _Flight(frame, lane, self._admitted, table)
        self._admitted += 1
        self._flights[frame] = flight
        for segment in table.sources:
            heappush(self._ready[table.groups[segment]], (flight.serial, segment, flight))

    def _finish(self, event: SegmentFinished, commands: list[Command]) -> None:
        frame, segment = event
        flight = self._flights.get(frame)
        if (
            flight is None
            or not 0 <= segment < len(flight.state)
            or flight.state[segment] != _RUNNING
        ):
            self._drain(frame, segment, commands)
            return
        state, table = flight.state, flight.table
        state[segment] = _FINISHED
        self._busy &= ~table.masks[segment]
        for later in table.successors[segment]:
            state[later] -= 1
            if state[later] == _READY:
                heappush(self._ready[table.groups[later]], (flight.serial, later, flight))
        flight.left -= 1
        if not flight.left:
            del self._flights[frame]
            self._outstanding.remove(frame)
            self._under_way[flight.lane] -= 1
            commands.append(FrameDone(frame, flight.lane))
            if self._waiting:
                self._admit(self._waiting.popleft())

    def _halt(self, event: DeviceFailed, commands: list[Command]) -> None:
        """Nothing is kept of the frames under way: what a failing device made may be wrong."""
        for flight in self._flights.values():
            for segment, state in enumerate(flight.state):
                if state == _RUNNING:
                    self._draining[flight.frame, segment] = flight.table.masks[segment]
        self._limit = 0
        for ready in self._ready:
            ready.clear()
        self._waiting.extendleft(reversed(self._flights))  # a dict keeps the order of admission
        self._flights.clear()
        self._drain(event.frame, event.segment, commands)

    def _drain(self, frame: int, segment: int, commands: list[Command]) -> None:
        """A run is over that its frame does not need any more."""
        if (frame, segment) not in self._draining:
            raise InternalError(f"segment {segment} of frame {frame} ended but does not run")
        self._busy &= ~self._draining.pop((frame, segment))
        if not self._draining:
            commands.append(Replan())

    def _resume(self, graph: DispatchGraph) -> None:
        if self._limit or self._draining:
            raise InternalError("a new graph, but nothing failed or something still runs")
        self._go_by(graph)
        while self._waiting and len(self._flights) < self._limit:
            self._admit(self._waiting.popleft())

    def _start_ready(self, commands: list[Command]) -> None:
        while True:
            first = None
            for devices, ready in self._queues:
                if ready and not devices & self._busy and (first is None or ready[0] < first[0]):
                    first = ready
            if first is None:
                return
            _, segment, flight = heappop(first)
            table = flight.table
            flight.state[segment] = _RUNNING
            self._busy |= table.masks[segment]
            commands.append(Start(flight.frame, flight.lane, segment, table.devices[segment]))

    def check(self) -> None:
        """Verifies the invariants above; for tests, as it looks at everything.

        Raises:
            InternalError: One does not hold.
        """
        frames = [*self._flights, *self._waiting]
        _demand(len(frames) == len(self._outstanding), "a frame is here twice")
        _demand(set(frames) == self._outstanding, "a frame is lost")
        _demand(len(self._flights) <= self._limit, "too many frames under way")
        _demand(not self._waiting or len(self._flights) == self._limit, "a frame waits for nobody")
        _demand(not sum(self._rotation.credits), "the lanes' credits do not add up to 0")
        _demand(not (self._limit and self._draining), "something runs for nobody")
        busy = sum(self._draining.values())
        ready: set[tuple[int, int]] = set()
        for flight in self._flights.values():
            self._check_flight(flight)
            for segment, state in enumerate(flight.state):
                mask = flight.table.masks[segment]
                if state == _RUNNING:
                    _demand(not busy & mask, "a device does two things at once")
                    busy |= mask
                elif state == _READY:
                    ready.add((flight.serial, segment))
                    _demand(bool(mask & self._busy), "a segment waits for idle devices")
        _demand(busy == self._busy, "busy devices are not those of the running segments")
        queued = [(entry[0], entry[1]) for heap in self._ready for entry in heap]
        _demand(len(queued) == len(ready) and set(queued) == ready, "the ready queues are wrong")

    @staticmethod
    def _check_flight(flight: _Flight) -> None:
        unmet = flight.table.unmet.copy()
        for segment, state in enumerate(flight.state):
            if state == _FINISHED:
                for later in flight.table.successors[segment]:
                    unmet[later] -= 1
        for state, count in zip(flight.state, unmet, strict=True):
            _demand(state == count if count else state <= _READY, "a segment's state is wrong")
        left = sum(state != _FINISHED for state in flight.state)
        _demand(flight.left == left > 0, "a frame's count of segments is wrong")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InternalError(f"dispatcher: {otherwise}")
