from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.cli.options import (
    MachineOptions,
    NetworkOptions,
    StoreOptions,
    parse_shapes,
    split_names,
)
from counterpoint.costs.objective import Objective
from counterpoint.errors import UserInputError
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment


@given(
    st.dictionaries(
        st.text(min_size=1), st.lists(st.integers(0, 10**9 - 1), min_size=1).map(tuple)
    ),
    st.sampled_from("x,"),
)
def test_shapes_come_back_as_they_were_written(
    shapes: dict[str, tuple[int, ...]], separator: str
) -> None:
    texts = [f"{name}={separator.join(map(str, shape))}" for name, shape in shapes.items()]
    assert parse_shapes(texts) == shapes


@pytest.mark.parametrize("text", ["", "=1", "x", "x=", "x=1x", "x=-1", "x=1 x 3", "x=1x9999999999"])
def test_other_shapes_are_refused(text: str) -> None:
    with pytest.raises(UserInputError, match="1x3x224x224"):
        parse_shapes([text])


def test_names_are_split_at_commas_but_not_inside_settings() -> None:
    texts = ["CPU, openvino", "ort:GPU.0@fp16[a=1,b=2],NPU"]
    assert split_names(texts) == ["CPU", "openvino", "ort:GPU.0@fp16[a=1,b=2]", "NPU"]
    assert split_names(["", ","]) == []


def test_the_model_is_an_argument_or_an_option_but_not_both() -> None:
    assert NetworkOptions(model="a").name == NetworkOptions(model_option="a").name == "a"
    with pytest.raises(UserInputError, match="two models"):
        _ = NetworkOptions(model="a", model_option="b").name
    with pytest.raises(UserInputError, match="no model"):
        _ = NetworkOptions().name


def test_files_of_a_model_are_called_after_it() -> None:
    assert NetworkOptions(model="zoo:squeezenet_v1.1").stem == "squeezenet_v1.1"
    assert NetworkOptions(model="zoo:squeezenet_v1.1").path is None
    assert NetworkOptions(model="/some/net.v2.onnx").stem == "net.v2"
    assert NetworkOptions(model="/some/net.onnx").path == Path("/some/net.onnx")


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(model="zoo:alexnet", shape=["input=1x3x227x227"]),
        NetworkOptions(model="net.onnx", seed=0),
        NetworkOptions(model="net.onnx", keep_batchnorm=True),
    ],
)
def test_an_option_without_meaning_is_refused(options: NetworkOptions) -> None:
    with pytest.raises(UserInputError, match="for"):
        options.load()


def test_no_store_is_a_store_in_memory() -> None:
    with StoreOptions(no_store=True).open():
        pass
    with pytest.raises(UserInputError, match="exclude"):
        StoreOptions(store=Path("x"), no_store=True).open()


def test_a_plan_says_how_to_cut_the_cpu() -> None:
    plan = Plan(
        network_name="n",
        network_hash="h",
        platform_name="p",
        platform_fingerprint="f",
        objective=Objective.LATENCY,
        lanes=(Lane((Segment((0,), "openvino:CPU.1@fp32"),)),),
        frames_in_flight=1,
        layer_names=("a",),
        engines={},
        prediction=Prediction(1),
        cpu_parts={"CPU.1": (0,)},
    )
    here = MachineOptions().machine(plan)
    assert [device.name for device in here.platform.devices][:2] == ["CPU", "CPU.1"]
    with pytest.raises(UserInputError, match="its own groups"):
        MachineOptions(cpu_groups="1").machine(plan)
    with pytest.raises(UserInputError, match=r"may not use \[9999\]"):
        MachineOptions().machine(replace(plan, cpu_parts={"CPU.1": (9999,)}))
