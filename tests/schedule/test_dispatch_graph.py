from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode, dispatch_graph
from tests.fake_engine import fake_network, fake_platform
from tests.schedule.random_plans import dispatch_graphs, plan_for

DIAMOND = fake_network([["x"], ["t0"], ["t0"], ["t1", "t2"]])
CPU = Device("CPU", DeviceKind.CPU, cores=(0, 1, 2, 3))
WHOLE = Device("CPU", DeviceKind.CPU)
LOW = Device("CPU.0", DeviceKind.CPU, cores=(0, 1))
HIGH = Device("CPU.1", DeviceKind.CPU, cores=(2, 3))
GPU = Device("GPU.0", DeviceKind.GPU)


def nodes_of(platform: Platform) -> dict[str, SegmentNode]:
    lane = [((index,), unit.name) for index, unit in enumerate(platform.units)]
    network = fake_network([["x"]] * len(lane))
    graph = dispatch_graph(network, plan_for(network, platform, [lane]), platform)
    return {node.unit: node for node in graph.lanes[0]}


def test_predecessors_follow_the_tensors() -> None:
    platform = fake_platform("a", "b")
    plan = plan_for(
        DIAMOND,
        platform,
        [[((0,), "fake:a@fp32"), ((2,), "fake:b@fp32"), ((1, 3), "fake:a@fp32")]],
        frames_in_flight=3,
    )
    graph = dispatch_graph(DIAMOND, plan, platform)
    assert graph == DispatchGraph(
        (
            (
                SegmentNode(("a",), (), "layer0", "fake:a@fp32"),
                SegmentNode(("b",), (0,), "layer2", "fake:b@fp32"),
                SegmentNode(("a",), (0, 1), "layer1..layer3", "fake:a@fp32"),
            ),
        ),
        (1,),
        3,
    )
    assert graph.devices == ("a", "b")


def twins_of(first: Device, second: Device, shares: tuple[int, int] = (1, 1)) -> object:
    platform = fake_platform(first, second)
    network = fake_network([["x"]])
    lanes = [[((0,), unit.name)] for unit in platform.units]
    plan = plan_for(network, platform, lanes, shares=shares)
    return dispatch_graph(network, plan, platform).twins


def test_lanes_on_parts_of_one_kind_are_twins() -> None:
    low, high = replace(LOW, likeness="2 big"), replace(HIGH, likeness="2 big")
    assert twins_of(low, high) == ((0, 1), (0, 1))
    assert twins_of(low, high, (1, 2)) == ()
    assert twins_of(low, replace(high, likeness="2 little")) == ()
    assert twins_of(LOW, GPU) == ()


@pytest.mark.parametrize("whole", [CPU, WHOLE])
def test_whole_cpu_excludes_its_parts_and_parts_run_side_by_side(whole: Device) -> None:
    nodes = nodes_of(fake_platform(whole, LOW, HIGH, GPU))
    assert set(nodes["fake:CPU@fp32"].devices) == {"CPU", "CPU.0", "CPU.1"}
    assert nodes["fake:CPU.0@fp32"].devices == ("CPU.0",)
    assert nodes["fake:CPU.1@fp32"].devices == ("CPU.1",)
    assert nodes["fake:GPU.0@fp32"].devices == ("GPU.0",)
    assert nodes["fake:CPU.1@fp32"].cores == (2, 3)
    assert nodes["fake:CPU@fp32"].cores == ()
    assert nodes["fake:GPU.0@fp32"].cores == ()


def test_parts_that_the_plan_does_not_use_do_not_matter() -> None:
    platform = fake_platform(CPU, LOW, HIGH)
    plan = plan_for(DIAMOND, platform, [[(range(4), "fake:CPU@fp32")]])
    graph = dispatch_graph(DIAMOND, plan, platform)
    assert graph.devices == ("CPU",)


def test_cores_of_a_unit_on_several_devices() -> None:
    both = ComputeUnit("fake", (HIGH, LOW), "fp32")
    mixed = ComputeUnit("fake", (LOW, GPU), "fp32")
    nodes = nodes_of(Platform("m", "f", (LOW, HIGH, GPU), (both, mixed)))
    assert nodes[both.name].cores == (0, 1, 2, 3)
    assert nodes[mixed.name].cores == ()


@st.composite
def cpu_devices(draw: st.DrawFn) -> list[Device]:
    groups = draw(st.lists(st.frozensets(st.integers(0, 4)), min_size=1, max_size=5))
    return [
        Device(f"CPU.{index}", DeviceKind.CPU, cores=tuple(sorted(cores)))
        for index, cores in enumerate(groups)
    ]


@given(devices=cpu_devices())
def test_overlapping_cores_always_exclude_each_other(devices: list[Device]) -> None:
    nodes = nodes_of(fake_platform(*devices))
    for one in devices:
        for other in devices:
            if not one.cores or not other.cores or set(one.cores) & set(other.cores):
                mine = nodes[f"fake:{one.name}@fp32"].devices
                assert set(mine) & set(nodes[f"fake:{other.name}@fp32"].devices)


@given(graph=dispatch_graphs())
def test_sequential_means_that_no_two_segments_may_overlap(graph: DispatchGraph) -> None:
    def waits(lane: tuple[SegmentNode, ...], later: int, earlier: int) -> bool:
        return any(
            step == earlier or waits(lane, step, earlier) for step in lane[later].predecessors
        )

    overlap = any(
        not set(lane[later].devices) & set(lane[earlier].devices)
        and not waits(lane, later, earlier)
        for lane in graph.lanes
        for later in range(len(lane))
        for earlier in range(later)
    )
    assert graph.is_sequential is not overlap


@pytest.mark.parametrize(
    ("lanes", "shares", "in_flight"),
    [
        ((), (), 1),
        (((),), (1,), 1),
        (((SegmentNode(("a",)),),), (), 1),
        (((SegmentNode(("a",)),),), (0,), 1),
        (((SegmentNode(("a",)),),), (1,), 0),
        (((SegmentNode(()),),), (1,), 1),
        (((SegmentNode(("a", "a")),),), (1,), 1),
        (((SegmentNode(("a",), (0,)),),), (1,), 1),
        (((SegmentNode(("a",), (-1,)),),), (1,), 1),
    ],
)
def test_refuses_nonsense(
    lanes: tuple[tuple[SegmentNode, ...], ...], shares: tuple[int, ...], in_flight: int
) -> None:
    with pytest.raises(InternalError):
        DispatchGraph(lanes, shares, in_flight)
