"""``counterpoint breakdown``, once on real engines, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoint.bench.breakdown.thread_samples import ThreadSamples
from tests.cli.conftest import Call

Refused = Callable[..., str]

UNIT = "onnxruntime:CPU@fp32"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn of each, and nobody looks from outside."""

    def observed(run: Callable[[], object]) -> ThreadSamples | str:
        return "nobody looked"

    from counterpoint.bench.breakdown.measuring import breakdown_of

    defaults = dict(breakdown_of.__kwdefaults__ or {})
    defaults.update(rounds=1, attempts=1, sample=observed)
    monkeypatch.setattr(breakdown_of, "__kwdefaults__", defaults)


@pytest.mark.usefixtures("quick")
def test_units_are_broken_down_side_by_side(call: Call, model: Path) -> None:
    words = ("breakdown", model, "-d", UNIT, "-d", "openvino:CPU@fp32", "--no-roofline")
    ended = call(*words)
    assert (ended.status, ended.err) == (0, "")
    # Which layers take longer than what timing them costs depends on the machine.
    for word in (UNIT, "openvino:CPU@fp32", "the whole", "threads", "How it is known"):
        assert word in ended.out
    for unit in (UNIT, "openvino:CPU@fp32"):
        assert f"{unit}: layers" in ended.out


@pytest.mark.usefixtures("quick")
def test_the_document_has_parts_that_add_up(call: Call, model: Path) -> None:
    ended = call("breakdown", model, "-d", UNIT, "--json")
    assert (ended.status, ended.err) == (0, "")
    document = json.loads(ended.out)
    assert document["format"] == "counterpoint-breakdown"
    for found in document["breakdowns"]:
        assert sum(part["time_ns"] for part in found["parts"]) == found["whole_ns"]
        assert sum(found["by_function_ns"].values()) == found["whole_ns"]
    names = {found["contender"] for found in document["breakdowns"]}
    assert UNIT in names
    assert {point["unit"] for point in document["points"]} <= names
    assert {point["bound"] for point in document["points"]} <= {
        "compute-bound",
        "memory-bound",
        "overhead-bound",
    }
    assert document["copy_bytes_per_s"] > 0


@pytest.mark.usefixtures("quick")
def test_a_plan_is_broken_down(call: Call, model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    mapping = f"conv0..conv1={UNIT},rest=openvino:CPU@fp32"
    made = call("plan", model, "--no-store", "--map", mapping, "-o", plan)
    assert made.status == 0, made.err
    ended = call("breakdown", model, "--plan", plan, "--no-roofline", "--json")
    assert (ended.status, ended.err) == (0, "")
    (found,) = json.loads(ended.out)["breakdowns"]
    assert found["placement"] == f"{UNIT} | openvino:CPU@fp32"
    assert sum(part["time_ns"] for part in found["parts"]) == found["whole_ns"]


def test_what_does_not_fit_is_refused(refused: Refused, model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert "leave out --unfused" in refused(2, "breakdown", model, "--plan", plan, "--unfused")
    told = refused(2, "breakdown", model, "--unfused", "-d", "openvino:CPU@fp32")
    assert "add -d onnxruntime" in told
    assert "no unit can run" in refused(2, "breakdown", model, "--precision", "int8")
