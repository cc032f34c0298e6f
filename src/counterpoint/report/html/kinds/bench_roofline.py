"""Each layer against the measured roofline of its unit."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.bench.result import BenchResult, Bound, RooflinePoint
from counterpoint.report.html.content import Block, Choice, Column, Section, Table, Text
from counterpoint.report.html.figures.roofline import can_be_drawn, roofline_figure
from counterpoint.report.quantities import count, duration, factor, number, percent, size


def roofline_section(result: BenchResult) -> Section:
    """A figure and the share of each bound by unit and network; empty without points. What a unit
    did in a plan of several is apart from what it did alone.
    """
    groups: dict[tuple[str, str, str], list[RooflinePoint]] = {}
    for point in result.points:
        groups.setdefault((point.unit, _where(point), point.network), []).append(point)
    if not groups:
        return Section("Roofline", ())
    options = tuple(
        (f"{network} on {where}", _single(result, unit, points))
        for (unit, where, network), points in groups.items()
    )
    return Section("Roofline", (Choice("network and unit", options), _table(result.points)))


def _single(result: BenchResult, unit: str, points: Sequence[RooflinePoint]) -> tuple[Block, ...]:
    whole_ns = sum(point.time_ns for point in points)
    shares = [
        f"{bound} {percent(sum(p.time_ns for p in points if p.bound is bound) / whole_ns)}"
        for bound in Bound
        if whole_ns
    ]
    drawn = [point for point in points if can_be_drawn(point)]
    left = len(points) - len(drawn)
    peak = next((peak for peak in result.machine.peaks if peak.unit == unit), None)
    rate = None if peak is None else peak.operations_per_s
    said = f"Time by what bounds it: {', '.join(shares)}."
    if left:
        said += f" {left} layers without arithmetic are in the table only."
    if rate is None:
        said += " The unit's peak was not measured"
        said += f": {peak.reason}." if peak is not None and peak.reason else "."
    figure = roofline_figure(
        "Layers under the roof",
        drawn,
        rate,
        result.machine.copy_bytes_per_s,
        "The larger a mark, the longer the layer takes. On the line a layer is as fast as the "
        "unit's and the memory's measured peaks allow.",
    )
    return (Text(said), figure) if drawn else (Text(said),)


def _where(point: RooflinePoint) -> str:
    return point.unit if point.whose == point.unit else f"{point.unit} in {point.whose}"


def _table(points: Sequence[RooflinePoint]) -> Table:
    """Layers, what loses most first."""
    ordered = sorted(points, key=lambda point: point.roof_ns - point.time_ns)
    return Table(
        name="roofline",
        title="Layers, those that lose most against the roof first",
        columns=(
            Column("network", "network"),
            Column("unit", "unit"),
            Column("layer", "layer"),
            Column("layer_type", "type"),
            Column("bound", "bound"),
            Column("time_ns", "time", duration),
            Column("roof_ns", "roof", duration),
            Column("lost_ns", "lost", duration),
            Column("times_roof", "times the roof", factor),
            Column("operations", "operations", count),
            Column("moved_bytes", "moved", size),
            Column("operations_per_byte", "operations a byte", number),
        ),
        rows=tuple(
            (
                point.network,
                _where(point),
                point.layer,
                point.layer_type,
                point.bound,
                point.time_ns,
                point.roof_ns,
                point.time_ns - point.roof_ns,
                point.time_ns / point.roof_ns if point.roof_ns else None,
                point.operations,
                point.moved_bytes,
                point.operations / point.moved_bytes if point.moved_bytes else None,
            )
            for point in ordered
        ),
        folded=len(points) > 60,
    )
