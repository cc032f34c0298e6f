"""What a machine is made of: devices, links and compute units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from counterpoint.errors import UserInputError


class Provenance(StrEnum):
    """Where a value comes from."""

    MEASURED = "measured"
    DATASHEET = "datasheet"
    ASSUMED = "assumed"


class DeviceKind(StrEnum):
    """The kinds of hardware that the planner tells apart only by name."""

    CPU = "CPU"
    GPU = "GPU"
    NPU = "NPU"


@dataclass(frozen=True, slots=True)
class Device:
    """Hardware that does one thing at a time.

    Attributes:
        name: ``CPU``, ``CPU.0`` (a group of cores), ``GPU.0``, ``NPU``.
        kind: What it is.
        memory: Name of the memory it computes from; devices of one memory hand over for free.
        cores: Logical processor numbers of a CPU group, or of the CPU on which a device made of
            software computes; ascending. Empty for other devices.
        description: Marketing name, for people.
        likeness: Of a part of a CPU, or of a model of GPU with its driver: devices of the same
            likeness are equally fast, and what was measured on one holds for the others. Empty
            where the name says it all.
    """

    name: str
    kind: DeviceKind
    memory: str = "host"
    cores: tuple[int, ...] = ()
    description: str = ""
    likeness: str = ""

    @property
    def is_part(self) -> bool:
        """It is one group of several that a CPU was cut into (``CPU.0``)."""
        return self.kind is DeviceKind.CPU and "." in self.name

    @property
    def is_software(self) -> bool:
        """It is no hardware of its own: it computes on the CPU's cores."""
        return self.kind is not DeviceKind.CPU and bool(self.cores)


@dataclass(frozen=True, slots=True)
class Link:
    """A path between two memories.

    Attributes:
        origin: Name of the memory that is read.
        target: Name of the memory that is written.
        setup_ns: Time before the first byte moves, per transfer.
        bandwidth_bytes_per_s: Sustained rate; ``None`` when not known.
        source: Where the two numbers come from.
        occupies: Names of devices that are busy while it moves something: the cores that copy.
            Empty where the hardware copies by itself.
    """

    origin: str
    target: str
    setup_ns: int
    bandwidth_bytes_per_s: float | None
    source: Provenance
    occupies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``origin->target``: a link does one thing at a time, like a device."""
        return f"{self.origin}->{self.target}"

    def transfer_ns(self, size_bytes: int) -> int | None:
        """Time to move ``size_bytes``, or ``None`` when the bandwidth is not known."""
        if self.bandwidth_bytes_per_s is None:
            return None
        return self.setup_ns + round(size_bytes * 1e9 / self.bandwidth_bytes_per_s)


@dataclass(frozen=True, slots=True)
class ComputeUnit:
    """Device(s) x engine x precision x settings: what a layer is given to.

    Attributes:
        engine: Name of the engine, e.g. ``onnxruntime``.
        devices: The devices it occupies while it runs; never empty.
        precision: What floating-point layers are computed in: ``fp32``, ``bf16``, ``fp16``;
            ``int8`` for layers that the network itself quantises.
        settings: Further engine settings as sorted ``(key, value)`` pairs, e.g. ``threads``.
    """

    engine: str
    devices: tuple[Device, ...]
    precision: str
    settings: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.devices:
            raise ValueError(f"compute unit of {self.engine} has no device")

    @property
    def name(self) -> str:
        """``engine:DEVICE@precision``, then ``[key=value,...]`` when there are settings."""
        places = "+".join(device.name for device in self.devices)
        base = f"{self.engine}:{places}@{self.precision}"
        if not self.settings:
            return base
        return base + "[" + ",".join(f"{key}={value}" for key, value in self.settings) + "]"

    @property
    def measured_as(self) -> str:
        """The name under which measurements are kept.

        Parts of a CPU and GPUs go by their likeness where they have one. Streams are left out:
        alone they are as fast as none.
        """
        settings = tuple(pair for pair in self.settings if pair[0] != "streams")
        name = replace(self, settings=settings).name
        for device in self.devices:
            if device.likeness:
                name = name.replace(device.name, f"{device.kind}({device.likeness})", 1)
        return name

    @property
    def memory(self) -> str:
        """Name of the memory where its tensors live."""
        return self.devices[0].memory

    def setting(self, key: str) -> str | None:
        """Value of one setting, or ``None`` when the engine's default holds."""
        return dict(self.settings).get(key)


@dataclass(frozen=True, slots=True)
class Platform:
    """Devices, units and links of one machine.

    Attributes:
        name: For people.
        fingerprint: Hash over what decides speed: processor, cores in use, memory, devices.
            A plan made under another fingerprint is a plan for another machine.
        facts: Description for people and reports (``cpu_model``, ``isa`` and the like).
        named: The user chose the units by name. Otherwise planners leave out software devices,
            which are no faster than the CPU that they compute on.
    """

    name: str
    fingerprint: str
    devices: tuple[Device, ...]
    units: tuple[ComputeUnit, ...] = ()
    links: tuple[Link, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    named: bool = False

    def unit(self, name: str) -> ComputeUnit:
        """The unit of that name.

        Raises:
            UserInputError: There is none; the message lists those there are.
        """
        for unit in self.units:
            if unit.name == name:
                return unit
        known = ", ".join(unit.name for unit in self.units) or "none"
        raise UserInputError(f"unknown compute unit {name!r}; this machine has: {known}")
