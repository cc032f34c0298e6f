"""Energy counters that Zeus finds: RAPL, NVML and AMD's cards, Jetson and Apple.

Zeus, https://ml.energy/zeus; an optional dependency.

Zeus counts RAPL's wrap-arounds in a process of its own that looks once a second (ten times near
the end), so that a reading may lack a wrap for that long. Therefore only the zones, their range and
the rights to read come from Zeus here; the counter itself is read, and a wrap is seen in the
readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from counterpoint.bench.energy.source import TEN_HERTZ_NS, Gauge, PolledSource, Quantity
from counterpoint.errors import MachineError

INSTALL = "pip install 'counterpoint[energy]'"

_APPLE_DOMAINS = ("cpu_total_mj", "dram_mj", "gpu_mj", "gpu_sram_mj", "ane_mj")
"""Zeus also tells parts of these, which would count twice."""


@dataclass(frozen=True, slots=True)
class ZeusFinds:
    """What Zeus has on this machine.

    Attributes:
        gauges: Counters; none where it finds none.
        missing: Why each kind of counter is not there, a line each.
    """

    gauges: tuple[Gauge, ...]
    missing: tuple[str, ...]


def zeus_source(*, interval_ns: int | None = None) -> PolledSource | str:
    """All that Zeus counts here; or, in a line, why that is nothing.

    Args:
        interval_ns: Time between samples; ``None``: 10 Hz.
    """
    try:
        import zeus
    except ImportError:
        return f"Zeus is not installed ({INSTALL})"
    found = zeus_finds()
    if not found.gauges:
        return f"Zeus: {', '.join(found.missing)}"
    return PolledSource(f"Zeus {zeus.__version__}", found.gauges, interval_ns or TEN_HERTZ_NS)


def zeus_finds() -> ZeusFinds:
    """Asks Zeus for processors, cards and systems on a chip."""
    gauges: list[Gauge] = []
    missing: list[str] = []
    kinds: tuple[tuple[str, Callable[[], Iterator[Gauge]]], ...] = (
        ("RAPL", _processors),
        ("NVML or AMD SMI", _cards),
        ("Jetson or Apple silicon", _systems_on_chip),
    )
    for name, find in kinds:
        try:
            gauges += find()
        except Exception as error:  # Zeus's own, those of drivers' libraries, OSError
            nothing = type(error).__name__.endswith("InitError")  # how Zeus says: not here
            missing.append(f"no {name}" if nothing else f"{name}: {_one_line(error)}")
    return ZeusFinds(tuple(gauges), tuple(missing))


def rapl_gauges(zone: Any) -> Iterator[Gauge]:
    """The package and, where it is apart, the memory of one of Zeus's processors."""
    if not hasattr(zone, "rapl_file"):  # through Zeus's daemon, which counts wraps at each reading
        yield Gauge(f"package-{zone.cpu_index}", Quantity.ENERGY_UJ, partial(_daemon, zone, "cpu"))
        if zone.supports_get_dram_energy_consumption():
            read = partial(_daemon, zone, "dram")
            yield Gauge(f"dram-{zone.cpu_index}", Quantity.ENERGY_UJ, read)
        return
    for file in (zone.rapl_file, zone.dram):
        if file is not None:
            path = Path(file.energy_uj_path)
            # Two sockets have a memory of one name.
            name = file.name if file is zone.rapl_file else f"{file.name}-{zone.cpu_index}"
            yield Gauge(
                name, Quantity.ENERGY_UJ, partial(_counter, path), round(file.max_energy_range_uj)
            )


def card_gauge(cards: Any, index: int) -> Gauge:
    """The energy counter of a card, or its power where it has none (before Volta)."""
    domain = f"GPU.{index}"
    if cards.supports_get_total_energy_consumption(index):
        return Gauge(domain, Quantity.ENERGY_UJ, partial(_card_energy, cards, index))
    return Gauge(domain, Quantity.POWER_UW, partial(_card_power, cards, index))


def chip_gauges(chip: Any) -> Iterator[Gauge]:
    """The domains of a system on a chip that together are the whole."""
    shown = chip.get_total_energy_consumption()
    known = [field.name for field in fields(shown) if getattr(shown, field.name) is not None]
    whole = [name for name in known if name.startswith("total")]  # Jetson's input rail
    parts = [name for name in known if name in _APPLE_DOMAINS or name.endswith("_energy_mj")]
    for name in whole or parts:
        domain = name.removesuffix("_mj").removesuffix("_energy")
        yield Gauge(domain, Quantity.ENERGY_UJ, partial(_chip, chip, name))


def _processors() -> Iterator[Gauge]:
    from zeus.device import get_cpus

    for zone in get_cpus().cpus:
        yield from rapl_gauges(zone)


def _cards() -> Iterator[Gauge]:
    from zeus.device import get_gpus

    cards = get_gpus()
    for index in range(len(cards)):
        yield card_gauge(cards, index)


def _systems_on_chip() -> Iterator[Gauge]:
    from zeus.device import get_soc

    yield from chip_gauges(get_soc())


def _counter(path: Path) -> int:
    with path.open("rb") as file:
        text = file.read(32).strip()
    if not text.isdigit():
        raise MachineError(f"{path} does not show a number")
    return int(text)


def _daemon(zone: Any, part: str) -> int:
    shown = zone.get_total_energy_consumption()
    return _microjoules(shown.cpu_mj if part == "cpu" else shown.dram_mj)


def _card_energy(cards: Any, index: int) -> int:
    return 1000 * int(cards.get_total_energy_consumption(index))


def _card_power(cards: Any, index: int) -> int:
    return 1000 * int(cards.get_instant_power_usage(index))


def _chip(chip: Any, name: str) -> int:
    return _microjoules(getattr(chip.get_total_energy_consumption(), name))


def _microjoules(energy_mj: float) -> int:
    return round(1000 * energy_mj)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
