"""How long planning takes: chains, residual networks, four branches, dense blocks; 8 units.

    python benchmarks/planning_speed.py [--rounds 5] [--json samples.json]

The networks are only graphs and their costs are random: layers of 0.1 to 10 ms, units that differ
by layer, hand-overs of about a third of a layer, every fourth unit in a memory of its own. All
cases run once in each round, after a warm-up round. ``label`` is the search alone; ``plan`` is all
of ``plan_latency``: setting up the problem, the search, and the check by the evaluator.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.problem import latency_problem
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Link, Provenance

Readings = list[list[int]]
"""Layers that each layer reads; the first reads the network's input."""


def chain(layers: int) -> Readings:
    return [[layer - 1] for layer in range(layers)]


def residual(layers: int) -> Readings:
    """Blocks of three convolutions and an Add of the block's input."""
    reads = chain(layers)
    for add in range(4, layers, 4):
        reads[add] = [add - 4, add - 1]
    return reads


def branches(layers: int) -> Readings:
    """GoogLeNet's blocks: branches of 1, 2, 2 and 2 layers, and a Concat."""
    reads = chain(layers)
    for block in range(1, layers - 7, 8):
        before = block - 1
        for first in (block, block + 1, block + 3, block + 5):
            reads[first] = [before]
        reads[block + 7] = [block, block + 2, block + 4, block + 6]
    return reads


def dense(layers: int) -> Readings:
    """DenseNet's blocks of 12: a Concat of all before, then two convolutions."""
    reads = chain(layers)
    for block in range(0, layers, 36):
        features = [block]
        for concat in range(block + 1, min(block + 34, layers - 2), 3):
            reads[concat] = list(features)
            features.append(concat + 2)
    return reads


class NoSource:
    """The graph has no nodes behind it."""

    def write_onnx(
        self, nodes: Sequence[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Path:
        raise NotImplementedError

    def node_labels(self, node: int) -> tuple[str, ...]:
        return ()


def network_of(reads: Readings, rng: Random) -> Network:
    """Layer ``i`` makes tensor ``t<i>`` of 10 KB to 3 MB; the last one is returned."""
    tensors = {"t-1": TensorSpec("t-1", "uint8", (150_528,))}
    layers = []
    for index, sources in enumerate(reads):
        name = f"t{index}"
        tensors[name] = TensorSpec(name, "uint8", (int(10 ** rng.uniform(4, 6.5)),))
        layers.append(
            Layer(
                index=index,
                name=f"layer{index}",
                kind="Conv",
                operators=("Conv",),
                nodes=(index,),
                inputs=tuple(f"t{source}" for source in sources),
                outputs=(name,),
                macs=0,
                weight_bytes=0,
                input_bytes=None,
                output_bytes=None,
                quantised=False,
                signature=name,
            )
        )
    last = tensors[f"t{len(reads) - 1}"]
    return Network("graph", (tensors["t-1"],), (last,), tuple(layers), tensors, "graph", NoSource())


def table_of(network: Network, units: int, rng: Random) -> CostTable:
    columns = []
    for index in range(units):
        memory = f"memory{index}" if index % 4 == 3 else "host"
        device = Device(f"NPU.{index}", DeviceKind.NPU, memory)
        columns.append(
            UnitCosts(
                ComputeUnit("model", (device,), "fp32"),
                round(rng.uniform(20_000, 150_000)),
                read=LinearCost(rng.uniform(1e3, 2e4), rng.uniform(0.2, 2.0)),
                write=LinearCost(rng.uniform(1e3, 2e4), rng.uniform(0.2, 2.0)),
            )
        )
    speeds = [rng.lognormvariate(0, 0.4) for _ in columns]
    rows = []
    for _ in network.layers:
        work_ns = 10 ** rng.uniform(5, 7)
        rows.append(tuple(round(work_ns * s * rng.lognormvariate(0, 0.4)) for s in speeds))
    memories = sorted({column.unit.memory for column in columns})
    links = tuple(
        Link(origin, target, 10_000, 8e9, Provenance.ASSUMED)
        for origin in memories
        for target in memories
        if origin != target
    )
    names = tuple(layer.name for layer in network.layers)
    return CostTable("graph", "model", names, tuple(columns), tuple(rows), links=links)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    graph: Callable[[int], Readings]
    layers: int
    units: int = 8


CASES = (
    Case("chain", chain, 1_000),
    Case("chain", chain, 10_000),
    Case("residual", residual, 1_000),
    Case("residual", residual, 10_000),
    Case("four branches", branches, 500),
    Case("dense blocks", dense, 200),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Samples in seconds, one for each round, and what the plan was."""

    case: Case
    label_s: list[float]
    plan_s: list[float]
    outcomes: list[str]


def measure(rounds: int) -> list[Timing]:
    prepared = []
    for case in CASES:
        rng = Random(1)  # noqa: S311 - costs to try, not secrets
        network = network_of(case.graph(case.layers), rng)
        prepared.append((Timing(case, [], [], []), network, table_of(network, case.units, rng)))
    for number in range(rounds + 1):
        for timing, network, table in prepared:
            problem = latency_problem(network, table)
            began = perf_counter()
            label(problem)
            between = perf_counter()
            plan = plan_latency(network, table)
            ended = perf_counter()
            if number:  # the first round warms up
                timing.label_s.append(between - began)
                timing.plan_s.append(ended - between)
                timing.outcomes.append(f"{plan.status}, {len(plan.segments)} segments")
    return [timing for timing, _, _ in prepared]


def spread(samples: list[float]) -> str:
    return f"{statistics.median(samples):.3f} ({min(samples):.3f} to {max(samples):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="How long planning takes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the samples there")
    options = parser.parse_args()
    timings = measure(max(1, options.rounds))
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    print("seconds: median (least to most)\n")
    print("graph          layers  units  label                   plan                    answer")
    for timing in timings:
        case = timing.case
        print(
            f"{case.name:<14} {case.layers:>6} {case.units:>6}  {spread(timing.label_s):<22}"
            f"  {spread(timing.plan_s):<22}  {timing.outcomes[-1]}"
        )
    if options.json:
        samples = [
            {
                "graph": timing.case.name,
                "layers": timing.case.layers,
                "units": timing.case.units,
                "label_s": timing.label_s,
                "plan_s": timing.plan_s,
            }
            for timing in timings
        ]
        options.json.write_text(json.dumps(samples))


if __name__ == "__main__":
    main()
