"""What it costs: time and energy of each layer on each unit, of entering a unit, of moving a
tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from counterpoint.errors import InternalError
from counterpoint.platform.model import ComputeUnit, Device, Link
from counterpoint.platform.occupancy import occupied_devices


@dataclass(frozen=True, slots=True)
class LinearCost:
    """Time linear in size: ``fixed_ns + ns_per_byte * bytes``."""

    fixed_ns: float = 0.0
    ns_per_byte: float = 0.0

    def at(self, size_bytes: int) -> int:
        """Time for that many bytes, never negative."""
        return max(0, round(self.fixed_ns + self.ns_per_byte * size_bytes))


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What one unit costs beyond its layers.

    Attributes:
        unit: The unit.
        entry_ns: Fixed time of one call: dispatch, thread wake-up, the engine's own set-up.
        read: Bringing a tensor from the common layout (dense NCHW in the unit's memory) into the
            engine's own, per tensor that a segment reads.
        write: The way back, per tensor and place that a segment makes it for.
        overhead_power_mw: Drawn above idle while it enters, reads or writes; ``None`` where nobody
            knows, and then that energy counts as 0.
        variant_of: Name of the unit in whose calls its layers run: it is the same unit with layers
            in another precision. Going from one to the other is no entry, and takes ``convert``
            alone. ``None``: it is no variant.
        convert: Of a variant: converting a tensor between its own form and that of the unit.
    """

    unit: ComputeUnit
    entry_ns: int
    read: LinearCost = field(default_factory=LinearCost)
    write: LinearCost = field(default_factory=LinearCost)
    overhead_power_mw: int | None = None
    variant_of: str | None = None
    convert: LinearCost = field(default_factory=LinearCost)

    @property
    def call(self) -> str:
        """Units with the same one run in one call of the engine."""
        return self.variant_of or self.unit.name


@dataclass(frozen=True, slots=True)
class HandOver:
    """What handing one tensor from one place to another takes, part by part.

    Attributes:
        write_ns: The origin's devices bring it into the common layout.
        link: It moves over this link; ``None`` within one memory.
        link_ns: For so long; 0 without a link.
        read_ns: The target's devices bring it into the engine's layout.
    """

    write_ns: int
    link: Link | None
    link_ns: int
    read_ns: int

    @property
    def total_ns(self) -> int:
        """One part after the other."""
        return self.write_ns + self.link_ns + self.read_ns


@dataclass(frozen=True)
class CostTable:
    """Costs of one network on the units of one platform. Times are integer nanoseconds.

    Attributes:
        network_hash: The network it was made for.
        platform_fingerprint: The machine it was made on.
        layer_names: One name a row.
        units: One entry a column.
        layer_ns: ``layer_ns[layer][unit]``, in context (inside a large segment); ``None`` where
            the unit cannot run the layer or nobody measured it.
        refusals: ``(layer index, unit index)`` to the reason why that cell is ``None``.
        links: Transfers between memories; units of one memory hand over without a transfer.
        layer_energy_pj: Energy above idle of each layer on each unit, in the form of ``layer_ns``
            (picojoules: a milliwatt for a nanosecond); ``None`` where nobody measured any.
        idle_power_mw: Of the whole machine; ``None`` where it is not known, and then energies are
            those of the work alone.
        shared_ns: For each resource that units share while they run (the bandwidth of a memory),
            how much of a layer's time it is busy with the layer, in the form of ``layer_ns`` (0
            where that is ``None``). Several units may use it at a time, so it limits how many
            frames are possible, and delays no single one.
        layer_error_ppb: Noise that each layer makes in the network's outputs on each unit, in the
            form of ``layer_ns``: its power over the outputs' own, in parts per billion. Noise
            powers of layers add up, nearly. ``None`` where nobody measured any.
    """

    network_hash: str
    platform_fingerprint: str
    layer_names: tuple[str, ...]
    units: tuple[UnitCosts, ...]
    layer_ns: tuple[tuple[int | None, ...], ...]
    refusals: Mapping[tuple[int, int], str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    layer_energy_pj: tuple[tuple[int | None, ...], ...] | None = None
    idle_power_mw: int | None = None
    shared_ns: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    layer_error_ppb: tuple[tuple[int | None, ...], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.layer_ns) != len(self.layer_names):
            raise InternalError("cost table: one row per layer expected")
        for row in self.layer_ns:
            if len(row) != len(self.units):
                raise InternalError("cost table: one column per unit expected")
            if any(cell is not None and cell < 0 for cell in row):
                raise InternalError("cost table: negative time")
        if self.layer_energy_pj is not None:
            shape = [len(row) for row in self.layer_energy_pj]
            if shape != [len(self.units)] * len(self.layer_names):
                raise InternalError("cost table: one energy for each time expected")
        if self.layer_error_ppb is not None:
            shape = [len(row) for row in self.layer_error_ppb]
            if shape != [len(self.units)] * len(self.layer_names):
                raise InternalError("cost table: one error for each time expected")
        for rows in self.shared_ns.values():
            if [len(row) for row in rows] != [len(self.units)] * len(self.layer_names):
                raise InternalError("cost table: one use of each shared resource expected")
            if any(cell < 0 for row in rows for cell in row):
                raise InternalError("cost table: negative use of a shared resource")

    @cached_property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(costs.unit.name for costs in self.units)

    @property
    def devices(self) -> tuple[Device, ...]:
        """Those of all units, each once."""
        found = {device.name: device for costs in self.units for device in costs.unit.devices}
        return tuple(found.values())

    @cached_property
    def occupied(self) -> tuple[tuple[str, ...], ...]:
        """For each column the names of the devices that are busy while the unit runs."""
        return tuple(occupied_devices(costs.unit, self.devices) for costs in self.units)

    def hand_over(self, size_bytes: int, origin: int | None, target: int | None) -> HandOver | None:
        """What it takes to hand a tensor from one unit to another.

        Args:
            size_bytes: Of the tensor.
            origin: Column of the unit that made it; ``None`` for the caller's host memory.
            target: Column of the unit that reads it; ``None`` for the caller's host memory.

        Returns:
            Nothing at all from a unit to itself; ``None`` when no link joins the two memories.
        """
        if origin == target:
            return HandOver(0, None, 0, 0)
        if origin is not None and target is not None:
            one, other = self.units[origin], self.units[target]
            if one.call == other.call:
                return HandOver(one.convert.at(size_bytes), None, 0, other.convert.at(size_bytes))
        write_ns = read_ns = 0
        from_memory = to_memory = "host"
        if origin is not None:
            write_ns = self.units[origin].write.at(size_bytes)
            from_memory = self.units[origin].unit.memory
        if target is not None:
            read_ns = self.units[target].read.at(size_bytes)
            to_memory = self.units[target].unit.memory
        if from_memory == to_memory:
            return HandOver(write_ns, None, 0, read_ns)
        for link in self.links:
            if (link.origin, link.target) == (from_memory, to_memory):
                moved_ns = link.transfer_ns(size_bytes)
                return None if moved_ns is None else HandOver(write_ns, link, moved_ns, read_ns)
        return None

    def move_ns(self, size_bytes: int, origin: int | None, target: int | None) -> int | None:
        """Time of :meth:`hand_over`; ``None`` when no link joins the two memories."""
        handed = self.hand_over(size_bytes, origin, target)
        return None if handed is None else handed.total_ns

    def refusing_unknown(self, figures: Sequence[Sequence[int | None]], reason: str) -> CostTable:
        """The table in which a unit refuses every layer for which a figure is not known.

        Args:
            figures: As :attr:`layer_ns`: a row for each layer, a column for each unit.
            reason: Of those refusals.
        """
        unknown = {
            (layer, column): reason
            for layer, row in enumerate(figures)
            for column, figure in enumerate(row)
            if figure is None and self.layer_ns[layer][column] is not None
        }
        rows = tuple(
            tuple(None if (layer, column) in unknown else cell for column, cell in enumerate(row))
            for layer, row in enumerate(self.layer_ns)
        )
        return replace(self, layer_ns=rows, refusals={**self.refusals, **unknown})

    def with_layer_times(self, times: Mapping[tuple[int, int], int]) -> CostTable:
        """A table in which the cells ``(layer, unit)`` have those times."""
        rows = [list(row) for row in self.layer_ns]
        for (layer, unit), time_ns in times.items():
            rows[layer][unit] = time_ns
        return replace(self, layer_ns=tuple(tuple(row) for row in rows))
