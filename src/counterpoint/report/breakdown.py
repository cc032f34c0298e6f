"""Where the time of runs goes: functions and types of layers side by side, layers below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType

from counterpoint.bench.breakdown.sums import LayerSum, by_function, by_layer, by_type
from counterpoint.bench.result import Breakdown, Function, Insight, RooflinePoint
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.insights import insight_tables, insights_body
from counterpoint.report.quantities import bytes_rate, duration, milliseconds, percent
from counterpoint.report.tables import add_row, table


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownReport:
    """What the verb ``breakdown`` found.

    Attributes:
        network: Name as given.
        breakdowns: One for each that ran.
        points: Layers against the roofline; empty without peaks.
        insights: Computed from both.
        copy_bytes_per_s: The memory's measured rate; ``None`` without peaks.
        left_out: Units that could not run it, and why.
    """

    network: str
    breakdowns: tuple[Breakdown, ...]
    points: tuple[RooflinePoint, ...] = ()
    insights: tuple[Insight, ...] = ()
    copy_bytes_per_s: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


def breakdown_document(report: BreakdownReport) -> Document:
    """For programs."""
    return document(
        "breakdown",
        {
            "network": report.network,
            "copy_bytes_per_s": report.copy_bytes_per_s,
            "breakdowns": [_breakdown(found) for found in report.breakdowns],
            "points": [
                {
                    "unit": point.unit,
                    "layer": point.layer,
                    "layer_type": point.layer_type,
                    "operations": point.operations,
                    "moved_bytes": point.moved_bytes,
                    "time_ns": point.time_ns,
                    "roof_ns": point.roof_ns,
                    "bound": str(point.bound),
                }
                for point in report.points
            ],
            "insights": insights_body(report.insights),
            "left_out": dict(report.left_out),
        },
    )


def breakdown_tables(report: BreakdownReport, limit: int | None = None) -> list[RenderableType]:
    """For people.

    Args:
        report: What was found.
        limit: Show at most so many layers of each run, the longest; ``None``: all.
    """
    shown: list[RenderableType] = [_functions(report), "", _types(report)]
    for found in report.breakdowns:
        shown += ["", *_layers(found, report.points, limit)]
    shown += ["", "How it is known", *_lines(report)]
    if report.insights:
        shown += ["", *insight_tables(report.insights)]
    return shown


def _functions(report: BreakdownReport) -> RenderableType:
    rows = table(f"{report.network}: where the time of a run goes", ["ms"], _names(report))
    sums = [by_function(found) for found in report.breakdowns]
    for function in Function:
        if any(function in own for own in sums):
            add_row(rows, function, *_cells(report, [own.get(function, 0) for own in sums]))
    add_row(rows, "the whole", *(duration(found.whole_ns) for found in report.breakdowns))
    threads = ["?" if b.threads is None else b.threads for b in report.breakdowns]
    add_row(rows, "threads", *threads)
    return rows


def _types(report: BreakdownReport) -> RenderableType:
    rows = table("The same by type of layer", ["ms"], _names(report))
    sums = [by_type(found) for found in report.breakdowns]
    kinds = dict.fromkeys(kind for own in sums for kind in own)
    for kind in kinds:
        add_row(rows, kind, *_cells(report, [own.get(kind, 0) for own in sums]))
    rest = [
        found.whole_ns - sum(own.values())
        for found, own in zip(report.breakdowns, sums, strict=True)
    ]
    add_row(rows, "in no layer", *_cells(report, rest))
    return rows


def _cells(report: BreakdownReport, times_ns: Sequence[int]) -> list[str]:
    return [
        f"{milliseconds(time_ns)} {percent(time_ns / max(1, found.whole_ns)):>7}"
        for time_ns, found in zip(times_ns, report.breakdowns, strict=True)
    ]


def _layers(
    found: Breakdown, points: Sequence[RooflinePoint], limit: int | None
) -> list[RenderableType]:
    """The layers of one run, in run order, with their distance from the roof where it is known."""
    layers = by_layer(found)
    kept = {layer.layer for layer in sorted(layers, key=_time, reverse=True)[:limit]}
    own = {
        point.layer: point
        for point in points
        if point.whose == found.contender.name
        and any(
            point.layer == layer.layer and point.layer_type == layer.layer_type for layer in layers
        )
    }
    title = f"{_name(found)}: layers"
    rows = table(
        title,
        ["layer", "type"],
        ["ms", "of the whole", "waiting", "roof ms", "of the roof", "bound"],
    )
    for layer in layers:
        if layer.layer not in kept:
            continue
        waited_ns = sum(
            layer.by_function.get(function, 0) for function in (Function.WAITING, Function.WAKE_UP)
        )
        point = own.get(layer.layer)
        roof = (
            (milliseconds(point.roof_ns), percent(point.roof_ns / max(1, point.time_ns)))
            if point is not None
            else ("", "")
        )
        add_row(
            rows,
            layer.layer,
            layer.layer_type,
            milliseconds(layer.time_ns),
            percent(layer.time_ns / max(1, found.whole_ns)),
            percent(waited_ns / max(1, layer.time_ns)),
            *roof,
            point.bound if point is not None else "",
        )
    hidden = len(layers) - len(kept)
    return [rows, *([f"and {hidden} shorter ones"] if hidden else [])]


def _lines(report: BreakdownReport) -> list[str]:
    lines = [line for found in report.breakdowns for line in found.instruments]
    if report.copy_bytes_per_s is not None:
        rate = bytes_rate(report.copy_bytes_per_s)
        lines.append(
            f"roofs: the units' own best rates on large convolutions, and {rate} of memory; above "
            "100 %: the layer's data came from the caches"
        )
    lines += [f"{unit} is left out: {reason}" for unit, reason in report.left_out.items()]
    return [f"- {line}" for line in dict.fromkeys(lines)]


def _names(report: BreakdownReport) -> list[str]:
    return [_name(found) for found in report.breakdowns]


def _name(found: Breakdown) -> str:
    return f"{found.contender.name}, {found.variant}" if found.variant else found.contender.name


def _time(layer: LayerSum) -> int:
    return layer.time_ns


def _breakdown(found: Breakdown) -> Mapping[str, JSON]:
    return {
        "contender": found.contender.name,
        "placement": found.contender.placement,
        "software": found.contender.software,
        "threads": found.threads,
        "variant": found.variant,
        "whole_ns": found.whole_ns,
        "by_function_ns": {str(key): value for key, value in by_function(found).items()},
        "by_type_ns": dict(by_type(found)),
        "parts": [
            {
                "function": str(part.function),
                "layer": part.layer,
                "layer_type": part.layer_type,
                "time_ns": part.time_ns,
            }
            for part in found.parts
        ],
        "instruments": list(found.instruments),
    }
