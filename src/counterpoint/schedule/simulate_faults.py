"""Devices that fail in virtual time: the same dispatcher, and another graph for what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Literal

from counterpoint.errors import InternalError, NoUnitLeftError
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import (
    Command,
    DeviceFailed,
    FrameDone,
    Replan,
    Replanned,
    SegmentFinished,
)
from counterpoint.schedule.simulate import Durations, Simulation, Simulator
from counterpoint.schedule.trace import Incident, Span


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """A device that stops working.

    Attributes:
        device: Its name.
        at_ns: When, in virtual time; at least 0.
        noticed_after_ns: From then, or from the next start on that device, until somebody notices:
            0 for an error, the limit for a hang.
    """

    device: str
    at_ns: int
    noticed_after_ns: int = 0


ReplanGraph = Callable[[frozenset[str]], tuple[DispatchGraph, Durations] | str]
"""Given the names of the devices that have failed: how the others go on, or why they cannot."""


def simulate_with_faults(
    graph: DispatchGraph,
    durations_ns: Durations,
    frames: int,
    arrival_interval_ns: int = 0,
    *,
    faults: Sequence[DeviceFault],
    replan: ReplanGraph,
    replan_ns: int = 0,
    record: bool = True,
) -> Simulation:
    """Runs frames in virtual time while devices fail.

    Args:
        graph: What runs, and on which devices.
        durations_ns: Time of each segment of each lane, at least 0.
        frames: How many; at least 1.
        arrival_interval_ns: See :func:`counterpoint.schedule.simulate.simulate`.
        faults: At any times.
        replan: Asked once nothing runs any more.
        replan_ns: How long planning and compiling take.
        record: Keep every span. A run that failed ends when that was noticed.

    Raises:
        NoUnitLeftError: ``replan`` had a reason instead of a plan.
        InternalError: A number is out of range.
    """
    if frames < 1 or min([arrival_interval_ns, replan_ns]) < 0:
        raise InternalError("simulate: a negative time, or no frame")
    if any(fault.at_ns < 0 or fault.noticed_after_ns < 0 for fault in faults):
        raise InternalError("simulate: a device fails before the start")
    return _FaultySimulator(
        graph,
        durations_ns,
        frames,
        arrival_interval_ns,
        faults=faults,
        replan=replan,
        replan_ns=replan_ns,
        record=record,
    ).run()


@dataclass(slots=True)
class _Run:
    """A segment under way.

    Attributes:
        fault: Why it never finishes; ``None``: it will.
        place: Of its span in the trace.
    """

    frame: int
    segment: int
    devices: tuple[str, ...]
    unit: str
    start_ns: int
    place: int
    fault: DeviceFault | None = None


_Ends = tuple[Literal["ends"], _Run]
_Fails = tuple[Literal["fails"], _Run]
_Breaks = tuple[Literal["breaks"], DeviceFault]
_GoesOn = tuple[Literal["goes on"], None]


class _FaultySimulator(Simulator):
    """As its base, which keeps the arrivals in its queue; all else that will happen is here.

    Attributes:
        coming: Heap of ``(time, serial, what)``.
        running: By frame and segment.
        broken: By name of the device; those of ``noticed`` are known to have failed.
    """

    def __init__(
        self,
        graph: DispatchGraph,
        durations_ns: Durations,
        frames: int,
        interval_ns: int,
        *,
        faults: Sequence[DeviceFault],
        replan: ReplanGraph,
        replan_ns: int,
        record: bool,
    ) -> None:
        super().__init__(graph, durations_ns, frames, interval_ns, record)
        self.coming: list[tuple[int, int, _Ends | _Fails | _Breaks | _GoesOn]] = []
        self.running: dict[tuple[int, int], _Run] = {}
        self.broken: dict[str, DeviceFault] = {}
        self.noticed: dict[str, DeviceFault] = {}
        self.ask = replan
        self.replan_ns = replan_ns
        self.incidents: list[Incident] = []
        self.busy_ns = dict.fromkeys(graph.devices, 0)
        for fault in faults:
            self.schedule(fault.at_ns, ("breaks", fault))

    def schedule(self, time_ns: int, what: _Ends | _Fails | _Breaks | _GoesOn) -> None:
        """It will happen, after all else of that time that is known by now."""
        self.serial += 1
        heappush(self.coming, (time_ns, self.serial, what))

    def run(self) -> Simulation:
        """All frames; faults after the last one's end do not matter."""
        now = 0
        self.hand_over(now)
        while self.arrived_ns or self.next_frame < self.frames:
            if self.queue and (not self.coming or self.queue[0][:2] < self.coming[0][:2]):
                now = heappop(self.queue)[0]
                self.hand_over(now)
                continue
            now, _, what = heappop(self.coming)
            if self.happen(what, now):
                self.hand_over(now)
        made = replace(self.result(now), busy_ns=self.busy_ns)
        if made.trace is None:
            return made
        return replace(made, trace=replace(made.trace, incidents=tuple(self.incidents)))

    def happen(self, what: _Ends | _Fails | _Breaks | _GoesOn, now: int) -> bool:
        """Whether there may be room for a frame now."""
        if what[0] == "breaks":
            self.break_down(what[1], now)
            return False
        if what[0] == "goes on":
            return self.go_on(now)
        over = what[1]
        if what[0] == "ends":
            if over.fault is not None:
                return False  # it would have
            self.end(over, now)
            return self.perform(
                self.dispatcher.handle(SegmentFinished(over.frame, over.segment)), now
            )
        self.end(over, now)
        if over.fault is not None:
            self.noticed[over.fault.device] = over.fault
            kind = "hang" if over.fault.noticed_after_ns else "run"
            message = f"{over.fault.device} failed"
            self.incidents.append(Incident(now, kind, message, over.unit, over.frame))
        return self.perform(self.dispatcher.handle(DeviceFailed(over.frame, over.segment)), now)

    def break_down(self, fault: DeviceFault, now: int) -> None:
        """What runs there never finishes."""
        self.broken.setdefault(fault.device, fault)
        for under_way in self.running.values():
            if fault.device in under_way.devices and under_way.fault is None:
                under_way.fault = fault
                self.schedule(now + fault.noticed_after_ns, ("fails", under_way))

    def perform(self, commands: Sequence[Command], now: int) -> bool:
        """See the base; a segment that starts on a broken device fails."""
        done = False
        for command in commands:
            if isinstance(command, FrameDone):
                self.finish(command, now)
                done = True
                continue
            if isinstance(command, Replan):
                self.schedule(now + self.replan_ns, ("goes on", None))
                continue
            frame, lane, segment, devices = command
            node = self.graph.lanes[lane][segment]
            place = 0
            if self.spans is not None:
                place = len(self.spans)
                self.spans.append(
                    Span(node.name, node.unit, devices, frame, lane, segment, now, now)
                )
            started = _Run(frame, segment, devices, node.unit, now, place)
            self.running[frame, segment] = started
            faults = [self.broken[name] for name in devices if name in self.broken]
            if faults:
                started.fault = min(faults, key=lambda fault: fault.noticed_after_ns)
                self.schedule(now + started.fault.noticed_after_ns, ("fails", started))
            else:
                self.schedule(now + self.durations_ns[lane][segment], ("ends", started))
        return done

    def end(self, over: _Run, now: int) -> None:
        """A run is over, well or not."""
        del self.running[over.frame, over.segment]
        for device in over.devices:
            self.busy_ns[device] += now - over.start_ns
        if self.spans is not None:
            self.spans[over.place] = replace(self.spans[over.place], end_ns=now)

    def go_on(self, now: int) -> bool:
        """By the graph of what is left."""
        answer = self.ask(frozenset(self.noticed))
        if isinstance(answer, str):
            told = "; ".join(
                f"{fault.device} failed at {fault.at_ns} ns" for fault in self.noticed.values()
            )
            raise NoUnitLeftError(f"nothing is left to go on with: {told}; {answer}")
        self.graph, self.durations_ns = answer
        self.lane_frames = [0] * len(self.graph.lanes)
        for device in self.graph.devices:
            self.busy_ns.setdefault(device, 0)
        self.incidents.append(
            Incident(now, "replanned", f"going on without {', '.join(self.noticed)}")
        )
        self.perform(self.dispatcher.handle(Replanned(self.graph)), now)
        return True
