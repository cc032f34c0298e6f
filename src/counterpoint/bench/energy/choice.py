"""Which power source a user means."""

from __future__ import annotations

from pathlib import Path

from counterpoint.bench.energy.hwmon import hwmon_source
from counterpoint.bench.energy.measuring import NoEnergy
from counterpoint.bench.energy.meter import MeterFile
from counterpoint.bench.energy.source import PowerSource
from counterpoint.bench.energy.zeus import zeus_source
from counterpoint.errors import UserInputError
from counterpoint.platform.file_faults import quoted

NAMES = ("auto", "zeus", "hwmon", "off")


def power_source(name: str = "auto", *, interval_ns: int | None = None) -> PowerSource | NoEnergy:
    """The source of that name.

    Args:
        name: ``zeus`` (RAPL, NVML, Jetson, Apple), ``hwmon`` (INA sensors and the like), ``auto``
            for the first of these that is here, ``off``, or the ``.csv`` file of a meter.
        interval_ns: Time between samples of what is read by this program; ``None``: 10 Hz.

    Returns:
        Or why there is none, in a line.

    Raises:
        UserInputError: There is no such source, or the meter's file cannot be used.
    """
    if name.lower().endswith(".csv"):
        return MeterFile.open(Path(name))
    if name not in NAMES:
        raise UserInputError(f"no energy source {quoted(name)}: {', '.join(NAMES)} or a .csv file")
    if name == "off":
        return NoEnergy("energy is not asked for")
    missing = []
    if name in ("auto", "zeus"):
        found = zeus_source(interval_ns=interval_ns)
        if not isinstance(found, str):
            return found
        missing.append(found)
    if name in ("auto", "hwmon"):
        sensors = hwmon_source(interval_ns=interval_ns)
        if sensors is not None:
            return sensors
        missing.append("no hwmon power sensor")
    return NoEnergy(
        f"nothing counts energy on this machine ({'; '.join(missing)}): give a meter's .csv file, "
        "or model it with --modelled-energy WATTS"
    )
