"""What an exploration found: tables for people, a document for programs, and a CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import RenderableType

from counterpoint.explore.explanation import Explanation, LayerRow
from counterpoint.explore.findings import Findings, Point, cores_text
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.quantities import UNKNOWN, count, factor, number, percent
from counterpoint.report.tables import add_row, facts, table

FRONT_ROWS = 12

_CSV_HEADINGS = (
    "cores",
    "core_count",
    "dram_bytes_per_cycle",
    "area",
    "multipliers",
    "interval_cycles",
    "images_per_s",
    "pe_efficiency",
)


def exploration_document(findings: Findings, explanation: Explanation | None) -> Document:
    """For programs."""
    space = findings.space
    return document(
        "exploration",
        {
            "networks": [
                {"name": network.name, "images": images, "macs": network.macs}
                for network, images in zip(
                    findings.workload.networks, findings.workload.images, strict=True
                )
            ],
            "method": findings.method,
            "area_unit": space.area_unit,
            "budget": space.budget,
            "designs": findings.design_count,
            "tried": findings.tried_count,
            "bounds": findings.bound_count,
            "best": [None if point is None else _point(point) for point in findings.best()],
            "front": [_point(point) for point in findings.front()],
            "explanation": None if explanation is None else explanation_content(explanation),
        },
    )


def exploration_tables(
    findings: Findings, explanation: Explanation | None, *, layers: int | None = None
) -> list[RenderableType]:
    """For people.

    Args:
        findings: What was found.
        explanation: Of the best design; ``None`` where there is none.
        layers: Show at most so many; ``None``: all.
    """
    space = findings.space
    tried = f"{findings.tried_count:,} computed"
    if findings.method == "bound":
        tried += f", all others ruled out by {findings.bound_count:,} bounds"
    heading = facts(
        [
            ("networks", findings.workload.name),
            ("area", f"at most {space.budget} {space.area_unit}"),
            ("designs", f"{findings.design_count:,}, {tried}"),
        ]
    )
    parts: list[RenderableType] = [heading, "", _best_table(findings), ""]
    if explanation is None:
        return [*parts, "no design of this space runs every layer: allow more area or buffers"]
    front = findings.front()
    shown = front[:: max(1, len(front) // FRONT_ROWS)]
    rows = _point_table(f"front: {len(shown)} of {len(front)} designs", shown, space.area_unit)
    return [*parts, *explanation_tables(explanation, layers=layers), "", rows]


def explanation_tables(
    explanation: Explanation, *, layers: int | None = None
) -> list[RenderableType]:
    """A design's schedules, and where its cycles go."""
    made = explanation.schedules
    schedules = table("schedules, mean cycles between frames", ("schedule",), ("cycles", "gain"))
    rows = (
        (_reference_name(explanation), explanation.reference_interval),
        ("paper's way, whole layers", made.unbalanced),
        ("paper's way, balanced by rows", made.published),
        ("our lanes, whole layers", made.lanes),
        ("bound of all schedules of whole layers", made.bound),
        ("bound with layers split by rows", made.split_bound),
    )
    for name, cycles in rows:
        if cycles is not None:
            gain = explanation.reference_interval and explanation.reference_interval / cycles
            add_row(schedules, name, f"{cycles:,.0f}", factor(gain or None))
    names = [core.kind.name.lower() for core in explanation.design.cores]
    headings = [f"{name} {place}" for place, name in enumerate(names, start=1)]
    busy = ", ".join(
        f"{name} {percent(cycles / made.bound)}"
        for name, cycles in zip((*headings, "memory"), explanation.busy, strict=True)
    )
    cells = table(
        "where the cycles go",
        ("layer", "kind"),
        ("MACs", "single", *headings, *(f"part on {name}" for name in headings), "efficiency"),
    )
    shown = explanation.layers[:layers]
    for row in shown:
        add_row(cells, row.name, row.kind, *_layer_cells(row))
    left = len(explanation.layers) - len(shown)
    more = [f"and {left} more layers"] if left else []
    return [schedules, "", f"busy: {busy}", "", *([cells] if shown else []), *more]


def write_csv(findings: Findings, stream: TextIO) -> None:
    """All designs that were tried, best first for each number of cores."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV_HEADINGS)
    for point in findings.points():
        writer.writerow(
            (
                point.cores_text,
                len(point.design.cores),
                point.design.dram_bytes_per_cycle,
                point.area,
                point.multipliers,
                point.interval_cycles,
                f"{point.images_per_s:.6g}",
                f"{point.efficiency:.6g}",
            )
        )


def explanation_content(explanation: Explanation) -> dict[str, JSON]:
    """A design's schedules and layers for programs."""
    made = explanation.schedules
    return {
        "cores": [
            {"kind": core.kind.name.lower(), "elements": core.elements, "inputs": core.inputs}
            for core in explanation.design.cores
        ],
        "dram_bytes_per_cycle": explanation.design.dram_bytes_per_cycle,
        "reference_cycles": explanation.reference_interval,
        "busy_cycles": list(explanation.busy),
        "schedules": {
            "bound_cycles": made.bound,
            "lanes_cycles": made.lanes,
            "split_bound_cycles": made.split_bound,
            "published_cycles": made.published,
            "published_unbalanced_cycles": made.unbalanced,
        },
        "layers": [
            {
                "network": row.network,
                "name": row.name,
                "kind": row.kind,
                "macs": row.macs,
                "reference_cycles": row.reference_cycles,
                "cycles": list(row.cycles),
                "memory_cycles": list(row.memory_cycles),
                "parts": list(row.parts),
                "efficiency": row.efficiency,
            }
            for row in explanation.layers
        ],
    }


def _reference_name(explanation: Explanation) -> str:
    reference = explanation.reference
    return "" if reference is None else f"published single core, {cores_text(reference.cores)}"


def _best_table(findings: Findings) -> RenderableType:
    found = [point for point in findings.best() if point is not None]
    return _point_table("best by number of cores", found, findings.space.area_unit)


def _point_table(title: str, points: Sequence[Point], area_unit: str) -> RenderableType:
    made = table(
        title,
        ("cores, elements x inputs",),
        ("DRAM B/cycle", area_unit, "multipliers", "cycles", "images/s", "PE efficiency"),
    )
    for point in points:
        add_row(made, point.cores_text, *_point_cells(point))
    return made


def _point_cells(point: Point) -> Iterable[str]:
    return (
        str(point.design.dram_bytes_per_cycle),
        str(point.area),
        str(point.multipliers),
        f"{point.interval_cycles:,}",
        number(point.images_per_s),
        percent(point.efficiency),
    )


def _layer_cells(row: LayerRow) -> Iterable[str]:
    def cycles(value: int | None) -> str:
        return UNKNOWN if value is None else f"{value:,}"

    return (
        count(row.macs),
        cycles(row.reference_cycles),
        *(cycles(value) for value in row.cycles),
        *(percent(part) if part else "" for part in row.parts),
        percent(row.efficiency),
    )


def _point(point: Point) -> dict[str, JSON]:
    return {
        "cores": [
            {"kind": core.kind.name.lower(), "elements": core.elements, "inputs": core.inputs}
            for core in point.design.cores
        ],
        "dram_bytes_per_cycle": point.design.dram_bytes_per_cycle,
        "area": point.area,
        "multipliers": point.multipliers,
        "interval_cycles": point.interval_cycles,
        "images_per_s": point.images_per_s,
        "pe_efficiency": point.efficiency,
    }
