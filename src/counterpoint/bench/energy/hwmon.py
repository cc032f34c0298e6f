"""Power sensors that Linux shows under ``/sys/class/hwmon``: the INA chips of boards, and others.

Form of the files: the kernel's documentation of the hwmon sysfs interface. ``powerN_input`` is in
microwatts, ``energyN_input`` in microjoules, ``inN_input`` in millivolts and ``currN_input`` in
milliamperes; ``update_interval`` in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from counterpoint.bench.energy.source import TEN_HERTZ_NS, Gauge, PolledSource, Quantity
from counterpoint.errors import MachineError
from counterpoint.platform.kernel_files import KernelFiles

FOLDER = "/sys/class/hwmon"

CHIPS = ("ina", "ltc", "max34", "pac19", "isl28", "adm12", "scmi", "amd_energy", "xgene_hwmon")
"""How drivers of power and energy meters are called; a graphics card, a battery or a power supply
shows its power here as well, which is not, or only in part, that of the network."""

INPUT_RAILS = ("vdd_in", "vin_sys", "pom_5v_in", "vdd_5v_in", "sys_in", "total", "board")
"""Names of the rail that feeds the others, on NVIDIA's Jetson boards and the like. Where it is
there, it alone counts: the others are parts of it."""


def hwmon_source(
    files: KernelFiles | None = None, *, interval_ns: int | None = None
) -> PolledSource | None:
    """The machine's power sensors.

    Args:
        files: The kernel's files.
        interval_ns: Time between samples; never less than the chip needs for a new value.
            ``None``: 10 Hz.

    Returns:
        ``None`` where there is no sensor.
    """
    sensors = [
        sensor
        for number in (files or KernelFiles()).numbered(FOLDER, "hwmon")
        for sensor in _sensors(files or KernelFiles(), f"{FOLDER}/hwmon{number}")
    ]
    feeding = [
        sensor for sensor in sensors if any(name in sensor.label.lower() for name in INPUT_RAILS)
    ]
    chosen = feeding or sensors
    if not chosen:
        return None
    chips = " + ".join(dict.fromkeys(sensor.chip for sensor in chosen))
    slowest_ns = max(sensor.update_ns for sensor in chosen)
    return PolledSource(
        f"hwmon {chips}",
        tuple(sensor.gauge for sensor in chosen),
        max(interval_ns or TEN_HERTZ_NS, slowest_ns),
    )


@dataclass(frozen=True, slots=True)
class _Sensor:
    """A rail of a chip.

    Attributes:
        chip: Its driver.
        label: Of the rail.
        update_ns: Time in which the chip makes a new value; 0 where it doesn't say.
        gauge: Reads it.
    """

    chip: str
    label: str
    update_ns: int
    gauge: Gauge


def _sensors(files: KernelFiles, folder: str) -> Iterator[_Sensor]:
    """The rails of one chip: an energy counter where it has one, else power, else V times A."""
    chip = files.text(f"{folder}/name") or ""
    if not chip.startswith(CHIPS):
        return
    update_ns = (files.count(f"{folder}/update_interval") or 0) * 1_000_000

    def label(kind: str, number: int) -> str:
        return files.text(f"{folder}/{kind}{number}_label") or f"{chip} {number}"

    def sensor(kind: str, number: int, quantity: Quantity) -> _Sensor:
        name = label(kind, number)
        reader = _Reader(files, f"{folder}/{kind}{number}_input", name)
        return _Sensor(chip, name, update_ns, Gauge(name, quantity, reader))

    for kind, quantity in (("energy", Quantity.ENERGY_UJ), ("power", Quantity.POWER_UW)):
        found = _channels(files, folder, kind)
        if found:
            yield from (sensor(kind, number, quantity) for number in found)
            return
    currents = set(_channels(files, folder, "curr"))
    for number in _channels(files, folder, "in"):
        if number in currents:
            name = label("in", number)
            volts = _Reader(files, f"{folder}/in{number}_input", name)
            amperes = _Reader(files, f"{folder}/curr{number}_input", name)
            gauge = Gauge(name, Quantity.POWER_UW, _Product(volts, amperes))
            yield _Sensor(chip, name, update_ns, gauge)


def _channels(files: KernelFiles, folder: str, kind: str) -> list[int]:
    """Channels of that kind that can be read now."""
    numbers = range(33)  # more than any driver in the kernel has of one kind
    return [n for n in numbers if files.integer(f"{folder}/{kind}{n}_input") is not None]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file."""

    files: KernelFiles
    path: str
    label: str

    def __call__(self) -> int:
        value = self.files.integer(self.path)
        if value is None:
            raise MachineError(f"{self.path} ({self.label}) does not show a number")
        return value


@dataclass(frozen=True, slots=True)
class _Product:
    """Millivolts times milliamperes: microwatts."""

    millivolts: _Reader
    milliamperes: _Reader

    def __call__(self) -> int:
        return self.millivolts() * self.milliamperes()
