"""What lifting refusals would gain: plans again, at estimates that are the unit's best."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.lifting import Lift, lifted, lifts
from counterpoint.costs.models.nvdla import Nvdla
from counterpoint.costs.models.protocol import BestCase
from counterpoint.costs.models.vta import Vta
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Layer, LoopNest, Network
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.lifting import gains
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.report.lifting import gain_lines, gains_body
from tests.random_networks import network_of, random_network, random_table

NPU = ComputeUnit("npu", (Device("NPU", DeviceKind.NPU),), "int8")


def layer_like(**changes: object) -> Layer:
    values: dict[str, object] = {
        "index": 0,
        "name": "add",
        "kind": "Add",
        "operators": ("Add", "Relu"),
        "nodes": (0,),
        "inputs": ("a", "b"),
        "outputs": ("y",),
        "macs": 0,
        "weight_bytes": 0,
        "input_bytes": 2 * 6400,
        "output_bytes": 6400,
        "quantised": True,
        "signature": "add",
        "input_items": 2 * 6400,
        "output_items": 6400,
    }
    return Layer(**{**values, **changes})  # type: ignore[arg-type]


def test_vta_at_best() -> None:
    """By hand: 400 vectors made, 800 read; 8 bytes a cycle at 100 MHz."""
    model = Vta()
    assert isinstance(model, BestCase)
    added = model.at_best(layer_like())
    assert added is not None
    assert added.time_ns == (400 * 4 * 2 + 800 * 2) * 10
    nest = LoopNest(batch=1, in_channels=3, out_channels=64, output_size=(10, 10), kernel=(3, 3))
    first = model.at_best(
        layer_like(kind="Conv", loops=nest, input_items=300, weight_bytes=1728, macs=1)
    )
    assert first is not None
    assert first.time_ns == 100 * 4 * (9 * 1 + 1 + 8) * 10  # 3 channels fill one block of 16
    product = layer_like(kind="Gemm", loops=LoopNest(batch=1, in_channels=512, out_channels=1000))
    bound = model.at_best(replace(product, input_items=512, weight_bytes=512_000))
    assert bound is not None
    assert bound.time_ns == 512_512 // 8 * 10  # the weights come over the port
    assert model.at_best(layer_like(input_items=None)) is None


def test_nvdla_at_best() -> None:
    model = Nvdla(mac_count=64, clock_mhz=1000.0, dram_bytes_per_s=1e9)
    moved = model.at_best(layer_like())
    assert moved is not None
    assert moved.time_ns == 3 * 6400
    busy = model.at_best(layer_like(macs=64 * 10**6))
    assert busy is not None
    assert busy.time_ns == 10**6


@given(seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_lifting_never_costs(seed: int) -> None:
    random = Random(seed)
    network = random_network(random, layers=random.randint(1, 6))
    table = random_table(random, network, units=2, refusal_chance=0.5)
    before = plan_latency(network, table).value
    for gain in gains(network, table, lifts(network, table)):
        again = plan_latency(network, lifted(table, gain.lift))
        assert gain.after_ns == again.value
        assert gain.before_ns == before
        assert set(gain.moved) <= set(gain.lift.predicted_ns)
        if before:
            assert gain.after_ns is not None
            assert gain.after_ns <= before
            assert gain.share == (before - gain.after_ns) / before


def two_units(
    rows: list[tuple[int | None, int | None]],
    reasons: dict[int, str],
    second: ComputeUnit | None = None,
) -> tuple[Network, CostTable]:
    """A chain of layers of 1000 multiply-adds and 8 bytes; the NPU, first, refuses some."""
    names = [f"t{layer}" for layer in range(len(rows))]
    network = network_of(
        [["in"], *([name] for name in names[:-1])], [[name] for name in names], outputs=names[-1:]
    )
    cpu = second or ComputeUnit("cpu", (Device("CPU", DeviceKind.CPU),), "fp32")
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="made up",
        layer_names=tuple(layer.name for layer in network.layers),
        units=(UnitCosts(NPU, 0), UnitCosts(cpu, 0)),
        layer_ns=tuple(rows),
        refusals={(layer, 0): reason for layer, reason in reasons.items()},
    )
    return network, table


def test_a_measured_units_roofline_is_its_fastest_layers() -> None:
    """1000 multiply-adds in 10 ns and 8 bytes in 10 ns at best: a refused layer takes 10 ns."""
    reasons = {1: "no pools", 2: "3 channels", 3: "5 channels"}
    network, table = two_units([(10, 90), (None, 100), (None, 50), (None, 60), (40, 90)], reasons)
    found = {lift.reason: lift for lift in lifts(network, table)}
    assert set(found) == {"no pools", "3 channels", None}
    assert found["3 channels"].predicted_ns == {2: 10, 3: 10}
    assert found[None].predicted_ns == {1: 10, 2: 10, 3: 10}
    best, *others = gains(network, table, found.values())
    assert best.lift.reason is None
    assert (best.before_ns, best.after_ns) == (260, 80)
    assert best.share == pytest.approx(180 / 260)
    assert best.moved == (1, 2, 3)
    assert {gain.lift.reason: gain.after_ns for gain in others} == {
        "no pools": 170,
        "3 channels": 170,
    }


def test_without_any_time_nothing_is_estimated() -> None:
    network, table = two_units([(None, 5), (None, 5)], {0: "no", 1: "no"})
    assert lifts(network, table) == ()


def test_a_plan_where_there_was_none() -> None:
    network, table = two_units([(10, None), (None, None)], {1: "no pools"})
    (gain,) = gains(network, table, lifts(network, table))
    assert gain.before_ns is None
    assert gain.after_ns == 20
    assert gain.share is None


def test_the_same_processor_with_another_device_is_told_once() -> None:
    together = ComputeUnit("npu", (*NPU.devices, Device("CPU", DeviceKind.CPU)), "int8")
    network, table = two_units([(10, 10), (None, None)], {1: "no pools"}, together)
    twice = CostTable(
        network_hash=table.network_hash,
        platform_fingerprint=table.platform_fingerprint,
        layer_names=table.layer_names,
        units=table.units,
        layer_ns=table.layer_ns,
        refusals={(1, 0): "no pools", (1, 1): "no pools"},
    )
    assert [lift.unit for lift in lifts(network, twice)] == [NPU.name]


def test_what_is_told() -> None:
    network, table = two_units([(10, 90), (None, 100), (None, 1)], {1: "no pools", 2: "no sums"})
    lines = gain_lines(network, gains(network, table, lifts(network, table)))
    told = "\n".join(lines)
    assert "predicted" in lines[0]
    assert f"if {NPU.name} ran Conv x 1 (no pools), the network would take 81.1 % less" in told
    assert "lifting any of the others (1) by itself would gain nothing" in told
    assert gain_lines(network, ()) == []
    (first, *_) = gains_body(gains(network, table, [Lift(NPU.name, "no pools", {1: 10})]))
    assert isinstance(first, dict)
    assert first["predicted_latency_ns"] == 21
