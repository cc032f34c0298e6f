"""Throughput by listing all lanes, and random tables in which resources are shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, groupby, permutations, product
from random import Random

from ortools.linear_solver import pywraplp

from counterpoint.costs.table import CostTable, LinearCost
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate
from counterpoint.planning.result import Segment
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Link, Provenance
from tests.random_networks import random_table

SCALE = 1_000
"""Of times, so that whole nanoseconds are fine enough."""


def shared_table(rng: Random, network: Network, *, missing_link_chance: float = 0.0) -> CostTable:
    """Units on the whole CPU, on two parts of it, and on an NPU whose links keep cores busy."""
    table = random_table(rng, network, units=4)
    devices = (
        Device("CPU", DeviceKind.CPU),
        Device("CPU.0", DeviceKind.CPU, cores=(0, 1)),
        Device("CPU.1", DeviceKind.CPU, cores=(2, 3)),
        Device("NPU", DeviceKind.NPU, memory="npu"),
    )
    links = (
        Link("host", "npu", 3 * SCALE, 1e6, Provenance.ASSUMED, occupies=("CPU.0",)),
        Link("npu", "host", 2 * SCALE, 2e6, Provenance.ASSUMED, occupies=("CPU.1", "NPU")),
    )
    chosen = sorted(rng.sample(range(4), rng.randint(1, 3)))
    rows = [[row[column] for column in chosen] for row in table.layer_ns]
    for row in rows:
        if not any(time_ns is not None for time_ns in row):
            row[rng.randrange(len(row))] = rng.randint(0, 20)
    return replace(
        table,
        units=tuple(
            replace(
                table.units[column],
                unit=ComputeUnit("fake", (devices[column],), "fp32"),
                entry_ns=table.units[column].entry_ns * SCALE,
                read=_scaled(table.units[column].read),
                write=_scaled(table.units[column].write),
            )
            for column in chosen
        ),
        layer_ns=tuple(
            tuple(None if time_ns is None else time_ns * SCALE for time_ns in row) for row in rows
        ),
        refusals={},
        links=tuple(link for link in links if rng.random() >= missing_link_chance),
    )


def _scaled(cost: LinearCost) -> LinearCost:
    return LinearCost(cost.fixed_ns * SCALE, cost.ns_per_byte * SCALE)


def all_lanes(network: Network, table: CostTable) -> list[Evaluation]:
    """Every lane that can run, layers in run order."""
    layers = range(len(network.layers))
    columns = product(range(len(table.units)), repeat=len(layers))
    return _possible(network, table, ([table.unit_names[c] for c in labels] for labels in columns))


def all_pipelines(network: Network, table: CostTable) -> list[Evaluation]:
    """Every lane of contiguous runs, each on a unit of its own."""
    return _possible(network, table, _pipelines(len(network.layers), table.unit_names))


def _pipelines(layers: int, units: Sequence[str]) -> Iterator[list[str]]:
    for count in range(1, min(layers, len(units)) + 1):
        for cuts in combinations(range(1, layers), count - 1):
            borders = (0, *cuts, layers)
            for order in permutations(units, count):
                yield [
                    unit
                    for unit, first, end in zip(order, borders[:-1], borders[1:], strict=True)
                    for _ in range(first, end)
                ]


def _possible(
    network: Network, table: CostTable, labellings: Iterator[list[str]]
) -> list[Evaluation]:
    found = []
    for labels in labellings:
        runs = groupby(range(len(labels)), key=labels.__getitem__)
        lane: list[Segment] = [(tuple(members), unit) for unit, members in runs]
        evaluation = evaluate(network, table, lane)
        if evaluation.latency_ns is not None:
            found.append(evaluation)
    return found


def busiest_ns(lane: Evaluation) -> int:
    """Interval between frames that all take this lane."""
    return max(lane.busy_ns.values(), default=0)


def least_interval_ns(lanes: Sequence[Evaluation], mean_latency_ns: int | None = None) -> float:
    """Of all mixes of the lanes: one linear program over all of them.

    Args:
        lanes: At least one.
        mean_latency_ns: The mean latency of the mix is at most that; ``None``: no limit.
    """
    if any(not busiest_ns(lane) for lane in lanes):
        return 0.0
    solver = pywraplp.Solver.CreateSolver("GLOP")
    rows = {
        name: solver.Constraint(0.0, 1.0)
        for name in dict.fromkeys(name for lane in lanes for name in lane.busy_ns)
    }
    late = solver.Constraint(-solver.infinity(), 0.0)
    solver.Objective().SetMaximization()
    for lane in lanes:
        frames = solver.NumVar(0.0, solver.infinity(), "")
        solver.Objective().SetCoefficient(frames, 1.0)
        for name, time_ns in lane.busy_ns.items():
            rows[name].SetCoefficient(frames, time_ns / SCALE)
        if mean_latency_ns is not None:
            late.SetCoefficient(frames, ((lane.latency_ns or 0) - mean_latency_ns) / SCALE)
    assert solver.Solve() == pywraplp.Solver.OPTIMAL
    return SCALE / float(solver.Objective().Value())
