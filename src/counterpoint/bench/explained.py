"""Where the time of a network goes on the fastest unit of each engine, and in a mixed plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from counterpoint.bench.breakdown import breakdown_of
from counterpoint.bench.entrants import Frame
from counterpoint.bench.result import (
    Breakdown,
    Contender,
    MachineDescription,
    Method,
    Metric,
    RooflinePoint,
    Row,
)
from counterpoint.bench.roofline import roofline_points
from counterpoint.bench.subject import Site
from counterpoint.bench.unit_ways import UnitWays
from counterpoint.errors import CounterpointError
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Plan


def explained(
    name: str,
    network: Network,
    frame: Frame,
    *,
    ways: UnitWays,
    rows: Sequence[Row],
    plans: Mapping[str, Plan],
    site: Site,
    machine: MachineDescription,
    overheads_ns: Mapping[str, int],
    tell: Callable[[str], None],
) -> Iterator[Breakdown | RooflinePoint]:
    """Breakdowns with the points of their layers under the measured rooflines.

    Args:
        name: Of the network, as given.
        network: With one image in a frame.
        frame: An image.
        ways: What units can do with it.
        rows: Measured, of this network.
        plans: By label; those of one segment are units again.
        site: Where.
        machine: With its peaks.
        overheads_ns: From :func:`counterpoint.bench.roofline.node_overheads`.
        tell: Told why something has no breakdown.
    """
    chosen: list[tuple[Contender, Network, Plan]] = []
    fastest = _fastest_units(rows)
    for way in ways.ways:
        contender = ways.contender(way.unit)
        if contender.name in fastest:
            chosen.append((contender, way.network, way.plan))
    for row in rows:
        plan = plans.get(row.contender.name)
        if plan is not None and row.metric is Metric.LATENCY and len(plan.lanes[0].segments) > 1:
            chosen.append((row.contender, network, plan))
    for contender, subject, plan in chosen:
        try:
            breakdown = breakdown_of(
                subject,
                plan,
                site.engines,
                site.platform,
                name=name,
                contender=contender,
                frame=frame,
            )
        except CounterpointError as error:
            tell(f"{name} on {contender.name} has no breakdown: {error}")
            continue
        yield breakdown
        yield from roofline_points(
            subject,
            breakdown,
            plan,
            site.platform,
            peaks=machine.peaks,
            copy_bytes_per_s=machine.copy_bytes_per_s,
            overheads_ns=overheads_ns,
        )


def _fastest_units(rows: Sequence[Row]) -> set[str]:
    """Of each engine the unit of least latency."""
    best: dict[str, Row] = {}
    for row in rows:
        taken_ns = row.average_ns
        if row.metric is not Metric.LATENCY or row.contender.method is not Method.UNIT:
            continue
        if taken_ns is None or row.failure is not None:
            continue
        known = best.get(row.contender.software)
        if known is None or taken_ns < (known.average_ns or 0):
            best[row.contender.software] = row
    return {row.contender.name for row in best.values()}
