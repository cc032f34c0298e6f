"""What it costs: time of each layer on each unit, of entering a unit, and of moving a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from counterpoint.errors import InternalError
from counterpoint.platform.model import ComputeUnit, Link


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
        write: The way back, per tensor that a segment makes for others.
    """

    unit: ComputeUnit
    entry_ns: int
    read: LinearCost = field(default_factory=LinearCost)
    write: LinearCost = field(default_factory=LinearCost)


@dataclass(frozen=True, slots=True)
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
    """

    network_hash: str
    platform_fingerprint: str
    layer_names: tuple[str, ...]
    units: tuple[UnitCosts, ...]
    layer_ns: tuple[tuple[int | None, ...], ...]
    refusals: Mapping[tuple[int, int], str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        if len(self.layer_ns) != len(self.layer_names):
            raise InternalError("cost table: one row per layer expected")
        for row in self.layer_ns:
            if len(row) != len(self.units):
                raise InternalError("cost table: one column per unit expected")
            if any(cell is not None and cell < 0 for cell in row):
                raise InternalError("cost table: negative time")

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(costs.unit.name for costs in self.units)

    def move_ns(self, size_bytes: int, origin: int | None, target: int | None) -> int | None:
        """Time to hand a tensor from one unit to another.

        The sum of the origin's write, the link between the two memories (nothing within one
        memory) and the target's read.

        Args:
            size_bytes: Of the tensor.
            origin: Column of the unit that made it; ``None`` for the caller's host memory.
            target: Column of the unit that reads it; ``None`` for the caller's host memory.

        Returns:
            0 for a unit to itself; ``None`` when no link joins the two memories.
        """
        if origin == target:
            return 0
        total = 0
        from_memory = to_memory = "host"
        if origin is not None:
            total += self.units[origin].write.at(size_bytes)
            from_memory = self.units[origin].unit.memory
        if target is not None:
            total += self.units[target].read.at(size_bytes)
            to_memory = self.units[target].unit.memory
        if from_memory == to_memory:
            return total
        for link in self.links:
            if (link.origin, link.target) == (from_memory, to_memory):
                moved = link.transfer_ns(size_bytes)
                return None if moved is None else total + moved
        return None

    def with_layer_times(self, times: Mapping[tuple[int, int], int]) -> CostTable:
        """A table in which the cells ``(layer, unit)`` have those times."""
        rows = [list(row) for row in self.layer_ns]
        for (layer, unit), time_ns in times.items():
            rows[layer][unit] = time_ns
        return replace(self, layer_ns=tuple(tuple(row) for row in rows))
