"""Cost tables that hold energies: random ones, and those of a board on which it was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, product
from random import Random

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate
from counterpoint.planning.result import Segment
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.random_networks import network_of, random_table
from tests.shared_data import require

NETWORKS = (
    "alexnet",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "mobilenet_v1",
    "resnet50_v1",
)


def random_energy_table(
    rng: Random, network: Network, *, units: int, idle_power_mw: int | None, scale: int = 1
) -> CostTable:
    """A random table with powers up to 9 mW (or nobody knows) for layers, entries and moves.

    Args:
        rng: Decides everything.
        network: What the table is for.
        units: Number of columns.
        idle_power_mw: Of the machine.
        scale: Of times and powers: 10**6 for those of real networks, each moved a little.
    """
    table = random_table(rng, network, units=units, missing_link_chance=0.1)

    def scaled(number: int) -> int:
        return number * scale + rng.randrange(scale)

    columns = tuple(
        replace(
            unit,
            entry_ns=scaled(unit.entry_ns),
            overhead_power_mw=rng.choice((None, rng.randint(0, 9))),
        )
        for unit in table.units
    )
    times = tuple(
        tuple(None if cell is None else scaled(cell) for cell in row) for row in table.layer_ns
    )
    energies = tuple(
        tuple(
            None if cell is None or rng.random() < 0.05 else cell * scaled(rng.randint(0, 9))
            for cell in row
        )
        for row in times
    )
    return replace(
        table,
        units=columns,
        layer_ns=times,
        layer_energy_pj=energies,
        idle_power_mw=idle_power_mw,
    )


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane that can run, all of whose energy is known."""

    segments: tuple[Segment, ...]
    evaluation: Evaluation
    latency_ns: int
    energy_pj: int


def all_lanes(network: Network, table: CostTable) -> Iterator[Lane]:
    """Every lane whose segments are runs of layers of one unit, with its energy, idle included."""
    energies = table.layer_energy_pj
    assert energies is not None
    for labels in product(range(len(table.units)), repeat=len(network.layers)):
        if any(energies[layer][unit] is None for layer, unit in enumerate(labels)):
            continue
        runs = groupby(range(len(labels)), key=labels.__getitem__)
        segments = tuple((tuple(members), table.unit_names[unit]) for unit, members in runs)
        found = evaluate(network, table, segments)
        if found.latency_ns is None or found.energy_pj is None:
            continue
        idle_pj = (table.idle_power_mw or 0) * found.latency_ns
        yield Lane(segments, found, found.latency_ns, found.energy_pj + idle_pj)


def khadas_vim3(name: str) -> tuple[Network, CostTable]:
    """A network on an Amlogic A311D: stages in a row on its big cores, LITTLE cores and GPU.

    Times of stages and the power of the whole board meanwhile, as measured by the authors of
    CO-UP-Profiling (Ehsan-aghapour on GitHub), so that idle power is none of its own. Handing over
    costs nothing.
    """
    path = require("measurements/a311d_khadas_vim3/layers.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["network"] == name]
    places = list(dict.fromkeys(row["unit"] for row in rows))
    stages = max(int(row["stage"]) for row in rows) + 1
    cell = {(int(row["stage"]), row["unit"]): row for row in rows}
    network = network_of(
        [["in"], *([f"t{stage}"] for stage in range(stages - 1))],
        [[f"t{stage}"] for stage in range(stages)],
        outputs=[f"t{stages - 1}"],
    )

    def time_ns(stage: int, place: str) -> int:
        return round(float(cell[stage, place]["task_ms"]) * 1e6)

    def power_mw(stage: int, place: str) -> int:
        return round(float(cell[stage, place]["power_mw"]))

    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="A311D",
        layer_names=tuple(layer.name for layer in network.layers),
        units=tuple(
            UnitCosts(ComputeUnit("armcl", (_device(place),), "fp32"), 0) for place in places
        ),
        layer_ns=tuple(tuple(time_ns(stage, place) for place in places) for stage in range(stages)),
        layer_energy_pj=tuple(
            tuple(time_ns(stage, place) * power_mw(stage, place) for place in places)
            for stage in range(stages)
        ),
    )
    return network, table


def _device(place: str) -> Device:
    if place.startswith("gpu"):
        return Device("GPU", DeviceKind.GPU)
    group, cores = ("CPU.0", (0, 1, 2, 3)) if "big" in place else ("CPU.1", (4, 5))
    return Device(group, DeviceKind.CPU, cores=cores)
