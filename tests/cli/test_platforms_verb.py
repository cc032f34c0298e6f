"""``counterpoint platforms``, and ``-p`` of the other verbs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterpoint.api import Machine
from counterpoint.costs.stage_network import stage_network
from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.platform.platform_file import load_platform, shipped_platforms
from counterpoint.schedule.plan import check_plan
from counterpoint.schedule.plan_file import load_plan
from counterpoint.schedule.plan_platform import platform_of
from tests.cli.conftest import Call
from tests.fake_engine import FakeEngine, fake_platform

Refused = Callable[..., str]


def document(call: Call, *words: object) -> dict[str, Any]:
    ended = call(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(ended.out)
    assert isinstance(content, dict)
    return content


def test_all_shipped_ones_are_listed(call: Call) -> None:
    content = document(call, "platforms")
    assert content["format"] == "counterpoint-platforms"
    assert [item["name"] for item in content["platforms"]] == list(shipped_platforms())
    assert "khadas_vim3" in call("platforms").out


def test_one_is_shown(call: Call) -> None:
    content = document(call, "platforms", "show", "vim3")
    assert content["name"] == "khadas_vim3"
    assert content["recorded"][0] == "alexnet"
    assert "Mali-G52" in call("platforms", "show", "khadas_vim3").out


def test_a_file_is_validated(call: Call, refused: Refused, tmp_path: Path) -> None:
    assert call("platforms", "validate", "pynq_z1_vta").out.startswith("pynq_z1_vta: 2 devices")
    path = tmp_path / "wrong.toml"
    path.write_text('format = "counterpoint-platform"\nversion = 1\nname = "x"\nunits = []\n')
    told = refused(2, "platforms", "validate", path)
    assert "wrong.toml" in told
    assert "'devices' is missing" in told
    assert "khadas_vim3" in refused(2, "platforms", "show", "nowhere")


def test_plan_simulate_and_explain_elsewhere(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    on = ("-p", "khadas_vim3")
    made = document(call, "plan", "recorded:alexnet", *on, "-o", path)
    assert made["platform"] == "khadas_vim3"
    assert made["status"] == "optimal"
    simulated = document(call, "simulate", "recorded:alexnet", *on, "--plan", path)
    assert simulated["format"] == "counterpoint-simulation"
    assert call("simulate", "recorded:alexnet", *on, "--plan", path).status == 0
    explained = document(call, "explain", "recorded:alexnet", *on, "--plan", path)
    assert explained["network"] == "alexnet"
    loaded = load_plan(path)  # without the platform: its parts of the CPU stand in the plan
    network = stage_network(load_platform("khadas_vim3"), "alexnet")
    check_plan(loaded, network, platform_of(loaded))


def test_the_file_of_the_documentation(call: Call, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "platforms.md"
    text = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "my_board.toml"
    path.write_text(text, encoding="utf-8")
    assert call("platforms", "validate", path).status == 0
    assert document(call, "plan", "recorded:alexnet", "-p", path)["status"] == "optimal"


def test_clocks_by_hand_and_by_the_planner(call: Call, refused: Refused) -> None:
    words = ("plan", "recorded:squeezenet", "-p", "rk3399pro")
    slow = document(call, *words, "--clock", "CPU.0=0,CPU.1=0,GPU=0")
    fast = document(call, *words)
    assert slow["predicted_latency_ns"] > fast["predicted_latency_ns"]
    assert all("clock=0" in unit for unit in slow["units"])
    frugal = document(call, *words, "--objective", "energy", "--max-latency-ms", "110")
    assert frugal["predicted_latency_ns"] <= 110_000_000
    assert "write it as" in refused(2, *words, "--clock", "GPU")
    assert "0 to 4" in refused(2, *words, "--clock", "GPU=5")
    assert "-p" in refused(2, "plan", "zoo:alexnet", "--clock", "GPU=1")


def test_units_and_mapping_elsewhere(call: Call, refused: Refused) -> None:
    words = ("plan", "recorded:alexnet", "-p", "vim3")
    content = document(call, *words, "-d", "GPU")
    assert content["units"] == ["armcl:GPU@fp32"]
    mapped = document(call, *words, "--map", "conv1..conv3=CPU.0")
    assert mapped["lanes"][0]["segments"][0]["unit"] == "armcl:CPU.0@fp32"
    assert "there are" in refused(2, *words, "-d", "NPU")
    assert "--store" in refused(2, *words, "--no-store")
    assert "computes in bf16" in refused(2, *words, "--precision", "bf16")
    assert "--cpu-groups" in refused(2, *words, "--cpu-groups", "1,1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "recorded:alexnet"), "-p"),
        (("plan", "recorded:lenet", "-p", "vim3"), "recorded are: alexnet"),
        (("plan", "recorded:alexnet", "-p", "vim3", "-b", "2"), "--batch"),
        (("plan", "zoo:squeezenet_v1.1", "-p", "vim3"), "no costs for squeezenet"),
        (("plan", "recorded:alexnet", "-p", "nowhere.toml"), "nowhere.toml"),
        (("platforms", "record", "zoo:alexnet"), "-o FILE"),
    ],
)
def test_refusals(refused: Refused, words: tuple[str, ...], told: str) -> None:
    assert told in refused(2, *words)


def test_a_record_of_this_machine_is_planned_for_elsewhere(
    call: Call, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = fake_platform("NPU.0", "NPU.1")

    def machine(**_: object) -> Machine:
        return Machine(platform, {"fake": FakeEngine()})

    def table(network: Network, *_: object) -> CostTable:
        return CostTable(
            network_hash=network.content_hash,
            platform_fingerprint=platform.fingerprint,
            layer_names=tuple(layer.name for layer in network.layers),
            units=tuple(
                UnitCosts(unit, 1000, LinearCost(5, 0.5), LinearCost(0, 0.25))
                for unit in platform.units
            ),
            layer_ns=(*[(10_000, 20_000)] * 4, (10_000, None)),
            refusals={(4, 1): "no such operator"},
        )

    monkeypatch.setattr("counterpoint.api.devices", machine)
    monkeypatch.setattr("counterpoint.cli.costing.cost_table", table)
    here = document(call, "plan", model, "--method", "switch")
    path = tmp_path / "here.toml"
    assert call("platforms", "record", "-o", path, model).status == 0
    assert load_platform(path).name == "here"
    elsewhere = document(call, "plan", model, "-p", path, "--method", "switch")
    assert elsewhere["lanes"] == here["lanes"]
    assert elsewhere["predicted_latency_ns"] == here["predicted_latency_ns"]


def test_the_whole_way_of_a_record(call: Call, model: Path, tmp_path: Path) -> None:
    """Measured here, in one store; planned, simulated and explained from the file in another."""
    here, plan = tmp_path / "here.toml", tmp_path / "plan.json"
    measured = ("--store", tmp_path / "here.db", "-d", "onnxruntime")
    assert call("platforms", "record", "-o", here, model, *measured).status == 0
    assert call("platforms", "validate", here).status == 0
    expected = document(call, "plan", model, *measured)
    made = document(call, "plan", model, "-p", here, "-o", plan)
    assert made["platform"] == "here"
    assert made["predicted_latency_ns"] == expected["predicted_latency_ns"]
    assert made["lanes"] == expected["lanes"]
    stages = document(call, "plan", "recorded:" + made["network"], "-p", here)
    # the chain does not know the size of its input, whose reading therefore counts as nothing
    assert 0 < stages["predicted_latency_ns"] <= expected["predicted_latency_ns"]
    simulated = document(call, "simulate", model, "-p", here, "--plan", plan, "-niter", "3")
    assert simulated["makespan_ns"] == 3 * expected["predicted_latency_ns"]
    explained = document(call, "explain", model, "-p", here, "--plan", plan)
    assert [layer["name"] for layer in explained["layers"]] == [
        stage.name for stage in load_platform(here).networks[0].stages
    ]
