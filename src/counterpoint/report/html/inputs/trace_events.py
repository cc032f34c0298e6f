"""Traces as :func:`~counterpoint.schedule.perfetto.write_perfetto` wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from counterpoint.errors import ResultFileError
from counterpoint.schedule.trace import Span, Trace, TraceKind

_FROM_FILE: Mapping[str, object] = {"extra": "ignore", "strict": True}

_MAX_US = 2**63 / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventArgs:
    """What an event tells besides: of a name ``name``, of a span the others."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str | None = None
    unit: str | None = None
    frame: int | None = None
    lane: int | None = None
    segment: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A trace event: ``M`` names a process or a thread, ``X`` is a span; others are passed over."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    ph: str
    name: str
    pid: int
    tid: int
    ts: float = 0.0
    dur: float = 0.0
    args: EventArgs = EventArgs()

    def __post_init__(self) -> None:
        if not 0 <= self.ts <= _MAX_US or not 0 <= self.dur <= _MAX_US:
            raise ValueError("ts or dur is not between 0 and 2**63 ns")


@dataclass(frozen=True, slots=True)
class TraceFile:
    """What such a file holds."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    traceEvents: tuple[Event, ...]  # noqa: N815 - the format's own name


def traces_of(content: TraceFile, path: object) -> tuple[Trace, ...]:
    """A trace for each process of the file; one with equal times on several devices is one span.

    Raises:
        ResultFileError: Its processes are not those that Counterpoint writes.
    """
    kinds: dict[int, TraceKind] = {}
    devices: dict[tuple[int, int], str] = {}
    for event in content.traceEvents:
        if event.ph == "M" and event.name == "process_name":
            kinds[event.pid] = _kind(event.args.name, path)
        elif event.ph == "M" and event.name == "thread_name":
            devices[event.pid, event.tid] = event.args.name or str(event.tid)
    return tuple(
        Trace(
            kind, _spans((e for e in content.traceEvents if e.ph == "X" and e.pid == pid), devices)
        )
        for pid, kind in kinds.items()
    )


def _kind(name: str | None, path: object) -> Literal["predicted", "measured"]:
    if name == "predicted":
        return "predicted"
    if name == "measured":
        return "measured"
    raise ResultFileError(
        f"{path}: a trace of {str(name)[:60]!r} is none of Counterpoint's; those are written by "
        "--trace"
    )


def _spans(events: Iterable[Event], devices: Mapping[tuple[int, int], str]) -> tuple[Span, ...]:
    on: dict[tuple[int, int, int, float], tuple[Event, list[str]]] = {}
    for event in events:
        args = event.args
        key = (args.frame or 0, args.lane or 0, args.segment or 0, event.ts)
        device = devices.get((event.pid, event.tid), str(event.tid))
        on.setdefault(key, (event, []))[1].append(device)
    spans = [
        Span(
            event.name,
            event.args.unit or "",
            tuple(dict.fromkeys(names)),
            frame,
            lane,
            segment,
            round(event.ts * 1000),
            round((event.ts + event.dur) * 1000),
        )
        for (frame, lane, segment, _), (event, names) in on.items()
    ]
    return tuple(sorted(spans, key=lambda span: span.start_ns))
