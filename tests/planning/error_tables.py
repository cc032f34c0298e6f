"""Cost tables with errors and with variants of units, and all their lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, product
from random import Random

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate
from counterpoint.planning.result import Segment
from tests.random_networks import random_table


def random_error_table(rng: Random, network: Network, *, units: int) -> CostTable:
    """A random table; each unit may have a variant beside it that is quicker and noisier."""
    table = random_table(rng, network, units=units, missing_link_chance=0.1)
    columns: list[UnitCosts] = []
    times: list[list[int | None]] = [[] for _ in network.layers]
    errors: list[list[int | None]] = [[] for _ in network.layers]
    energies: list[list[int | None]] = [[] for _ in network.layers]

    def add(costs: UnitCosts, cells: list[int | None], noise: int) -> None:
        columns.append(costs)
        for layer, cell in enumerate(cells):
            times[layer].append(cell)
            energies[layer].append(None if cell is None else cell * rng.randint(0, 9))
            errors[layer].append(None if rng.random() < 0.05 else rng.randint(0, noise))

    for column, costs in enumerate(table.units):
        own = [row[column] for row in table.layer_ns]
        add(costs, own, rng.choice((0, 3)))
        if rng.random() < 0.7:
            variant = replace(
                costs,
                unit=replace(costs.unit, settings=(("layers", "int8"),)),
                variant_of=costs.unit.name,
                convert=LinearCost(rng.randint(0, 2), rng.randint(0, 4) / 4),
            )
            quick = [None if c is None or rng.random() < 0.2 else c // 2 for c in own]
            add(variant, quick, 40)
    return replace(
        table,
        units=tuple(columns),
        layer_ns=tuple(tuple(row) for row in times),
        refusals={},
        layer_error_ppb=tuple(tuple(row) for row in errors),
        layer_energy_pj=tuple(tuple(row) for row in energies),
    )


@dataclass(frozen=True, slots=True)
class NoisyLane:
    """A lane that can run, and all of whose noise is known."""

    segments: tuple[Segment, ...]
    evaluation: Evaluation
    latency_ns: int
    energy_pj: int
    error_ppb: int


def all_lanes(network: Network, table: CostTable) -> Iterator[NoisyLane]:
    """Every lane whose segments are runs of layers of one column."""
    for labels in product(range(len(table.units)), repeat=len(network.layers)):
        runs = groupby(range(len(labels)), key=labels.__getitem__)
        segments = tuple((tuple(members), table.unit_names[unit]) for unit, members in runs)
        found = evaluate(network, table, segments)
        if found.latency_ns is None or found.error_ppb is None or found.energy_pj is None:
            continue
        assert table.layer_error_ppb is not None
        noise = sum(table.layer_error_ppb[layer][unit] or 0 for layer, unit in enumerate(labels))
        assert noise == found.error_ppb
        yield NoisyLane(segments, found, found.latency_ns, found.energy_pj, noise)
