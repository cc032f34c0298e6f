"""The energy of a row: counted while its contender runs once more, or modelled if asked for."""

from __future__ import annotations

from collections.abc import Callable

from counterpoint.bench.energy.measuring import Idle, NoEnergy, measure_energy
from counterpoint.bench.energy.modelled import energy_by_power
from counterpoint.bench.energy.source import PowerSource
from counterpoint.bench.result import Energy, Row
from counterpoint.measure.sampling import Contender as Ready
from counterpoint.measure.sampling import WarmsUp

RowEnergy = Callable[[Row, Ready], "Energy | str"]
"""Energy of one image of a measured row, whose contender can be made ready; or why there is none.

Raises ``CounterpointError`` where the contender fails.
"""


def counted(source: PowerSource, idle: Idle) -> RowEnergy:
    """By a counter.

    Args:
        source: What counts.
        idle: What the machine draws by itself.
    """

    def energy(row: Row, ready: Ready) -> Energy | str:
        with ready() as run:
            if isinstance(run, WarmsUp):
                run.warm()
            else:
                run()
            found = measure_energy(source, run, images=row.images_per_sample, idle=idle)
        return found.reason if isinstance(found, NoEnergy) else found

    return energy


def by_power(power_mw: int) -> RowEnergy:
    """As measured time times a power that the user gives.

    Args:
        power_mw: Above idle, while a network runs.
    """

    def energy(row: Row, _: Ready) -> Energy | str:
        if row.average_ns is None:
            return "there is no time"
        return energy_by_power(row.average_ns, power_mw, "given")

    return energy
