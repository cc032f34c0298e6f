"""The report of an exploration of designs, and of one design explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoint.report.html.content import (
    Block,
    Cell,
    Column,
    Facts,
    Report,
    Section,
    Table,
    Text,
    Tone,
)
from counterpoint.report.html.figures.bars import Bar, ranked_bars
from counterpoint.report.html.figures.scatter import Mark, front
from counterpoint.report.html.inputs.documents import (
    DesignCore,
    DesignDocument,
    DesignPoint,
    ExplorationDocument,
)
from counterpoint.report.quantities import count, number, percent

_SCHEDULES: Mapping[str, str] = {
    "published_unbalanced_cycles": "paper's way, whole layers",
    "published_cycles": "paper's way, balanced by rows",
    "lanes_cycles": "our lanes, whole layers",
    "bound_cycles": "bound of whole layers",
    "split_bound_cycles": "bound with layers split by rows",
}


def exploration_report(found: ExplorationDocument) -> Report:
    """Front, best designs, and the best one explained."""
    names = " + ".join(
        network.name if network.images == 1 else f"{network.images} x {network.name}"
        for network in found.networks
    )
    facts = Facts(
        (
            ("networks", names),
            ("area", f"at most {found.budget:g} {found.area_unit}"),
            ("designs", f"{found.designs:,}, {found.tried:,} computed"),
            ("method", found.method),
        )
    )
    if found.explanation is None or not found.front:
        none = Text("No design of this space runs every layer.", Tone.BAD)
        return Report(f"Designs for {names}", "none", (Section("Designs", (facts, none)),))
    best = [point for point in found.best if point is not None]
    return Report(
        title=f"Designs for {names}",
        subtitle=f"{len(found.front)} on the front; modelled, not measured",
        sections=(
            Section(
                "Designs",
                (
                    facts,
                    _figure(found),
                    _points("best", "Best by number of cores", best, found.area_unit),
                    _points("front", "Front", found.front, found.area_unit, folded=True),
                ),
            ),
            *_design_sections(found.explanation),
        ),
    )


def design_report(found: DesignDocument) -> Report:
    """One design."""
    return Report(
        cores_text(found.cores), "a design, modelled and not measured", _design_sections(found)
    )


def cores_text(cores: Sequence[DesignCore]) -> str:
    """``convolution 128x10 + depthwise 56x18``, as elements x inputs."""
    return " + ".join(f"{core.kind} {core.elements}x{core.inputs}" for core in cores)


def _figure(found: ExplorationDocument) -> Block:
    marks = [
        Mark(
            point.area,
            point.images_per_s,
            (
                cores_text(point.cores),
                f"{number(point.images_per_s)} images/s, PE efficiency "
                f"{percent(point.pe_efficiency)}",
                f"{point.area} {found.area_unit}",
            ),
            shade=100 * point.pe_efficiency,
            kind=f"{len(point.cores)} core{'s' if len(point.cores) > 1 else ''}",
        )
        for point in found.front
    ]
    return front(
        "Throughput over area",
        marks,
        x=found.area_unit,
        y="images/s",
        shade="PE efficiency, %",
        note="Modelled, not measured.",
    )


def _points(
    name: str, title: str, points: Sequence[DesignPoint], area_unit: str, *, folded: bool = False
) -> Table:
    return Table(
        name=name,
        title=title,
        columns=(
            Column("cores", "cores, elements x inputs"),
            Column("dram_bytes_per_cycle", "DRAM B/cycle", str),
            Column("area", area_unit, str),
            Column("multipliers", "multipliers", str),
            Column("interval_cycles", "cycles", _grouped),
            Column("images_per_s", "images/s", number),
            Column("pe_efficiency", "PE efficiency", percent),
        ),
        rows=tuple(
            (
                cores_text(point.cores),
                point.dram_bytes_per_cycle,
                point.area,
                point.multipliers,
                point.interval_cycles,
                point.images_per_s,
                point.pe_efficiency,
            )
            for point in points
        ),
        folded=folded,
    )


def _grouped(value: float) -> str:
    return f"{value:,.0f}"


def _design_sections(found: DesignDocument) -> tuple[Section, ...]:
    known: list[tuple[str, float]] = [
        (title, cycles)
        for key, title in _SCHEDULES.items()
        if (cycles := found.schedules.get(key)) is not None
    ]
    if found.reference_cycles is not None:
        known.insert(0, ("published single core", found.reference_cycles))
    bars = [
        Bar(index, cycles, told=(title, f"{cycles:,.0f} cycles"))
        for index, (title, cycles) in enumerate(known)
    ]
    schedules = ranked_bars(
        "Schedules, mean cycles between frames",
        [title for title, _ in known],
        bars,
        "cycles",
        chosen="our lanes, whole layers",
    )
    return (Section(f"Best design: {cores_text(found.cores)}", (schedules, _layer_table(found))),)


def _layer_table(found: DesignDocument) -> Table:
    cores = [f"{core.kind} {place}" for place, core in enumerate(found.cores, start=1)]
    rows: list[tuple[Cell, ...]] = [
        (
            row.network,
            row.name,
            row.kind,
            row.macs,
            row.reference_cycles,
            *_filled(row.cycles, len(cores)),
            *_filled(row.parts, len(cores)),
            row.efficiency,
        )
        for row in found.layers
    ]
    return Table(
        name="design-layers",
        title="Where the cycles go",
        columns=(
            Column("network", "network"),
            Column("layer", "layer"),
            Column("kind", "kind"),
            Column("macs", "MACs", count),
            Column("reference_cycles", "single", _grouped),
            *(Column(f"cycles_{place}", core, _grouped) for place, core in enumerate(cores, 1)),
            *(
                Column(f"part_{place}", f"part on {core}", percent)
                for place, core in enumerate(cores, 1)
            ),
            Column("efficiency", "efficiency", percent),
        ),
        rows=tuple(rows),
        folded=len(rows) > 60,
    )


def _filled(values: Sequence[float | None], length: int) -> tuple[float | None, ...]:
    """As many as there are columns, whatever the file holds."""
    return (*values, *(None,) * length)[:length]
