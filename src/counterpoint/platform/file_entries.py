"""The tables of a platform file, as they stand in it: devices, units, links, refusals.

Numbers carry their unit in the key's name. Each table says in ``basis`` where its numbers come
from: ``"measured KEY"``, ``"datasheet KEY"`` or ``"assumed KEY"`` with a key of ``[sources]``, or a
table of these by key, where ``"*"`` stands for all others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, ClassVar

from counterpoint.network.graph import Layer
from counterpoint.platform.basis import FROM_FILE, Basis, check_number, check_word, plain_name
from counterpoint.platform.file_faults import quoted
from counterpoint.platform.model import DeviceKind

OVERHEADS = (
    "entry_ms",
    "read_ms",
    "read_ns_per_byte",
    "read_ns_per_item",
    "write_ms",
    "write_ns_per_byte",
    "write_ns_per_item",
    "overhead_power_mw",
)
"""Keys of a unit that hold numbers of its own."""

_DEVICE = re.compile(r"(CPU|GPU|NPU)(\.[0-9]{1,6})?")
_STEPS = 64
_CORES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """Hardware that does one thing at a time.

    Attributes:
        name: ``CPU``, ``CPU.0``, ``GPU``, ``NPU`` and the like.
        kind: What it is.
        memory: Name of the memory it computes from; ``host`` is the caller's.
        cores: Logical processors of a part of a CPU.
        description: For people.
        clock_steps: How many clocks it can be set to; steps count from 0, the slowest.
        clock_mhz: Their frequencies, ascending; empty where nobody knows.
        idle_power_mw: Drawn by this device when it has nothing to do.
        active_power_mw: Drawn by this device at work, on average.
        basis: See the module.

    Raises:
        ValueError: A value is out of range or contradicts another.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    name: str
    kind: DeviceKind
    memory: str = "host"
    cores: tuple[int, ...] = ()
    description: str = ""
    clock_steps: int = 1
    clock_mhz: tuple[float, ...] = ()
    idle_power_mw: float | None = None
    active_power_mw: float | None = None
    basis: Basis = ""

    def __post_init__(self) -> None:
        found = _DEVICE.fullmatch(self.name)
        if found is None or found.group(1) != self.kind:
            raise ValueError(f"name = {self.name[:40]!r}: a {self.kind} is {self.kind}.0 or so")
        check_word("memory", self.memory)
        for core in self.cores:
            if not 0 <= core < _CORES or self.cores.count(core) > 1:
                raise ValueError(f"cores: {quoted(core)} is there twice, or is no core's number")
        if not 1 <= self.clock_steps <= _STEPS:
            raise ValueError(
                f"clock_steps = {quoted(self.clock_steps)} is not between 1 and {_STEPS}"
            )
        if self.clock_mhz and len(self.clock_mhz) != self.clock_steps:
            raise ValueError(f"clock_mhz has {len(self.clock_mhz)} of {self.clock_steps} steps")
        for value in self.clock_mhz:
            check_number("clock_mhz", value, most=1e6)
        if list(self.clock_mhz) != sorted(set(self.clock_mhz)):
            raise ValueError("clock_mhz does not ascend")
        check_number("idle_power_mw", self.idle_power_mw)
        check_number("active_power_mw", self.active_power_mw)
        if (self.idle_power_mw or 0) > (self.active_power_mw or float("inf")):
            raise ValueError("idle_power_mw is above active_power_mw")

    @property
    def valued(self) -> tuple[str, ...]:
        """Keys that hold values."""
        keys = ("clock_mhz", "idle_power_mw", "active_power_mw")
        return tuple(key for key in keys if getattr(self, key) not in (None, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRule:
    """Layers that a unit does not run. All conditions that are given must hold; at least one is.

    Attributes:
        reason: For people; ends as the reason of a refusal.
        kinds: The layer is of one of these: ``Conv``, ``MaxPool`` ...
        operators: Some operator of the layer is one of these: ``Softmax`` ...
        channels_not_multiple_of: Its input or output channels are no multiple of that.
        grouped: Its convolution has groups (depthwise ones too), or has not.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    reason: str
    kinds: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    channels_not_multiple_of: int | None = None
    grouped: bool | None = None

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError("a refusal has no reason")
        multiple = self.channels_not_multiple_of
        if multiple is not None and multiple < 2:
            raise ValueError(f"channels_not_multiple_of = {multiple} is below 2")
        if not self.kinds and not self.operators and multiple is None and self.grouped is None:
            raise ValueError("a refusal has no condition: leave the unit out instead")

    def holds_for(self, layer: Layer) -> bool:
        """The unit does not run that layer."""
        loops = layer.loops
        if self.kinds and layer.kind not in self.kinds:
            return False
        if self.operators and not set(self.operators) & set(layer.operators):
            return False
        if self.channels_not_multiple_of is not None:
            if loops is None:
                return False
            channels = (loops.in_channels, loops.out_channels)
            if not any(number % self.channels_not_multiple_of for number in channels):
                return False
        return self.grouped is None or (loops is not None and (loops.groups > 1) is self.grouped)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEntry:
    """What a layer can be given to.

    Attributes:
        engine: Name of the software.
        devices: Names of the devices that it keeps busy.
        precision: ``fp32``, ``fp16``, ``int8`` ...
        settings: Further ones, which become part of its name.
        clock_devices: Devices whose clock step decides its times; of those that are not its own
            at most one (the host of a GPU).
        entry_ms: Fixed time of one call.
        read_ms: Bringing in a tensor, on the unit's devices: fixed time.
        read_ns_per_byte: And what its size adds.
        read_ns_per_item: And what each of its items adds, whatever its type.
        write_ms: The way back: fixed time.
        write_ns_per_byte: And what the size adds.
        write_ns_per_item: And what each of its items adds, whatever its type.
        overhead_power_mw: Drawn above idle while it enters, reads or writes.
        supports: Kinds of layers that it runs; ``None``: all that no refusal names.
        refuses: What it does not run, and why.
        model: Name of a cost model for what nobody recorded; ``None``: recorded only.
        parameters: Of that model.
        parameters_for: Other values of some of them for networks of these names, as where what
            was published computes each network with settings of its own.
        basis: See the module.

    Raises:
        ValueError: A value is out of range or contradicts another.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    engine: str
    devices: tuple[str, ...]
    precision: str
    settings: Mapping[str, str] = field(default_factory=dict)
    clock_devices: tuple[str, ...] = ()
    entry_ms: float = 0.0
    read_ms: float = 0.0
    read_ns_per_byte: float = 0.0
    read_ns_per_item: float = 0.0
    write_ms: float = 0.0
    write_ns_per_byte: float = 0.0
    write_ns_per_item: float = 0.0
    overhead_power_mw: float | None = None
    supports: tuple[str, ...] | None = None
    refuses: tuple[RefusalRule, ...] = ()
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters_for: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    basis: Basis = ""

    def __post_init__(self) -> None:
        if not self.devices:
            raise ValueError("devices is empty")
        if len(set(self.devices)) < len(self.devices):
            raise ValueError("devices names one twice")
        check_word("engine", self.engine)
        check_word("precision", self.precision)
        for key, value in self.settings.items():
            check_word("settings", key)
            check_word("settings", value)
        for key in OVERHEADS:
            check_number(key, getattr(self, key))
        if len(self.clock_devices) - len(set(self.clock_devices) & set(self.devices)) > 1:
            raise ValueError("clock_devices names more than one device of other units")
        if (self.parameters or self.parameters_for) and self.model is None:
            raise ValueError("parameters without a model")
        names = [plain_name(name) for name in self.parameters_for]
        if len(set(names)) < len(names):
            raise ValueError("parameters_for names a network twice")

    @property
    def name(self) -> str:
        """Without clock steps, as recorded times refer to it."""
        settings = ",".join(f"{key}={value}" for key, value in sorted(self.settings.items()))
        base = f"{self.engine}:{'+'.join(self.devices)}@{self.precision}"
        return f"{base}[{settings}]" if settings else base

    @property
    def valued(self) -> tuple[str, ...]:
        """Keys that hold values."""
        return (
            *(key for key in OVERHEADS if getattr(self, key)),
            *(("parameters",) if self.parameters else ()),
            *(("parameters_for",) if self.parameters_for else ()),
        )

    def parameters_of(self, network: str | None) -> tuple[str, Mapping[str, Any]]:
        """The model's parameters for a network of that name, and where the file has them."""
        for name, own in self.parameters_for.items():
            if network is not None and plain_name(name) == plain_name(network):
                return f"parameters_for.{name}", {**self.parameters, **own}
        return "parameters", self.parameters

    def with_overheads(self, overheads: Mapping[str, float]) -> UnitEntry:
        """The unit with these values of the keys in :data:`OVERHEADS`."""
        changed: dict[str, Any] = dict(overheads)
        return replace(self, **changed)

    def refusal(self, layer: Layer) -> str | None:
        """Why it does not run that layer; ``None`` if it does."""
        for rule in self.refuses:
            if rule.holds_for(layer):
                return rule.reason
        if self.supports is not None and layer.kind not in self.supports:
            return f"{self.engine} on {'+'.join(self.devices)} has no {layer.kind}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEntry:
    """A path from one memory to another.

    Attributes:
        origin: Name of the memory that is read.
        target: Name of the memory that is written.
        setup_ms: Before the first byte.
        bandwidth_bytes_per_s: Sustained; ``inf`` where the time does not grow with the size.
        occupies: Names of devices that are busy meanwhile.
        clock_device: The device whose clock step slows it down; ``None``: none does.
        slower_by_clock: For each step of that device how many times the time at the last one.
        basis: See the module.

    Raises:
        ValueError: A value is out of range or contradicts another.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    origin: str
    target: str
    setup_ms: float
    bandwidth_bytes_per_s: float
    occupies: tuple[str, ...] = ()
    clock_device: str | None = None
    slower_by_clock: tuple[float, ...] = ()
    basis: Basis = ""

    def __post_init__(self) -> None:
        if self.origin == self.target:
            raise ValueError(f"a link from {self.origin[:40]!r} to itself")
        check_number("setup_ms", self.setup_ms)
        if not self.bandwidth_bytes_per_s > 0:
            raise ValueError(f"bandwidth_bytes_per_s = {self.bandwidth_bytes_per_s} is not above 0")
        if (self.clock_device is None) != (not self.slower_by_clock):
            raise ValueError("clock_device and slower_by_clock go together")
        if any(not (isfinite(factor) and factor > 0) for factor in self.slower_by_clock):
            raise ValueError("slower_by_clock has a factor that is not above 0")

    @property
    def valued(self) -> tuple[str, ...]:
        """Keys that hold values."""
        slower = ("slower_by_clock",) if self.slower_by_clock else ()
        return ("setup_ms", "bandwidth_bytes_per_s", *slower)
