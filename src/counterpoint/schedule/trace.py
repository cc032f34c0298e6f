"""Who ran what from when to when: predicted or measured, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TraceKind = Literal["predicted", "measured"]


@dataclass(frozen=True, slots=True)
class Span:
    """One run of one segment.

    Attributes:
        name: Of the segment.
        unit: Name of the compute unit.
        devices: Names of the devices that it occupied.
        frame: Number of the frame, from 0.
        lane: Index of the lane that the frame took.
        segment: Index of the segment in the lane.
        start_ns: When it began; the origin is the trace's own.
        end_ns: When it ended; not before ``start_ns``.
    """

    name: str
    unit: str
    devices: tuple[str, ...]
    frame: int
    lane: int
    segment: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that should not have happened, or what was done about it.

    Attributes:
        time_ns: When; the origin is the trace's own, and what happened before is negative.
        kind: ``compile``, ``run``, ``hang`` or ``wrong numbers``: a fault of ``unit``;
            ``replanned``: the network goes on on other units; ``unchecked``: spot checks are over.
        message: A sentence.
        unit: Name of the unit that is to blame; ``None`` where none is.
        frame: Number of the frame in which it showed; ``None`` outside of the trace's frames.
    """

    time_ns: int
    kind: str
    message: str
    unit: str | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Spans of one run.

    Attributes:
        kind: ``predicted`` by a simulation, or ``measured`` by a clock.
        spans: In order of ``start_ns``. Those of a run that failed are among them, and a frame
            that started again has some twice.
        incidents: In order of time.
    """

    kind: TraceKind
    spans: tuple[Span, ...]
    incidents: tuple[Incident, ...] = ()

    @property
    def start_ns(self) -> int:
        """When the first span began; 0 without spans."""
        return min((span.start_ns for span in self.spans), default=0)

    @property
    def makespan_ns(self) -> int:
        """From the first span's start to the last one's end; 0 without spans."""
        return max((span.end_ns for span in self.spans), default=0) - self.start_ns

    @property
    def busy_ns(self) -> Mapping[str, int]:
        """Time in spans of each device, in order of first use."""
        busy: dict[str, int] = {}
        for span in self.spans:
            for device in span.devices:
                busy[device] = busy.get(device, 0) + span.end_ns - span.start_ns
        return busy
