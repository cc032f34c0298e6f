from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.network.graph import Network
from counterpoint.network.split import Split
from counterpoint.planning.evaluator import evaluate
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.plan import check_plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.planned import plan_of
from counterpoint.tuning.split_plan import chosen_splits, plan_split, split_table
from counterpoint.tuning.verification import compare
from tests.tuning.small_network import CHANNELS, EDGE, small_network

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
UNITS = tuple(
    ComputeUnit("onnxruntime", (Device(f"NPU.{n}", DeviceKind.NPU),), "fp32") for n in range(2)
)


def table_of(network: Network, *rows: tuple[int, int]) -> CostTable:
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=tuple(layer.name for layer in network.layers),
        units=tuple(UnitCosts(unit, 1000) for unit in UNITS),
        layer_ns=rows,
    )


def test_a_large_layer_is_split_in_proportion_to_the_units_speeds() -> None:
    network = small_network()
    small = (15_000, 15_000)
    table = table_of(network, small, small, (3_000_000, 1_000_000), small, small)
    assert chosen_splits(network, table) == (Split(("conv2",), "channels", (3, 1)),)
    found = plan_split(network, table, time_limit_s=5)
    assert [layer.name for layer in found.network.layers][2:5] == [
        "conv2/part0",
        "conv2/part1",
        "conv2/concat",
    ]
    whole_ns = 4 * 15_000 + 1_000_000
    assert found.planned.value is not None
    assert found.planned.value < whole_ns
    segments = found.planned.segments
    units = {layer: unit for layers, unit in segments for layer in layers}
    assert units[2] != units[3]
    assert evaluate(found.network, found.table, segments).makespan_ns == found.planned.value


def test_nothing_is_split_where_nothing_pays() -> None:
    network = small_network()
    alike = table_of(network, *[(100_000, 10_000_000)] * 5)
    found = plan_split(network, alike)
    assert (found.splits, found.network) == ((), network)
    alone = replace(alike, units=(UnitCosts(UNITS[0], 0),) * 2)  # they share their device
    assert chosen_splits(network, alone) == ()


def test_large_neighbours_stay_split_between() -> None:
    network = small_network()
    table = table_of(network, *[(5_000_000, 5_000_000)] * 5)
    splits = chosen_splits(network, table)
    assert splits[0] == Split(("conv0",), "channels", (1, 1)) or splits[0].axis == "rows"
    assert any(len(wanted.layers) > 1 for wanted in splits)
    assert {name for wanted in splits for name in wanted.layers} == {
        layer.name for layer in network.layers
    }


def test_a_part_costs_its_share() -> None:
    network = small_network()
    table = table_of(network, *[(800_000, 400_000)] * 5)
    found = plan_split(network, table, time_limit_s=2)
    costs = split_table(network, table, found.network, found.splits)
    for wanted in found.splits:
        for name in wanted.layers:
            for number, part in enumerate(wanted.parts):
                row = costs.layer_ns[costs.layer_names.index(f"{name}/part{number}")]
                share = part / sum(wanted.parts)
                assert row == (round(share * 800_000), round(share * 400_000))


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores for parts side by side")
def test_a_split_plan_runs_and_computes_the_same() -> None:
    network = small_network()
    devices = tuple(
        Device(f"CPU.{n}", DeviceKind.CPU, cores=(core,)) for n, core in enumerate(CORES[:2])
    )
    units = tuple(ComputeUnit("onnxruntime", (device,), "fp32") for device in devices)
    table = replace(
        table_of(network, *[(2_000_000, 2_000_000)] * 5),
        units=tuple(UnitCosts(unit, 1000) for unit in units),
    )
    platform = Platform("test", "test", devices, units)
    engines = {"onnxruntime": OnnxRuntimeEngine()}
    found = plan_split(network, table, time_limit_s=2)
    assert found.splits
    plan = plan_of(found.network, platform, engines, found.table, found.planned)
    check_plan(plan, found.network, platform)
    frame = {"input": np.random.default_rng(0).random((1, CHANNELS, EDGE, EDGE), np.float32)}
    with Session(found.network, plan, engines=engines, platform=platform) as session:
        made = session.run(None, frame)
    whole = engines["onnxruntime"].compile(
        network.whole(), ComputeUnit("onnxruntime", (Device("CPU", DeviceKind.CPU),), "fp32")
    )
    assert compare([made], [whole.run([frame["input"]])], 1e-5).passed
