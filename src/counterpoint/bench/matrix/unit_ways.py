"""Every way of running a whole network on one compute unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.failed_rows import failed_row
from counterpoint.bench.matrix.subject import Site, in_int8
from counterpoint.bench.result import Contender, Method, Metric, Row
from counterpoint.errors import CounterpointError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.progress import Progress

QUANTISED = "int8 wherever a layer has such a form; accuracy not looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWay:
    """A network on one unit.

    Attributes:
        unit: Which.
        network: What it runs: the network, or its quantised copy.
        plan: All of it on the unit.
        note: What is unlike the others.
    """

    unit: ComputeUnit
    network: Network
    plan: Plan
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWays:
    """What units can do with a network.

    Attributes:
        site: Where.
        ways: That can be tried.
        refused: Units that cannot, and why.
    """

    site: Site
    ways: tuple[UnitWay, ...] = ()
    refused: tuple[tuple[ComputeUnit, str], ...] = ()

    def contender(self, unit: ComputeUnit) -> Contender:
        """The unit as a contender."""
        software = f"{unit.engine} {self.site.engines[unit.engine].version()}"
        platform = self.site.platform.name
        return Contender(unit.name, Method.UNIT, unit.precision, software, platform=platform)

    def refused_rows(self, network: str, metric: Metric) -> list[Row]:
        """A row for each unit that cannot."""
        return [
            failed_row(network, metric, self.contender(unit), reason)
            for unit, reason in self.refused
        ]


def unit_ways(
    network: Network,
    site: Site,
    precisions: Sequence[str],
    frames: Sequence[Frame],
    progress: Progress,
) -> UnitWays:
    """Tries every unit of the machine; where int8 is asked for, on a quantised copy too.

    Args:
        network: As loaded.
        site: Where.
        precisions: What units may compute in.
        frames: For the ranges of the copy.
        progress: Told of the calibration.
    """
    ways: list[UnitWay] = []
    refused: list[tuple[ComputeUnit, str]] = []

    def add(subject: Network, units: Sequence[ComputeUnit], note: str | None = None) -> None:
        for unit in units:
            try:
                plan = plan_on_unit(subject, site.platform, site.engines, unit.name)
            except CounterpointError as error:
                refused.append((unit, str(error)))
            else:
                ways.append(UnitWay(unit=unit, network=subject, plan=plan, note=note))

    add(network, site.units(network, precisions))
    int8_units = site.int8_units()
    if "int8" in precisions and not network.is_quantised and int8_units:
        try:
            add(in_int8(network, frames, progress), int8_units, QUANTISED)
        except CounterpointError as error:
            refused += [(unit, str(error)) for unit in int8_units]
    return UnitWays(site=site, ways=tuple(ways), refused=tuple(refused))
