"""Layers against the roof of their unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoint.bench.breakdown.layer_types import layer_type
from counterpoint.bench.breakdown.node_overhead import node_overhead_ns
from counterpoint.bench.breakdown.roofline import node_overheads, roofline_points
from counterpoint.bench.result import Bound, Breakdown, Function, Part
from counterpoint.engines.registry import planning_engines, with_units
from counterpoint.measure.peak import UnitPeak
from counterpoint.network.graph import Layer, Network
from counterpoint.network.loading import load
from counterpoint.network.node_probe import chain_network
from counterpoint.platform.host import host_platform
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.planned import plan_on_unit
from tests.bench.records import contender
from tests.fake_engine import FakeEngine, fake_network, fake_platform

RATE, BANDWIDTH = 2e12, 5e10


@pytest.fixture(scope="module")
def network() -> Network:
    return load("zoo:mobilenet_v1", keep_batchnorm=True)


def planned(network: Network, precision: str = "fp32") -> tuple[Platform, Plan]:
    base = fake_platform("NPU.0")
    platform = replace(base, units=(replace(base.units[0], precision=precision),))
    engines = {"fake": FakeEngine()}
    return platform, plan_on_unit(network, platform, engines, platform.units[0].name)


def broken_down(*parts: Part) -> Breakdown:
    return Breakdown(
        network="n",
        contender=contender(),
        threads=1,
        whole_ns=sum(part.time_ns for part in parts),
        parts=parts,
        instruments=(),
    )


def layer_of(network: Network, kind: str) -> Layer:
    return next(layer for layer in network.layers if layer_type("", layer) == kind)


@pytest.mark.parametrize(("precision", "item_bytes"), [("fp32", 4), ("bf16", 2), ("int8", 4)])
def test_operations_and_bytes_of_a_convolution(
    network: Network, precision: str, item_bytes: int
) -> None:
    layer = layer_of(network, "Conv")  # 3 x 224 x 224 to 32 x 112 x 112, 3 x 3
    platform, plan = planned(network)
    if precision != "fp32":
        platform = replace(platform, units=(replace(platform.units[0], precision=precision),))
        lane = plan.lanes[0]
        segment = replace(lane.segments[0], unit=platform.units[0].name)
        plan = replace(plan, lanes=(replace(lane, segments=(segment,)),))
    unit = platform.units[0].name
    part = Part(Function.COMPUTE, 1_000_000, layer.name, "Conv")
    (found,) = roofline_points(
        network,
        broken_down(part),
        plan,
        platform,
        peaks=[UnitPeak(unit, RATE)],
        copy_bytes_per_s=BANDWIDTH,
    )
    pixels = 112 * 112
    assert found.operations == 2 * pixels * 32 * 3 * 9
    items = 3 * 224 * 224 + 32 * pixels + layer.weight_bytes // 4
    assert found.moved_bytes == items * item_bytes
    compute_ns, memory_ns = found.operations * 1e9 / RATE, found.moved_bytes * 1e9 / BANDWIDTH
    assert found.roof_ns == round(max(compute_ns, memory_ns))
    assert found.bound is (Bound.COMPUTE if compute_ns > memory_ns else Bound.MEMORY)
    assert (found.time_ns, found.unit, found.network) == (1_000_000, unit, "n")


def test_batchnorm_is_two_operations_for_each_item_and_no_weights(network: Network) -> None:
    layer = layer_of(network, "Conv")
    platform, plan = planned(network)
    parts = [
        Part(Function.COMPUTE, 500, layer.name, "Conv"),
        Part(Function.COMPUTE, 100, layer.name, "BatchNorm"),
        Part(Function.COMPUTE, 50, layer.name, "activation"),
        Part(Function.COPIES, 70, layer.name, "re-layout"),
    ]
    found = {
        point.layer_type: point
        for point in roofline_points(
            network,
            broken_down(*parts),
            plan,
            platform,
            peaks=[UnitPeak(platform.units[0].name, RATE)],
            copy_bytes_per_s=BANDWIDTH,
        )
    }
    items = 32 * 112 * 112
    assert set(found) == {"Conv", "BatchNorm", "activation"}  # a re-layout is no work of a layer
    assert found["BatchNorm"].operations == 2 * items
    assert found["activation"].operations == items
    assert found["BatchNorm"].moved_bytes == 2 * 4 * items


def test_threads_and_dispatch_beyond_the_roof_make_overhead(network: Network) -> None:
    layer = layer_of(network, "Conv")
    platform, plan = planned(network)
    unit = platform.units[0].name

    def bound(waiting_ns: int, node_ns: int) -> Bound:
        parts = [
            Part(Function.COMPUTE, 10, layer.name, "Conv"),
            Part(Function.WAITING, waiting_ns, layer.name, "Conv"),
        ]
        (found,) = roofline_points(
            network,
            broken_down(*parts),
            plan,
            platform,
            peaks=[UnitPeak(unit, RATE)],
            copy_bytes_per_s=BANDWIDTH,
            overheads_ns={unit: node_ns},
        )
        assert found.time_ns == 10 + waiting_ns
        roof_ns.append(found.roof_ns)
        return found.bound

    roof_ns: list[int] = []
    assert bound(0, 0) is not Bound.OVERHEAD
    roof = roof_ns[0]
    assert bound(roof - 2, 0) is not Bound.OVERHEAD
    assert bound(roof // 2, roof // 2 + 2) is Bound.OVERHEAD
    assert bound(0, roof + 1) is Bound.OVERHEAD


def test_without_peaks_there_are_no_points(network: Network) -> None:
    platform, plan = planned(network)
    part = Part(Function.COMPUTE, 1, network.layers[0].name, "Conv")
    unit = platform.units[0].name
    for peaks, bandwidth in (
        ([UnitPeak(unit, None, "asleep")], BANDWIDTH),
        ([UnitPeak("other", RATE)], BANDWIDTH),
        ([UnitPeak(unit, RATE)], None),
    ):
        found = roofline_points(
            network,
            broken_down(part),
            plan,
            platform,
            peaks=peaks,
            copy_bytes_per_s=bandwidth,
        )
        assert found == ()


def test_layers_of_unknown_shapes_have_no_point() -> None:
    network = fake_network([["x"]], shape=None)
    platform, plan = planned(network)
    found = roofline_points(
        network,
        broken_down(Part(Function.COMPUTE, 1, "layer0", "elementwise")),
        plan,
        platform,
        peaks=[UnitPeak(platform.units[0].name, RATE)],
        copy_bytes_per_s=BANDWIDTH,
    )
    assert found == ()


def test_the_chain_that_shows_overhead_is_layers_that_hardly_compute() -> None:
    chain = chain_network(5)
    assert [layer.macs for layer in chain.layers] == [16 * 16 * 16] * 5


def test_overhead_of_a_node_is_measured_where_the_probe_runs() -> None:
    engines = planning_engines()
    units = with_units(host_platform(), engines).units
    unit = next(unit for unit in units if unit.engine == "onnxruntime" and not unit.settings)
    found = node_overheads([unit], engines)
    assert set(found) == {unit.name}
    assert 0 <= found[unit.name] < 10_000_000
    nowhere = replace(unit, settings=(("provider", "NoSuchProvider"),))
    assert node_overhead_ns(nowhere, engines["onnxruntime"]) is None
    assert node_overheads([nowhere], engines) == {}
