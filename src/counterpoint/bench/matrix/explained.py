"""Where the time of a network goes on the fastest unit of each engine, and in a mixed plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from counterpoint.bench.breakdown.measuring import breakdown_of
from counterpoint.bench.breakdown.roofline import roofline_points
from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.published import Explained
from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.matrix.unit_ways import UnitWays
from counterpoint.bench.result import (
    Breakdown,
    MachineDescription,
    Method,
    Metric,
    RooflinePoint,
    Row,
)
from counterpoint.errors import CounterpointError
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Plan

ATTEMPTS = 2
"""A bench has many runs to break down, and little time."""


def runs_worth_explaining(
    network: Network,
    *,
    ways: UnitWays,
    rows: Sequence[Row],
    plans: Mapping[str, Plan],
    site: Site,
) -> Iterator[Explained]:
    """The fastest unit of each engine, and plans of several segments.

    Args:
        network: With one image in a frame.
        ways: What units can do with it.
        rows: Measured, of this network.
        plans: By label; those of one segment are units again.
        site: Where.
    """
    fastest = _fastest_units(rows)
    for way in ways.ways:
        contender = ways.contender(way.unit)
        if contender.name in fastest:
            yield Explained(
                contender=contender, network=way.network, plan=way.plan, platform=site.platform
            )
    for row in rows:
        plan = plans.get(row.contender.name)
        if plan is not None and row.metric is Metric.LATENCY and len(plan.lanes[0].segments) > 1:
            yield Explained(
                contender=row.contender, network=network, plan=plan, platform=site.platform
            )


def explained(
    name: str,
    frame: Frame,
    runs: Iterable[Explained],
    *,
    site: Site,
    machine: MachineDescription,
    overheads_ns: Mapping[str, int],
    tell: Callable[[str], None],
) -> Iterator[Breakdown | RooflinePoint]:
    """Breakdowns with the points of their layers under the measured rooflines.

    Args:
        name: Of the network, as given.
        frame: An image.
        runs: What is broken down; nothing twice.
        site: Where.
        machine: With its peaks.
        overheads_ns: From :func:`counterpoint.bench.breakdown.roofline.node_overheads`.
        tell: Told why something has no breakdown.
    """
    told: set[tuple[str, str]] = set()
    for run in runs:
        if (run.contender.name, run.variant) in told:
            continue
        told.add((run.contender.name, run.variant))
        try:
            breakdown = breakdown_of(
                run.network,
                run.plan,
                site.engines,
                run.platform,
                name=name,
                contender=run.contender,
                variant=run.variant,
                frame=frame,
                attempts=ATTEMPTS,
            )
        except CounterpointError as error:
            tell(f"{name} on {run.contender.name} has no breakdown: {error}")
            continue
        yield breakdown
        yield from roofline_points(
            run.network,
            breakdown,
            run.plan,
            run.platform,
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
