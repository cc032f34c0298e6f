"""Random networks and cost tables, made of the data classes alone: no model file behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Link, Provenance


class NoSource:
    """A graph source that names its nodes and has no file to write."""

    def write_onnx(
        self, nodes: Sequence[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Path:
        raise AssertionError("a random network has no model file")

    def node_labels(self, node: int) -> tuple[str, ...]:
        return (f"node{node}",)


def network_of(
    reads: Sequence[Sequence[str]],
    makes: Sequence[Sequence[str]],
    *,
    inputs: Sequence[str] = ("in",),
    outputs: Sequence[str],
    items: dict[str, int] | None = None,
) -> Network:
    """A network of layers ``layer0``, ``layer1`` ... that read and make those tensors.

    Args:
        reads: Tensors that each layer reads.
        makes: Tensors that each layer makes.
        inputs: Tensors that the caller gives.
        outputs: Tensors that the caller gets.
        items: Number of float32 items of a tensor; 1 where it says nothing.
    """
    names = dict.fromkeys([*inputs, *(name for made in makes for name in made)])
    tensors = {name: TensorSpec(name, "float32", ((items or {}).get(name, 1),)) for name in names}

    def size_bytes(some: Sequence[str]) -> int:
        return sum(tensors[name].size_bytes or 0 for name in some)

    layers = tuple(
        Layer(
            index=index,
            name=f"layer{index}",
            kind="Conv",
            operators=("Conv",),
            nodes=(index,),
            inputs=tuple(read),
            outputs=tuple(made),
            macs=1000,
            weight_bytes=0,
            input_bytes=size_bytes(read),
            output_bytes=size_bytes(made),
            quantised=False,
            signature=f"signature{index}",
        )
        for index, (read, made) in enumerate(zip(reads, makes, strict=True))
    )
    return Network(
        name="random",
        inputs=tuple(tensors[name] for name in inputs),
        outputs=tuple(tensors[name] for name in outputs),
        layers=layers,
        tensors=tensors,
        content_hash=f"{reads!r} {makes!r} {outputs!r}",
        source=NoSource(),
    )


def random_network(rng: Random, *, layers: int) -> Network:
    """A network whose layers read up to 3 of the recent tensors and make 1 or 2.

    Tensors that nobody reads are returned to the caller, and now and then one that is read.
    """
    inputs = ["in0", "in1"][: rng.randint(1, 2)]
    tensors = list(inputs)
    reads: list[list[str]] = []
    makes: list[list[str]] = []
    for layer in range(layers):
        recent = tensors[-6:]
        count = rng.choice((1, 1, 2, 3))
        reads.append(rng.sample(recent, min(count, len(recent))))
        makes.append([f"t{layer}.{number}" for number in range(rng.choice((1, 1, 1, 2)))])
        tensors += makes[-1]
    read = {name for names in reads for name in names}
    made = tensors[len(inputs) :]
    outputs = [name for name in made if name not in read or rng.random() < 0.1]
    items = {name: rng.randint(1, 8) for name in tensors}
    return network_of(reads, makes, inputs=inputs, outputs=outputs, items=items)


def fake_unit(index: int, *, memory: str = "host") -> ComputeUnit:
    """Unit ``fake:NPU.<index>@fp32`` with a device of its own."""
    return ComputeUnit("fake", (Device(f"NPU.{index}", DeviceKind.NPU, memory),), "fp32")


def random_table(
    rng: Random,
    network: Network,
    *,
    units: int,
    refusal_chance: float = 0.1,
    missing_link_chance: float = 0.0,
) -> CostTable:
    """Small whole costs, so that ties are frequent, for units in the host's or their own memory.

    Args:
        rng: Decides everything.
        network: What the table is for.
        units: Number of columns.
        refusal_chance: Of a unit to refuse a layer; each layer keeps at least one unit.
        missing_link_chance: Of two memories not to be joined.
    """
    columns = tuple(
        UnitCosts(
            fake_unit(index, memory=rng.choice(("host", f"memory{index}"))),
            entry_ns=rng.randint(0, 8),
            read=LinearCost(rng.randint(0, 3), rng.randint(0, 4) / 4),
            write=LinearCost(rng.randint(0, 3), rng.randint(0, 4) / 4),
        )
        for index in range(units)
    )
    refusals: dict[tuple[int, int], str] = {}
    rows: list[tuple[int | None, ...]] = []
    for layer in range(len(network.layers)):
        row: list[int | None] = [rng.randint(0, 20) for _ in range(units)]
        willing = rng.randrange(units)
        for unit in range(units):
            if unit != willing and rng.random() < refusal_chance:
                row[unit] = None
                refusals[layer, unit] = f"operator of layer {layer} is unknown"
        rows.append(tuple(row))
    memories = sorted({"host", *(column.unit.memory for column in columns)})
    links = tuple(
        Link(origin, target, rng.randint(0, 5), rng.choice((5e8, 1e9, 4e9)), Provenance.ASSUMED)
        for origin in memories
        for target in memories
        if origin != target and rng.random() >= missing_link_chance
    )
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="random",
        layer_names=tuple(layer.name for layer in network.layers),
        units=columns,
        layer_ns=tuple(rows),
        refusals=refusals,
        links=links,
    )
