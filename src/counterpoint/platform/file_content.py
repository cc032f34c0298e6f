"""A platform as a file: a machine that is not here, with what is known of its costs.

TOML, with the keys of :class:`PlatformFile`. Nothing in it is trusted: unknown keys, values out of
range, names that nothing has and numbers without a source are refused in one line that names the
file and the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from counterpoint.errors import UserInputError
from counterpoint.platform.basis import (
    FROM_FILE,
    Basis,
    check_basis,
    check_number,
    check_word,
    provenance,
)
from counterpoint.platform.file_entries import DeviceEntry, LinkEntry, UnitEntry
from counterpoint.platform.model import ComputeUnit, Device, Link, Platform, Provenance
from counterpoint.platform.recorded_network import RecordedNetwork, StageTimes

Clocks = Mapping[str, int]
"""The clock step of each device that has several, by the device's name."""

HOST = "host"


@dataclass(frozen=True, kw_only=True)
class PlatformFile:
    """What a platform file says.

    Attributes:
        name: The platform's.
        description: One line for people.
        sources: Where numbers come from: a key and a reference in words.
        devices: At least one.
        units: At least one.
        links: Between memories.
        networks: What was recorded.
        idle_power_mw: Of the whole machine.
        basis: Of ``idle_power_mw``.

    Raises:
        ValueError: Something contradicts something else; the message names the key.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    name: str
    description: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[DeviceEntry, ...]
    units: tuple[UnitEntry, ...]
    links: tuple[LinkEntry, ...] = ()
    networks: tuple[RecordedNetwork, ...] = ()
    idle_power_mw: float | None = None
    basis: Basis = ""

    def __post_init__(self) -> None:
        check_word("name", self.name)
        check_number("idle_power_mw", self.idle_power_mw)
        if not self.devices or not self.units:
            raise ValueError("a platform has at least one of [[devices]] and one of [[units]]")
        _refuse_twice("devices", (device.name for device in self.devices))
        _refuse_twice("units", (unit.name for unit in self.units))
        _refuse_twice("networks", (network.name for network in self.networks))
        _refuse_twice("links", (f"{link.origin}->{link.target}" for link in self.links))
        for key, text in self.sources.items():
            check_word("sources", key)
            if not text:
                raise ValueError(f"key 'sources.{key}' is empty")
        for place, check in self._checks():
            try:
                check()
            except ValueError as error:
                raise ValueError(f"key {place!r}: {error}") from None

    def _checks(self) -> Iterator[tuple[str, Any]]:
        """Places in the file, and what is to be checked there."""

        def based(entry: Any, valued: tuple[str, ...]) -> Any:
            return lambda: check_basis(entry, valued, self.sources)

        yield "basis", based(self, ("idle_power_mw",) if self.idle_power_mw is not None else ())
        for number, device in enumerate(self.devices):
            yield f"devices.{number}", based(device, device.valued)
        for number, unit in enumerate(self.units):
            yield f"units.{number}", based(unit, unit.valued)
            yield f"units.{number}", lambda unit=unit: self._check_unit(unit)
        for number, link in enumerate(self.links):
            yield f"links.{number}", based(link, link.valued)
            yield f"links.{number}", lambda link=link: self._check_link(link)
        for number, network in enumerate(self.networks):
            yield f"networks.{number}", based(network, network.valued)
            for row, times in enumerate(network.times):
                place = f"networks.{number}.times.{row}"
                yield place, lambda times=times: self._check_times(times)

    def _check_unit(self, unit: UnitEntry) -> None:
        for name in (*unit.devices, *unit.clock_devices):
            self.device(name)
        if len({self.device(name).memory for name in unit.devices}) > 1:
            raise ValueError("devices compute from different memories")
        for name in unit.clock_devices:
            if self.device(name).clock_steps == 1:
                raise ValueError(f"clock_devices: {name} has one clock only")

    def _check_link(self, link: LinkEntry) -> None:
        memories = {HOST, *(device.memory for device in self.devices)}
        for memory in (link.origin, link.target):
            if memory not in memories:
                raise ValueError(f"no device computes from memory {memory[:40]!r}")
        for name in link.occupies:
            self.device(name)
        if link.clock_device is not None:
            steps = self.device(link.clock_device).clock_steps
            if steps != len(link.slower_by_clock):
                raise ValueError(
                    f"slower_by_clock has {len(link.slower_by_clock)} of {steps} steps"
                )

    def _check_times(self, times: StageTimes) -> None:
        unit = next((unit for unit in self.units if unit.name == times.unit), None)
        if unit is None:
            raise ValueError(f"unit = {times.unit[:60]!r} is not among [[units]]")
        if set(times.clocks) != set(unit.clock_devices):
            wanted = ", ".join(unit.clock_devices) or "none"
            raise ValueError(f"clocks: the unit {unit.name} needs the steps of: {wanted}")
        for name, step in times.clocks.items():
            if not 0 <= step < self.device(name).clock_steps:
                raise ValueError(
                    f"clocks.{name} = {step} is not between 0 and "
                    f"{self.device(name).clock_steps - 1}"
                )
        host = self.device(unit.devices[0]).memory == HOST
        if host and (times.input_ms is not None or times.output_ms is not None):
            raise ValueError("input_ms or output_ms of a unit that computes from the host's memory")

    def device(self, name: str) -> DeviceEntry:
        """The device of that name.

        Raises:
            ValueError: There is none.
        """
        for device in self.devices:
            if device.name == name:
                return device
        raise ValueError(f"there is no device {name[:40]!r}")

    @cached_property
    def where(self) -> str:
        """For messages: the file's path where it was read from one, else the platform's name."""
        return f"platform {self.name}"

    def read_from(self, path: Path) -> PlatformFile:
        """This very platform; its messages name the file from now on."""
        vars(self)["where"] = str(path)
        return self

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that the file says; a plan made with another is for another platform."""
        return hashlib.blake2b(repr(self).encode(), digest_size=16).hexdigest()

    @cached_property
    def platform(self) -> Platform:
        """Devices, links at the highest clocks, and units: one for each setting of the clocks that
        matter to it.
        """
        units = tuple(
            self.unit_at(unit, dict(zip(unit.clock_devices, steps, strict=True)))
            for unit in self.units
            for steps in product(
                *(reversed(range(self.device(name).clock_steps)) for name in unit.clock_devices)
            )
        )
        return Platform(
            self.name,
            self.fingerprint,
            tuple(_device(device) for device in self.devices),
            units,
            self.links_at(self.highest_clocks),
            {"description": self.description} if self.description else {},
        )

    @property
    def highest_clocks(self) -> dict[str, int]:
        """Every device at its last step."""
        return {
            device.name: device.clock_steps - 1 for device in self.devices if device.clock_steps > 1
        }

    def clocks(self, wanted: Clocks) -> dict[str, int]:
        """A full setting: the highest clocks where ``wanted`` says nothing.

        Raises:
            UserInputError: It names a device or step that is not.
        """
        setting = self.highest_clocks
        for name, step in wanted.items():
            if name not in setting:
                known = ", ".join(setting) or "none"
                raise UserInputError(
                    f"{self.name} has no clock steps for {name[:40]!r}; devices with some: {known}"
                )
            if not 0 <= step <= setting[name]:
                raise UserInputError(
                    f"{self.name}: {name} has no clock step {step}, only 0 to {setting[name]}"
                )
        return {**setting, **wanted}

    def clock_settings(self, wanted: Clocks) -> Iterator[dict[str, int]]:
        """Every setting of the devices' clocks that keeps to ``wanted``, highest clocks first.

        Raises:
            UserInputError: As :meth:`clocks`.
        """
        highest = self.clocks(wanted)
        choices = [
            (step,) if name in wanted else range(step, -1, -1) for name, step in highest.items()
        ]
        for steps in product(*choices):
            yield dict(zip(highest, steps, strict=True))

    def clocks_of(self, units: Iterable[str]) -> dict[str, int]:
        """The clock steps that the names of units speak of, each unit of :attr:`platform`.

        Raises:
            UserInputError: Two units want one device at different steps.
        """
        names = set(units)
        found: dict[str, int] = {}
        for unit in self.units:
            ranges = [range(self.device(name).clock_steps) for name in unit.clock_devices]
            for steps in product(*ranges):
                setting = dict(zip(unit.clock_devices, steps, strict=True))
                if self.unit_at(unit, setting).name not in names:
                    continue
                for name, step in setting.items():
                    if found.setdefault(name, step) != step:
                        raise UserInputError(
                            f"the units want {name} at clock steps {found[name]} and {step}: a "
                            "device has one at a time"
                        )
        return found

    def unit_at(self, entry: UnitEntry, clocks: Clocks) -> ComputeUnit:
        """The unit as it is at these clocks: the steps are settings of it."""
        settings = dict(entry.settings)
        for name in entry.clock_devices:
            settings["clock" if name in entry.devices else "host_clock"] = str(clocks[name])
        return ComputeUnit(
            entry.engine,
            tuple(_device(self.device(name)) for name in entry.devices),
            entry.precision,
            tuple(sorted(settings.items())),
        )

    def links_at(self, clocks: Clocks) -> tuple[Link, ...]:
        """The links at these clocks."""
        return tuple(_link(entry, clocks) for entry in self.links)

    def recorded(self, name: str) -> RecordedNetwork | None:
        """What was recorded of a network of that name; ``None``: nothing."""
        return next((item for item in self.networks if item.answers_to(name)), None)


def _device(entry: DeviceEntry) -> Device:
    return Device(
        entry.name, entry.kind, entry.memory, tuple(sorted(entry.cores)), entry.description
    )


def _link(entry: LinkEntry, clocks: Clocks) -> Link:
    factor = 1.0
    if entry.clock_device is not None:
        factor = entry.slower_by_clock[clocks[entry.clock_device]]
    found = provenance(entry.basis, "setup_ms")
    return Link(
        entry.origin,
        entry.target,
        round(entry.setup_ms * 1e6 * factor),
        entry.bandwidth_bytes_per_s / factor,
        Provenance.ASSUMED if found is None else found[0],
        entry.occupies,
    )


def _refuse_twice(key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"key {key!r}: {name[:60]!r} is there twice")
        seen.add(name)
