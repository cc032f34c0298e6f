"""The report of traces: a timeline, how busy devices were, and predicted beside measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from counterpoint.report.html.content import (
    Block,
    Cell,
    Column,
    Facts,
    Finding,
    Findings,
    Report,
    Section,
    Table,
    Text,
    Tone,
)
from counterpoint.report.html.figures.timeline import first_frames, timeline
from counterpoint.report.quantities import duration, percent
from counterpoint.schedule.trace import Trace


def traces_report(traces: Sequence[Trace]) -> Report:
    """Predicted and measured ones stand one above the other."""
    filled = [trace for trace in traces if trace.spans]
    ordered = sorted(filled, key=lambda trace: trace.kind, reverse=True)
    if not ordered:
        empty = Section("Trace", (Text("No segment ran in this trace.", Tone.NOTICE),))
        return Report("Timeline", "an empty trace", (empty,))
    kinds = " over ".join(dict.fromkeys(trace.kind for trace in ordered))
    return Report(
        title="Timeline",
        subtitle=f"who ran what from when to when, {kinds}",
        sections=(
            Section("Trace", _timeline(ordered)),
            Section("Trace by segment", (_segments(ordered),)),
            Section("Incidents", _incidents(ordered)),
        ),
    )


def _timeline(traces: Sequence[Trace]) -> tuple[Block, ...]:
    cut = [first_frames(trace) for trace in traces]
    frames = min(shown for _, shown, _ in cut)
    shown = [
        Trace(
            trace.kind, tuple(span for span in trace.spans if span.frame in _first(trace, frames))
        )
        for trace, _, _ in cut
    ]
    most = max(total for _, _, total in cut)
    note = "Colours tell frames apart." if frames > 1 else "Colours tell segments apart."
    if most > frames:
        note += f" The first {frames} of {most} frames; the tables are of all."
    rows = [
        (
            f"{trace.kind}",
            f"{duration(trace.makespan_ns)} for {len({span.frame for span in trace.spans})} frames;"
            f" busy: "
            + ", ".join(
                f"{device} {percent(busy / trace.makespan_ns if trace.makespan_ns else None)}"
                for device, busy in trace.busy_ns.items()
            ),
        )
        for trace in traces
    ]
    return (Facts(tuple(rows)), timeline("Who ran what when", shown, note))


def _first(trace: Trace, frames: int) -> set[int]:
    return set(sorted({span.frame for span in trace.spans})[:frames])


def _segments(traces: Sequence[Trace]) -> Table:
    """Median times of each segment, predicted and measured."""
    times: dict[tuple[int, int, str, str], dict[str, list[int]]] = {}
    for trace in traces:
        for span in trace.spans:
            key = (span.lane, span.segment, span.name, span.unit)
            took = times.setdefault(key, {}).setdefault(trace.kind, [])
            took.append(span.end_ns - span.start_ns)
    rows: list[tuple[Cell, ...]] = []
    for (lane, segment, name, unit), by_kind in sorted(times.items()):
        predicted = _median(by_kind.get("predicted"))
        measured = _median(by_kind.get("measured"))
        off = predicted / measured - 1 if predicted is not None and measured else None
        runs = max(len(each) for each in by_kind.values())
        rows.append((lane, segment, name, unit, runs, predicted, measured, off))
    kinds = {trace.kind for trace in traces}
    columns = (
        Column("lane", "lane", str),
        Column("segment", "segment", str),
        Column("name", "layers"),
        Column("unit", "unit"),
        Column("runs", "runs", str),
        Column("predicted_ns", "predicted", duration),
        Column("measured_ns", "measured", duration),
        Column("prediction_error", "off by", percent),
    )
    left_out = {"predicted": (6, 7), "measured": (5, 7)}.get(next(iter(kinds)), ())
    kept = [i for i in range(len(columns)) if len(kinds) > 1 or i not in left_out]
    return Table(
        name="trace-segments",
        title="Segments, median times",
        columns=tuple(columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in rows),
    )


def _median(times_ns: Sequence[int] | None) -> int | None:
    return round(statistics.median(times_ns)) if times_ns else None


def _incidents(traces: Sequence[Trace]) -> tuple[Block, ...]:
    items = tuple(
        Finding(f"{incident.message} (at {duration(incident.time_ns)})", incident.kind, Tone.BAD)
        for trace in traces
        for incident in trace.incidents
    )
    return (Findings(items),) if items else ()
