"""Networks of which only the times of their stages were published: a chain, and its costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from counterpoint.costs.stage_network import NoModel
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Link, Platform, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A layer by its cost alone.

    Attributes:
        name: Unique in its network.
        reads: Tensors; the last stage's one output is the network's.
        makes: The tensor.
        items: Of the tensor made, float32; ``None``: not known, and handing it over costs no more
            than handing over nothing.
        times_ns: By unit name.
    """

    name: str
    reads: tuple[str, ...]
    makes: str
    times_ns: Mapping[str, int]
    items: int | None = None


def chain(
    times_ns: Mapping[str, Sequence[int]], items: Sequence[int] | None = None
) -> tuple[Stage, ...]:
    """Stages one behind the other.

    Args:
        times_ns: Of each stage, by unit name.
        items: Of what each stage makes, but for the last one.
    """
    count = len(next(iter(times_ns.values())))
    return tuple(
        Stage(
            name=f"stage{index}",
            reads=(f"t{index - 1}" if index else "input",),
            makes=f"t{index}",
            items=items[index] if items is not None and index < len(items) else None,
            times_ns={unit: row[index] for unit, row in times_ns.items()},
        )
        for index in range(count)
    )


def staged_network(name: str, stages: Sequence[Stage]) -> Network:
    """The stages as layers; the first reads ``input``."""
    specs = {"input": TensorSpec("input", "float32", None)}
    for stage in stages:
        shape = None if stage.items is None else (stage.items,)
        specs[stage.makes] = TensorSpec(stage.makes, "float32", shape)
    layers = tuple(
        Layer(
            index=index,
            name=stage.name,
            kind="Stage",
            operators=(),
            nodes=(index,),
            inputs=stage.reads,
            outputs=(stage.makes,),
            macs=0,
            weight_bytes=0,
            input_bytes=None,
            output_bytes=specs[stage.makes].size_bytes,
            quantised=False,
            signature=f"{name}/{stage.name}",
        )
        for index, stage in enumerate(stages)
    )
    structure = repr([(name, stage.name, stage.reads, stage.makes) for stage in stages])
    return Network(
        name=name,
        inputs=(specs["input"],),
        outputs=(specs[stages[-1].makes],),
        layers=layers,
        tensors=specs,
        content_hash=sha256(structure.encode()).hexdigest(),
        source=NoModel(name),
    )


def device_unit(
    engine: str,
    name: str,
    kind: DeviceKind,
    *,
    own_memory: bool = False,
    cores: tuple[int, ...] = (),
) -> ComputeUnit:
    """A unit with a device of its own, fp32.

    Args:
        engine: What ran there.
        name: Of the device.
        kind: Of the device.
        own_memory: Tensors have to be moved to it; otherwise it shares the host's memory.
        cores: Of a CPU that is one of several.
    """
    memory = name if own_memory else "host"
    return ComputeUnit(engine, (Device(name, kind, memory, cores),), "fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A network of stages and what it costs.

    Attributes:
        units: In the order of the table's columns.
        entry_ns: Of each call of a unit, by its name; 0 where it says nothing.
        links: Between memories. The caller's memory is free to reach in any case.
    """

    name: str
    stages: tuple[Stage, ...]
    units: tuple[ComputeUnit, ...]
    entry_ns: Mapping[str, int] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    @property
    def network(self) -> Network:
        """What is run."""
        return staged_network(self.name, self.stages)

    @property
    def platform(self) -> Platform:
        """Where."""
        devices = tuple(device for unit in self.units for device in unit.devices)
        return Platform(self.name, "published", devices, self.units, self._all_links())

    @property
    def table(self) -> CostTable:
        """What it costs."""
        return CostTable(
            network_hash=self.network.content_hash,
            platform_fingerprint="published",
            layer_names=tuple(stage.name for stage in self.stages),
            units=tuple(UnitCosts(unit, self.entry_ns.get(unit.name, 0)) for unit in self.units),
            layer_ns=tuple(
                tuple(stage.times_ns.get(unit.name) for unit in self.units) for stage in self.stages
            ),
            links=self._all_links(),
        )

    def _all_links(self) -> tuple[Link, ...]:
        free = [
            Link(origin, target, 0, float("inf"), Provenance.ASSUMED)
            for unit in self.units
            if unit.memory != "host"
            for origin, target in (("host", unit.memory), (unit.memory, "host"))
        ]
        return (*self.links, *free)
