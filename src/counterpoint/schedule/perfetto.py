"""Traces as Chrome's JSON trace events, which Perfetto (ui.perfetto.dev) opens.

The format: "Trace Event Format", Google, 2016. Times are microseconds. A trace becomes a process, a
device a thread, and the way of a frame from span to span a flow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from counterpoint.schedule.atomic_file import atomic_file
from counterpoint.schedule.trace import Incident, Span, Trace

_Event = dict[str, Any]


def write_perfetto(path: Path, traces: Sequence[Trace]) -> None:
    """Writes traces side by side, each from its own start; the file is whole or not there.

    Raises:
        MachineError: The file cannot be written.
    """
    with atomic_file(path) as stream:
        stream.write('{"displayTimeUnit": "ms", "traceEvents": [')
        separator = "\n"
        for process, trace in enumerate(traces, start=1):
            for event in _events(process, trace):
                stream.write(separator + json.dumps(event))
                separator = ",\n"
        stream.write("\n]}\n")


def _events(process: int, trace: Trace) -> Iterator[_Event]:
    threads = {device: index for index, device in enumerate(trace.busy_ns, start=1)}
    yield _name("process_name", trace.kind, process)
    for device, thread in threads.items():
        yield _name("thread_name", device, process, thread)
    ways: dict[int, list[Span]] = {}
    for span in trace.spans:
        ways.setdefault(span.frame, []).append(span)
        for device in span.devices:
            yield _slice(span, process, threads[device], trace.start_ns)
    for incident in trace.incidents:
        yield _instant(incident, process, trace.start_ns)
    for frame, spans in ways.items():
        if len(spans) > 1:
            yield from _flow(process << 32 | frame, spans, process, threads, trace.start_ns)


def _name(what: str, name: str, process: int, thread: int = 0) -> _Event:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _slice(span: Span, process: int, thread: int, origin_ns: int) -> _Event:
    return {
        "ph": "X",
        "name": span.name,
        "cat": span.unit,
        "pid": process,
        "tid": thread,
        "ts": (span.start_ns - origin_ns) / 1000,
        "dur": (span.end_ns - span.start_ns) / 1000,
        "args": {
            "unit": span.unit,
            "frame": span.frame,
            "lane": span.lane,
            "segment": span.segment,
        },
    }


def _instant(incident: Incident, process: int, origin_ns: int) -> _Event:
    """A mark across the whole process."""
    return {
        "ph": "i",
        "s": "p",
        "name": incident.message,
        "cat": incident.kind,
        "pid": process,
        "tid": 0,
        "ts": max(0, incident.time_ns - origin_ns) / 1000,
        "args": {"unit": incident.unit, "frame": incident.frame},
    }


def _flow(
    flow: int, spans: Sequence[Span], process: int, threads: dict[str, int], origin_ns: int
) -> Iterator[_Event]:
    """Arrows from span to span; an arrow's end belongs to the slice that encloses its time."""
    for index, span in enumerate(spans):
        phase = "s" if index == 0 else "f" if index == len(spans) - 1 else "t"
        middle_ns = (span.start_ns + span.end_ns) // 2 - origin_ns
        event: _Event = {
            "ph": phase,
            "name": "frame",
            "cat": "frame",
            "id": flow,
            "pid": process,
            "tid": threads[span.devices[0]],
            "ts": middle_ns / 1000,
        }
        if phase == "f":
            event["bp"] = "e"
        yield event
