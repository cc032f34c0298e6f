"""How good plans with parallel branches are: value, bound, gap and time on GoogLeNet.

    python benchmarks/branch_planning.py [--network zoo:googlenet] [--time-limit 30] [--workers 1]

Three unlike units by a roofline: a layer takes the longer of its arithmetic and its traffic, and
something for its start. The rates are made up, of the size of a small board's CPU cluster, GPU and
NPU, and differ by the layer's kind and a seeded factor. In the first case entries cost nothing and
each unit has a memory of its own, with links that take 50 us to set up; in the second an
entry takes 20 us and all units share a memory. ``in turn`` is the lane that runs one segment
at a time, which every plan has to beat or meet.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Layer, Network
from counterpoint.network.loading import load
from counterpoint.planning.branches import plan_branches
from counterpoint.planning.latency import plan_latency
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Link, Provenance


@dataclass(frozen=True, slots=True)
class Roof:
    """What one unit can do."""

    kind: DeviceKind
    macs_per_ns: float
    bytes_per_ns: float
    start_ns: int
    conv_1x1: float  # speed at small kernels, relative


ROOFS = (
    Roof(DeviceKind.CPU, 25.0, 8.0, 3_000, 1.0),
    Roof(DeviceKind.GPU, 45.0, 10.0, 15_000, 0.7),
    Roof(DeviceKind.NPU, 60.0, 6.0, 10_000, 0.5),
)


def layer_ns(layer: Layer, roof: Roof, rng: Random) -> int:
    moved = layer.weight_bytes + (layer.input_bytes or 0) + (layer.output_bytes or 0)
    dense = layer.macs > 8 * max(1, moved)
    rate = roof.macs_per_ns * (1.0 if dense else roof.conv_1x1)
    time_ns = max(layer.macs / rate, moved / roof.bytes_per_ns) * rng.lognormvariate(0, 0.25)
    return roof.start_ns + round(time_ns)


def table_of(network: Network, *, entry_ns: int, shared: bool, seed: int) -> CostTable:
    rng = Random(seed)  # noqa: S311 - costs to try, not secrets
    units = []
    for index, roof in enumerate(ROOFS):
        memory = "host" if shared or not index else f"memory{index}"
        unit = ComputeUnit("model", (Device(f"{roof.kind}", roof.kind, memory),), "fp32")
        layout = LinearCost(2_000.0, 0.01) if shared else LinearCost()
        units.append(UnitCosts(unit, entry_ns, layout, layout))
    memories = list(dict.fromkeys(costs.unit.memory for costs in units))
    links = tuple(
        Link(origin, target, 50_000, 10e9, Provenance.ASSUMED)
        for origin in memories
        for target in memories
        if origin != target
    )
    rows = tuple(tuple(layer_ns(layer, roof, rng) for roof in ROOFS) for layer in network.layers)
    names = tuple(layer.name for layer in network.layers)
    return CostTable(network.content_hash, "model", names, tuple(units), rows, links=links)


def report(name: str, network: Network, table: CostTable, options: argparse.Namespace) -> None:
    one_by_one = plan_latency(network, table)
    began = perf_counter()
    plan = plan_branches(
        network, table, time_limit_s=options.time_limit, seed=options.seed, workers=options.workers
    )
    spent_s = perf_counter() - began
    if plan.value is None or plan.lower_bound is None or one_by_one.value is None:
        raise SystemExit(f"{name}: {plan.reason}")
    print(
        f"{name:<32} {plan.value / 1e6:>9.3f} {plan.lower_bound / 1e6:>9.3f} {plan.gap:>7.2%}"
        f" {spent_s:>7.1f} {one_by_one.value / 1e6:>9.3f} {one_by_one.value / plan.value:>7.3f}x"
        f" {len(plan.segments):>9} {plan.status:>9}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How good plans with parallel branches are.")
    parser.add_argument("--network", default="zoo:googlenet")
    parser.add_argument("--time-limit", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    network = load(options.network)
    print(f"{network.name}: {len(network.layers)} layers; {platform.machine()}, times in ms\n")
    print(
        f"{'costs':<32} {'value':>9} {'bound':>9} {'gap':>7} {'time s':>7} {'in turn':>9}"
        f" {'gain':>8} {'segments':>9} {'status':>9}"
    )
    for name, entry_ns, shared in (
        ("no entries, links of 50 us", 0, False),
        ("entries of 20 us, one memory", 20_000, True),
    ):
        table = table_of(network, entry_ns=entry_ns, shared=shared, seed=options.seed)
        report(name, network, table, options)


if __name__ == "__main__":
    main()
