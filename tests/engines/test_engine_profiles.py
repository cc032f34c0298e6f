"""Whose time an engine's own clock took: names of its nodes back to layers."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from counterpoint.engines.onnxruntime_profile import attribute_events, layer_named
from counterpoint.engines.openvino import layer_behind
from counterpoint.engines.registry import all_engines
from counterpoint.network.loading import load
from tests.engine_runs import random_frame, unit_for
from tests.shared_data import require

LABELS = {"conv": 0, "conv_1": 1, "relu_out": 1, "pool": 2}

RUNS = 5


def run_event() -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "dur": 999}


def node(name: str, microseconds: int) -> dict[str, Any]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv", 0),
        ("conv_1", 1),
        ("conv_1_nchwc", 1),
        ("conv_nchwc_fused", 0),
        ("relu_out_ReorderOutput", 1),
        ("InsertedPrecisionFreeCast_InsertedCast_pool", 2),
        ("ReorderInput", None),
        ("conv2", None),
        ("", None),
    ],
)
def test_names_of_onnxruntime(name: str, layer: int | None) -> None:
    assert layer_named(name, LABELS) == layer


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv", 0),
        ("conv/WithoutBiases", 0),
        ("x_abcd_acdb_conv_1", 1),
        ("fakeconv", None),
        ("", None),
    ],
)
def test_names_of_openvino(name: str, layer: int | None) -> None:
    assert layer_behind(name, LABELS) == layer


def test_events_are_the_median_of_the_runs_after_the_first_two() -> None:
    events: list[dict[str, Any]] = []
    for first, second in ((900, 900), (800, 800), (10, 7), (30, 5), (20, 6)):
        events += [node("Reorder", 1), node("conv_nchwc", first), node("pool", second), run_event()]
    profile = attribute_events(events, LABELS)
    assert profile is not None
    assert profile.layer_ns == {0: 20_000, 2: 6_000}
    assert profile.overhead_ns == 1_000


def test_nameless_nodes_go_to_the_layer_before_them() -> None:
    events = [node("conv", 5), node("Reorder", 2), node("pool", 1), node("Reorder", 3), run_event()]
    profile = attribute_events(events, LABELS)
    assert profile is not None
    assert profile.layer_ns == {0: 7_000, 2: 4_000}
    assert profile.overhead_ns == 0


def test_nothing_measured_is_no_profile() -> None:
    assert attribute_events([], LABELS) is None
    assert attribute_events([run_event()], LABELS) is None


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "name", ["squeezenet_v1.1/squeezenet_v1.1.onnx", "ultraface/version-RFB-320.onnx"]
)
def test_real_networks_are_told_layer_by_layer(engine: str, name: str) -> None:
    network = load(require(f"models/{name}"))
    software = all_engines()[engine]
    frame = list(random_frame(network).values())
    compiled = software.compile(network.whole(), unit_for(network, software), profile=True)
    with closing(compiled):
        for _ in range(RUNS):
            compiled.run(frame)
        profile = compiled.profile()
    assert profile is not None
    timed = sum(profile.layer_ns.values())
    convolutions = [layer.index for layer in network.layers if layer.macs]
    assert sum(index in profile.layer_ns for index in convolutions) >= 0.9 * len(convolutions)
    assert 0 <= profile.overhead_ns < timed
    assert sum(profile.layer_ns.get(index, 0) for index in convolutions) > timed / 3
