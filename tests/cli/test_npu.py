"""Processors that compute in int8, from the command line: plan, run, explain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.schedule.plan_file import load_plan
from tests.cli.conftest import Call
from tests.onnx_models import kernel, model, saved

Refused = Callable[..., str]

PYNQ = ("-p", "pynq_z1_vta")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    body = (
        "a = Conv<pads=[1,1,1,1]>(x, first) b = Relu(a) "
        "p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(b) c = Conv<pads=[1,1,1,1]>(p, middle) "
        "d = Relu(c) e = Conv<pads=[1,1,1,1]>(d, middle) s = Add(e, p) r = Relu(s) "
        "f = Conv<pads=[1,1,1,1]>(r, middle) y = GlobalAveragePool(f)"
    )
    weights: dict[str, Any] = {"first": kernel(16, 3), "middle": kernel(16, 16)}
    return saved(model(body, inputs="float[1,3,24,24] x", **weights), tmp_path, "small")


def test_plan_run_and_explain(call: Call, small: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    made = call("plan", small, *PYNQ, "-o", plan)
    assert made.status == 0, made
    assert "int8, with ranges measured on 4 seeded frames" in made.out
    assert "--calibration" in made.out
    written = load_plan(plan)
    assert written.precision is not None
    assert "c" in written.precision.int8
    folder = tmp_path / "out"
    ran = call(
        *("run", small, *PYNQ, "--plan", plan, "-niter", 2, "--time-scale", 50),
        *("--output-dir", folder, "--json"),
    )
    assert ran.status == 0, ran
    document = json.loads(ran.out)
    assert set(document["units"]) == {"tvm:CPU@fp32", "vta:NPU@int8"}
    here = call(
        *("run", small, "--unit", "onnxruntime:CPU@fp32", "-niter", 2),
        *("--output-dir", tmp_path / "here", "--json"),
    )
    assert here.status == 0, here
    (there,), (exact,) = folder.glob("*.npy"), (tmp_path / "here").glob("*.npy")
    outputs, expected = np.load(there), np.load(exact)
    assert (outputs != expected).any()
    assert np.abs(outputs - expected).max() < 0.1 * np.abs(expected).max()
    told = call("explain", small, *PYNQ, "--plan", plan)
    assert told.status == 0, told
    assert "what lifting refusals would gain, predicted" in told.out
    assert "if vta:NPU@int8 ran Add x 1 (residual additions ran on the CPU" in told.out
    explained = json.loads(call("explain", small, *PYNQ, "--plan", plan, "--json").out)
    reasons = {gain["refused_because"] for gain in explained["without_refusals"]}
    assert any("multiples of 16" in str(reason) for reason in reasons)
    shares = [gain["share"] for gain in explained["without_refusals"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[0] < 1


def test_photographs_to_calibrate_with(call: Call, small: Path, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(photos / f"{number}.png"), random.integers(0, 256, (30, 30, 3), np.uint8))
    made = call(
        *("plan", small, *PYNQ, "--calibration", photos, "--preprocess", "imagenet"),
        *("-o", tmp_path / "plan.json"),
    )
    assert made.status == 0, made
    assert "with ranges measured on 3 frames" in made.out
    assert "seeded" not in made.out


def test_refusals(refused: Refused, small: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "--calibration is for platforms" in refused(
        2, "plan", small, "--calibration", empty, "--no-store"
    )
    assert "empty" in refused(
        2, "plan", small, *PYNQ, "--calibration", empty, "--preprocess", "imagenet"
    )
    assert "--preprocess" in refused(2, "plan", small, *PYNQ, "--calibration", empty)
    assert "--calibration" in refused(2, "plan", small, *PYNQ, "--preprocess", "imagenet")
