from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.errors import PlanFileError
from counterpoint.schedule.dispatch_graph import dispatch_graph
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment, check_plan
from counterpoint.schedule.plan_platform import platform_of
from tests.fake_engine import fake_network


def plan(*units: str) -> Plan:
    network = fake_network([["x"]] + [[f"t{index}"] for index in range(len(units) - 1)])
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name="elsewhere",
        platform_fingerprint="f",
        objective=Objective.LATENCY,
        lanes=(Lane(tuple(Segment((index,), unit) for index, unit in enumerate(units))),),
        frames_in_flight=1,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={},
        prediction=Prediction(1),
    )


def occupied(*units: str) -> list[set[str]]:
    made = plan(*units)
    network = fake_network([["x"]] + [[f"t{index}"] for index in range(len(units) - 1)])
    platform = platform_of(made)
    check_plan(made, network, platform)
    return [set(node.devices) for node in dispatch_graph(network, made, platform).lanes[0]]


def test_parts_of_a_cpu_work_side_by_side_and_the_whole_cpu_takes_all() -> None:
    first, second, whole = occupied("a:CPU.0@fp32", "a:CPU.1@fp32", "b:CPU@bf16")
    assert not first & second
    assert first < whole
    assert second < whole


def test_settings_and_several_devices_keep_their_name() -> None:
    names = ("ort:GPU.0@fp16[provider=CUDA,x=y]", "e:CPU+GPU.0@fp32", "sim:NPU@int8")
    assert tuple(unit.name for unit in platform_of(plan(*names)).units) == names


@pytest.mark.parametrize(
    "name", ["", "x", "a:CPU", "a@fp32", "a:TPU@fp32", "a:CPU.x@fp32", "a:CPU@fp32[", "a:@fp32"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(PlanFileError, match="the plan's unit"):
        platform_of(plan(name))


@given(st.text(alphabet="aC:PU@.0[]=,+fp32\n", max_size=20))
def test_any_name_is_kept_or_refused(name: str) -> None:
    try:
        platform = platform_of(plan(name))
    except PlanFileError:
        return
    assert [unit.name for unit in platform.units] == [name]
