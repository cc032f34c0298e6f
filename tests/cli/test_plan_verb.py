"""``counterpoint plan --map``, on costs that are given; once on real engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterpoint.api import Machine
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Segment
from counterpoint.schedule.plan_file import load_plan
from tests.cli.conftest import Call
from tests.fake_engine import FakeEngine, fake_platform

Refused = Callable[..., str]

PLATFORM = fake_platform("NPU.0", "NPU.1")
FIRST, SECOND = (unit.name for unit in PLATFORM.units)
LAYERS = ("conv0", "conv1", "conv2", "pool", "softmax")


@pytest.fixture
def given_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first unit takes 10 us a layer, the second 20 us, and it refuses the softmax."""

    def machine(**_: object) -> Machine:
        return Machine(PLATFORM, {"fake": FakeEngine()})

    def table(network: Network, *_: object) -> CostTable:
        assert tuple(layer.name for layer in network.layers) == LAYERS
        return CostTable(
            network_hash=network.content_hash,
            platform_fingerprint=PLATFORM.fingerprint,
            layer_names=LAYERS,
            units=tuple(UnitCosts(unit, 1000) for unit in PLATFORM.units),
            layer_ns=(*[(10_000, 20_000)] * 4, (10_000, None)),
            refusals={(4, 1): "no such operator"},
        )

    monkeypatch.setattr("counterpoint.api.devices", machine)
    monkeypatch.setattr("counterpoint.cli.costing.cost_table", table)


def document(call: Call, *words: object) -> dict[str, Any]:
    ended = call(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(ended.out)
    assert isinstance(content, dict)
    return content


@pytest.mark.usefixtures("given_costs")
def test_a_full_mapping_beside_the_best_plan(call: Call, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    words = ["plan", model, "--map", "conv1..#2=NPU.1,conv0=NPU.0,rest=NPU.0", "-o", path]
    content = document(call, *words)
    assert content["predicted_latency_ns"] == 3 * 1000 + 3 * 10_000 + 2 * 20_000
    assert content["best"]["predicted_latency_ns"] == 1000 + 5 * 10_000
    assert content["ratio_to_best"] == pytest.approx(73 / 51)
    assert content["lower_bound"] == 51_000
    assert content["gap"] == pytest.approx(22 / 73)
    assert content["status"] == "feasible"
    assert content["mapping"]["1"] == [SECOND]
    assert len(content["mapping"]) == 5
    (difference,) = content["differences"]
    assert (difference["layers"], difference["best_unit"]) == ([1, 2], FIRST)
    (lane,) = load_plan(path).lanes
    assert lane.segments == (
        Segment((0,), FIRST),
        Segment((1, 2), SECOND),
        Segment((3, 4), FIRST),
    )
    ended = call(*words)
    assert ended.status == 0
    assert "2 of 5 layers run elsewhere" in ended.out
    assert "1.43x as much" in ended.out
    assert f"written to {path}" in ended.out


@pytest.mark.usefixtures("given_costs")
def test_what_the_mapping_leaves_open_is_planned(call: Call, model: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("# by hand\nconv0 = NPU.1\n#1 = fake\n")
    content = document(call, "plan", model, "--map", f"@{rules}", "--map", "pool=NPU.0")
    assert content["mapping"] == {"0": [SECOND], "1": [FIRST, SECOND], "3": [FIRST]}
    units = [segment["unit"] for segment in content["lanes"][0]["segments"]]
    assert units == [SECOND, FIRST]


@pytest.mark.usefixtures("given_costs")
def test_without_a_mapping_nothing_is_compared(call: Call, model: Path) -> None:
    content = document(call, "plan", model)
    assert content["predicted_latency_ns"] == 51_000
    assert not {"mapping", "best", "ratio_to_best", "differences"} & set(content)
    assert "mapping" not in call("plan", model).out


@pytest.mark.usefixtures("given_costs")
@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("softmax=NPU.1", f"layer 'softmax': {SECOND}: no such operator"),
        ("conv3=NPU.1", "unknown layer 'conv3'; the nearest: conv2, conv1, conv0"),
        ("relu1=NPU.1", "'relu1': it is part of layer 'conv1', name that"),
        ("conv0=GPU", f"no unit matches 'GPU'; there are: {FIRST}, {SECOND} (--precision"),
        ("conv2..conv0=NPU.0", "backwards"),
        ("conv*=NPU.0,conv1=NPU.1", "two rules"),
        ("", "the mapping is empty"),
        ("@missing.txt", "missing.txt: no such file"),
        ("@latin1.txt", "latin1.txt: a mapping must be UTF-8 text"),
        ("@.", "not a file"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_line(
    *,
    refused: Refused,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rules: str,
    told: str,
) -> None:
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9=CPU")
    monkeypatch.chdir(tmp_path)
    assert told in refused(2, "plan", model, "--map", rules, "-o", "plan.json")
    assert [path.name for path in tmp_path.iterdir()] == ["latin1.txt"]


def test_a_mapping_on_real_engines(call: Call, model: Path, store: Path) -> None:
    words = ["-d", "onnxruntime:CPU@fp32,openvino:CPU@fp32", "--store", store]
    content = document(call, "plan", model, *words, "--map", "conv0=openvino,rest=onnxruntime")
    segments = [(part["layers"], part["unit"]) for part in content["lanes"][0]["segments"]]
    assert segments == [([0], "openvino:CPU@fp32"), ([1, 2, 3, 4], "onnxruntime:CPU@fp32")]
    assert content["ratio_to_best"] >= 1
