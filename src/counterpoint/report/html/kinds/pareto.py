"""The report of a front of plans: latency, throughput and energy, of which the user chooses."""

from __future__ import annotations

from counterpoint.report.html.content import Cell, Column, Report, Section, Table, Text, Tone
from counterpoint.report.html.figures.scatter import Mark, front
from counterpoint.report.html.inputs.documents import FrontPlan, ParetoDocument
from counterpoint.report.quantities import duration, energy, number


def pareto_report(found: ParetoDocument) -> Report:
    """The drawing and the plans, or why there are none."""
    title = f"{found.network}: plans of which none is better in everything"
    if found.reason is not None or not found.points:
        reason = Text(f"No plan: {found.reason or 'the front is empty'}", Tone.BAD)
        return Report(title, "no plan", (Section("Front", (reason,)),))
    marks = [
        Mark(
            point.latency_ns / 1e6,
            point.energy_pj / 1e9,
            (
                f"plan {index}: {units_text(point)}",
                f"latency {duration(point.latency_ns)}, {number(_rate(point))} frames/s",
                f"{energy(point.energy_pj)} a frame",
            ),
            shade=_rate(point),
        )
        for index, point in enumerate(found.points)
    ]
    rows: list[tuple[Cell, ...]] = [
        (index, units_text(point), point.latency_ns, _rate(point), point.energy_pj)
        for index, point in enumerate(found.points)
    ]
    table = Table(
        name="front",
        title="Plans",
        columns=(
            Column("plan", "--pick", str),
            Column("units", "units"),
            Column("latency_ns", "latency", duration),
            Column("frames_per_s", "frames/s", number),
            Column("energy_pj", "energy a frame", energy),
        ),
        rows=tuple(rows),
    )
    figure = front(
        "Energy over latency",
        marks,
        x="latency, ms",
        y="energy a frame, mJ",
        shade="frames/s",
        note="Throughput and energy are of many frames under way. Modelled, not measured here.",
    )
    subtitle = f"{len(found.points)} plans"
    return Report(title, subtitle, (Section("Front", (figure, table)),))


def _rate(point: FrontPlan) -> float | None:
    return 1e9 / point.interval_ns if point.interval_ns else None


def units_text(point: FrontPlan) -> str:
    """The units of each lane in order of their first use, and how often it is taken."""
    frames = sum(lane.share for lane in point.lanes)
    lanes = []
    for lane in point.lanes:
        units = " > ".join(dict.fromkeys(segment.unit for segment in lane.segments))
        lanes.append(units if len(point.lanes) == 1 else f"{lane.share}/{frames} {units}")
    return "; ".join(lanes)
