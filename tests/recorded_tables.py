"""Networks and costs of a Khadas VIM3 board (Amlogic A311D), from published measurements.

``layers.csv`` has the time of each stage on each component; stages form a chain. The components
compute from memories of their own here, joined by links of half a millisecond that keep the
receiving device busy: what published switched runs imply. The caller's memory is free to reach.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.platform.model import (
    ComputeUnit,
    Device,
    DeviceKind,
    Link,
    Platform,
    Provenance,
)
from tests.random_networks import network_of
from tests.shared_data import require

A311D = "measurements/a311d_khadas_vim3"
A311D_NETWORKS = (
    "alexnet",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "mobilenet_v1",
    "resnet50_v1",
)
HAND_OVER_NS = 500_000
FREE = float("inf")

BIG, LITTLE, GPU = "armcl:CPU.0@fp32", "armcl:CPU.1@fp32", "armcl:GPU@fp32"
A311D_TWO = (BIG, GPU)
A311D_THREE = (BIG, LITTLE, GPU)
_RECORDED = {BIG: "cpu_big_4xA73", LITTLE: "cpu_little_2xA53", GPU: "gpu_mali_g52"}
_LETTERS = {"B": BIG, "L": LITTLE, "G": GPU}
_UNITS = {
    unit.name: unit
    for unit in (
        ComputeUnit("armcl", (Device("CPU.0", DeviceKind.CPU, "big", (2, 3, 4, 5)),), "fp32"),
        ComputeUnit("armcl", (Device("CPU.1", DeviceKind.CPU, "little", (0, 1)),), "fp32"),
        ComputeUnit("armcl", (Device("GPU", DeviceKind.GPU, "gpu"),), "fp32"),
    )
}


def a311d_costs(name: str, units: Sequence[str] = A311D_THREE) -> tuple[Network, CostTable]:
    """The stages of a network as layers, and their recorded times on those units."""
    times = _stage_ns(name)
    stages = len(times[_RECORDED[BIG]])
    tensors = ["in", *(f"t{stage}" for stage in range(stages))]
    network = network_of(
        [[tensor] for tensor in tensors[:-1]],
        [[tensor] for tensor in tensors[1:]],
        outputs=[tensors[-1]],
    )
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="a311d",
        layer_names=tuple(layer.name for layer in network.layers),
        units=tuple(UnitCosts(_UNITS[unit], 0) for unit in units),
        layer_ns=tuple(
            tuple(times[_RECORDED[unit]][stage] for unit in units) for stage in range(stages)
        ),
        links=_links(units),
    )
    return network, table


def a311d_platform(table: CostTable) -> Platform:
    """The board with the units of that table."""
    units = tuple(costs.unit for costs in table.units)
    return Platform("A311D", table.platform_fingerprint, table.devices, units, table.links)


def a311d_measured_orders(name: str) -> list[tuple[tuple[tuple[int, ...], str], ...]]:
    """The orders that were measured on the board, each as segments."""
    with (require(A311D) / "switched_runs.csv").open(newline="", encoding="utf-8") as file:
        orders = [row["order"] for row in csv.DictReader(file) if row["network"] == name]
    return [_segments(order) for order in orders]


def _segments(order: str) -> tuple[tuple[tuple[int, ...], str], ...]:
    starts = [i for i, letter in enumerate(order) if i == 0 or order[i - 1] != letter]
    ends = [*starts[1:], len(order)]
    return tuple(
        (tuple(range(start, end)), _LETTERS[order[start]])
        for start, end in zip(starts, ends, strict=True)
    )


def _stage_ns(name: str) -> Mapping[str, list[int]]:
    times: defaultdict[str, list[int]] = defaultdict(list)
    with (require(A311D) / "layers.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["network"] == name:
                assert int(row["stage"]) == len(times[row["unit"]])
                times[row["unit"]].append(round(float(row["task_ms"]) * 1e6))
    return times


def _links(units: Sequence[str]) -> tuple[Link, ...]:
    devices = [_UNITS[unit].devices[0] for unit in units]
    links = []
    for target in devices:
        links.append(Link("host", target.memory, 0, FREE, Provenance.ASSUMED))
        links.append(Link(target.memory, "host", 0, FREE, Provenance.ASSUMED))
        links += [
            Link(
                origin.memory,
                target.memory,
                HAND_OVER_NS,
                FREE,
                Provenance.ASSUMED,
                occupies=(target.name,),
            )
            for origin in devices
            if origin is not target
        ]
    return tuple(links)
