"""Costs on platform files: records mapped to layers, models, clocks, and plans by whole stages."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from counterpoint.costs.merged_stages import merged_network, merged_table
from counterpoint.costs.modelled import unit_model
from counterpoint.costs.models.roofline import Roofline
from counterpoint.costs.objective import Objective
from counterpoint.costs.platform_costs import cost_table
from counterpoint.costs.recorded import stage_layers
from counterpoint.costs.stage_network import stage_network
from counterpoint.errors import PlatformFileError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.planning.choose import Question
from counterpoint.planning.evaluator import evaluate
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.platform_file import load_platform, shipped_platforms
from counterpoint.tuning.platform_plan import plan_for_platform
from tests.random_networks import network_of
from tests.shared_data import require

VIM3 = "khadas_vim3"
ENERGY = Question(objective=Objective.ENERGY)


def board(
    tmp_path: Path, *, stages: str, times: str = "[1.0, 2.0]", more: str = ""
) -> PlatformFile:
    """A unit in the host's memory with a record of a network called ``random``."""
    path = tmp_path / "board.toml"
    path.write_text(f"""
format = "counterpoint-platform"
version = 1
name = "board"
sources = {{ own = "made up for a test" }}
devices = [{{ name = "CPU", kind = "CPU" }}]
units = [{{ engine = "a", devices = ["CPU"], precision = "fp32" }}]
[[networks]]
name = "random"
basis = "measured own"
stages = {stages}
times = [{{ unit = "a:CPU@fp32", task_ms = {times} {more} }}]
""")
    return load_platform(path)


def chain(count: int) -> Network:
    tensors = ["in", *(f"t{index}" for index in range(count))]
    return network_of(
        [[name] for name in tensors[:-1]],
        [[name] for name in tensors[1:]],
        outputs=[tensors[-1]],
    )


def test_a_stage_s_time_is_its_main_layer_s(tmp_path: Path) -> None:
    file = board(
        tmp_path,
        stages='[{ name = "a", layers = "layer0..layer1" }, { name = "b", layers = "#2" }]',
        more=", whole_ms = 6.0, power_mw = [1000, 2000]",
    )
    table = cost_table(file, chain(3))
    assert table.layer_ns == ((2_000_000,), (0,), (4_000_000,))  # scaled: the whole takes twice
    assert table.layer_energy_pj == ((2_000_000_000,), (0,), (8_000_000_000,))


def test_a_stage_that_the_unit_refuses(tmp_path: Path) -> None:
    file = board(
        tmp_path,
        stages='[{ name = "a", layers = "#0..#1" }, { name = "b", layers = "#2" }]',
        times='["too large", 2.0]',
    )
    table = cost_table(file, chain(3))
    assert table.layer_ns == ((None,), (None,), (2_000_000,))
    assert table.refusals == {(0, 0): "too large", (1, 0): "too large"}


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ('[{ name = "a", layers = "#0" }, { name = "b", layers = "#2" }]', "'layer1' of random"),
        ('[{ name = "a", layers = "#0..#1" }, { name = "b", layers = "#1..#2" }]', "two stages"),
        ('[{ name = "a", layers = "#0" }, { name = "b", layers = "#1..#3" }]', "no layer '#3'"),
        ('[{ name = "a", layers = "#0" }, { name = "b", layers = "fc" }]', "no layer 'fc'"),
        ('[{ name = "a", layers = "#1..#0" }, { name = "b", layers = "#2" }]', "backwards"),
        ('[{ name = "a" }, { name = "b" }]', "recorded:random"),
    ],
)
def test_a_record_that_does_not_fit(tmp_path: Path, stages: str, told: str) -> None:
    with pytest.raises(PlatformFileError) as caught:
        cost_table(board(tmp_path, stages=stages), chain(3))
    assert told in str(caught.value)
    assert "board" in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("{}", "parameters.peak_macs_per_s"),
        ("{ peak_macs_per_s = 1, bandwidth_bytes_per_s = -1 }", "bandwidth_bytes_per_s"),
        ("{ peak_macs_per_s = 1, bandwidth_bytes_per_s = 1, x = 2 }", "parameters.x' is unknown"),
    ],
)
def test_wrong_parameters_of_a_model(tmp_path: Path, parameters: str, told: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f"""
format = "counterpoint-platform"
version = 1
name = "board"
sources = {{ own = "made up" }}
devices = [{{ name = "CPU", kind = "CPU" }}]
[[units]]
engine = "a"
devices = ["CPU"]
precision = "fp32"
model = "roofline"
parameters = {parameters}
basis = "assumed own"
""")
    with pytest.raises(PlatformFileError) as caught:
        cost_table(load_platform(path), chain(2))
    assert told in str(caught.value)


@pytest.mark.parametrize("name", shipped_platforms())
def test_every_shipped_record_and_model_gives_costs(name: str) -> None:
    file = load_platform(name)
    for unit in file.units:
        if unit.model is not None:
            unit_model(file, unit)
    for recorded in file.networks:
        network = stage_network(file, recorded.name)
        for clocks in (file.highest_clocks, dict.fromkeys(file.highest_clocks, 0)):
            table = cost_table(file, network, clocks)
            assert all(any(cell is not None for cell in row) for row in table.layer_ns)


@pytest.mark.parametrize(
    ("name", "tflop_per_s", "gb_per_s"),
    [
        ("xeon_e5_2680v4", 2.15, 76.8),
        ("core_i5_6500", 0.20, 34.1),
        ("tesla_p100", 9.30, 732),
        ("gtx_970", 3.50, 224),
        ("kirin_970", 1.92, 27.8),
        ("tpu_v2", 180, 600),
    ],
)
def test_six_processors_are_those_of_the_paper(
    name: str, tflop_per_s: float, gb_per_s: float
) -> None:
    """Xu et al., NPC 2019; a multiply-add is two operations."""
    file = load_platform(name)
    model = unit_model(file, file.units[0])
    assert isinstance(model, Roofline)
    assert model.peak_macs_per_s == pytest.approx(tflop_per_s * 1e12 / 2)
    assert model.bandwidth_bytes_per_s == pytest.approx(gb_per_s * 1e9)


def test_resnet18_on_vta_takes_what_was_published() -> None:
    """0.494 s (Moreau et al., ReQuEST 2018), and every refusal has its reason."""
    file, network = load_platform("pynq_z1_vta"), load("zoo:resnet18")
    found = plan_for_platform(network, file, Question(method="switch"))
    assert found.planned.value == pytest.approx(494e6, rel=0.05)
    reasons = {
        network.layers[layer].name: reason
        for (layer, column), reason in found.table.refusals.items()
        if found.table.unit_names[column] == "vta:NPU@int8"
    }
    assert "multiples of 16" in reasons["conv1"]
    assert "pooling" in reasons["pool1"]
    assert "fully connected" in reasons["fc1000"]
    assert "residual" in reasons["res2a_branch2b"]


@pytest.mark.parametrize(
    ("model", "platform"),
    [
        ("zoo:alexnet", VIM3),
        ("zoo:googlenet", VIM3),
        ("zoo:mobilenet_v1", VIM3),
        ("zoo:resnet50", VIM3),
        ("zoo:squeezenet_v1.0", "rk3399pro"),
        ("zoo:googlenet", "jetson_agx_xavier"),
    ],
)
def test_a_network_and_its_stages_cost_the_same(model: str, platform: str) -> None:
    """Planned by whole stages, the network's best plan is the chain's: the mapping and the sizes
    of the tensors between stages are those of the model.
    """
    file, network = load_platform(platform), load(model)
    recorded = file.recorded(network.name)
    assert recorded is not None
    question = Question(method="switch")
    whole = plan_for_platform(network, file, question)
    stages = plan_for_platform(stage_network(file, recorded.name), file, question)
    assert whole.planned.value is not None
    assert stages.planned.value is not None
    assert whole.planned.value == pytest.approx(stages.planned.value, rel=1e-3)
    evaluated = evaluate(network, whole.table, whole.planned.segments)
    assert evaluated.latency_ns == whole.planned.value
    assert not evaluated.violations
    starts = {layers[0] for layers in stage_layers(file, recorded, network)}
    assert {layers[0] for layers, _ in whole.planned.segments} <= starts


def test_merged_stages_are_sums() -> None:
    network = network_of(
        [["in"], ["a"], ["a"], ["b", "c"]], [["a"], ["b"], ["c"], ["out"]], outputs=["out"]
    )
    merged = merged_network(network, ((0,), (1, 2), (3,)))
    assert [layer.inputs for layer in merged.layers] == [("in",), ("a",), ("b", "c")]
    assert [layer.outputs for layer in merged.layers] == [("a",), ("b", "c"), ("out",)]
    file = load_platform("gtx_970")
    table = cost_table(file, network)
    sums = merged_table(table, merged, ((0,), (1, 2), (3,)))
    assert sums.layer_ns[1][0] == (table.layer_ns[1][0] or 0) + (table.layer_ns[2][0] or 0)


def test_the_published_numbers_are_in_the_file() -> None:
    file = load_platform(VIM3)
    units = {
        "cpu_big_4xA73": "armcl:CPU.0@fp32",
        "cpu_little_2xA53": "armcl:CPU.1@fp32",
        "gpu_mali_g52": "armcl:GPU@fp32",
    }
    folder = require("measurements/a311d_khadas_vim3")
    with (folder / "layers.csv").open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    for row in rows:
        recorded = file.recorded(row["network"])
        assert recorded is not None
        times = next(item for item in recorded.times if item.unit == units[row["unit"]])
        assert times.task_ms[int(row["stage"])] == float(row["task_ms"])
        assert times.power_mw[int(row["stage"])] == float(row["power_mw"])


def test_energy_under_a_latency_limit_by_choice_of_clocks() -> None:
    """The planner's choice is the best of all settings, one by one; and better than full speed."""
    file = load_platform("rk3399pro")
    network = stage_network(file, "squeezenet_v1.0")
    question = Question(objective=Objective.ENERGY, max_latency_ns=110_000_000)
    kept = {"CPU.0": 7}
    chosen = plan_for_platform(network, file, question, clocks=kept, choose_clocks=True)
    values = [
        question.answer(network, cost_table(file, network, {**kept, "CPU.1": little, "GPU": gpu}))
        for little, gpu in product(range(6), range(5))
    ]
    found = [answer.value for answer in values if answer.value is not None]
    full = plan_for_platform(network, file, question)
    free = plan_for_platform(network, file, question, choose_clocks=True)
    assert chosen.planned.value == min(found)
    assert free.planned.value is not None
    assert full.planned.value is not None
    assert free.planned.value <= min(found)
    assert free.planned.value < full.planned.value
    latency = evaluate(network, free.table, free.planned.segments).latency_ns
    assert latency is not None
    assert latency <= 110_000_000
    steps = file.clocks_of(free.table.unit_names)
    assert {**free.clocks, **steps} == free.clocks


def test_a_limit_that_no_clock_keeps() -> None:
    file = load_platform("rk3399pro")
    question = Question(objective=Objective.ENERGY, max_latency_ns=1000)
    network = stage_network(file, "alexnet")
    found = plan_for_platform(network, file, question, choose_clocks=True)
    assert found.planned.value is None
    assert found.planned.reason is not None


def test_a_mapping_that_cuts_a_stage() -> None:
    file, network = load_platform(VIM3), load("zoo:alexnet")
    big, gpu = "armcl:CPU.0@fp32", "armcl:GPU@fp32"
    index = {layer.name: layer.index for layer in network.layers}
    question = Question(method="switch")
    fixed = {index["conv1"]: big, index["pool1"]: gpu}
    with pytest.raises(UserInputError, match="one recorded stage"):
        plan_for_platform(network, file, question, fixed=fixed)
    whole = plan_for_platform(network, file, question, fixed={index["conv1"]: big})
    assert whole.planned.segments[0][1] == big


def test_networks_without_costs() -> None:
    file = load_platform(VIM3)
    with pytest.raises(PlatformFileError, match="no costs for random"):
        cost_table(file, chain(2))
    with pytest.raises(PlatformFileError, match="recorded are: alexnet"):
        stage_network(file, "recorded:lenet")
    with pytest.raises(UserInputError, match="without a model"):
        stage_network(file, "recorded:alexnet").whole().onnx_path()
    with pytest.raises(UserInputError, match="no clock steps for 'GPU'"):
        cost_table(file, stage_network(file, "alexnet"), {"GPU": 1})
