"""``counterpoint run -p``: machines that are not here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from counterpoint.schedule.plan_file import load_plan
from tests.cli.conftest import Call

Refused = Callable[..., str]

ALEXNET = ("recorded:alexnet", "-p", "khadas_vim3")
SQUEEZENET = ("zoo:squeezenet_v1.0", "-p", "exynos5422")


def test_stages_without_a_model_run_by_a_plan(call: Call, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    made = call("plan", *ALEXNET, "--objective", "throughput", "-o", plan)
    assert made.status == 0, made
    ran = call("run", *ALEXNET, "--plan", plan, "-niter", 4, "--time-scale", 0.001, "--json")
    assert ran.status == 0, ran
    document = json.loads(ran.out)
    assert document["frames"] == 4
    assert document["units"] == list(load_plan(plan).units)
    assert document["answers"][0]["outputs"][0]["high"] == 0
    assert document["emulation"]["time_scale"] == 0.001
    lanes = load_plan(plan)
    # One frame more warms up; each takes one of the lanes, with its transfers.
    fewest = min(
        len(lane.segments) + len(moved)
        for lane, moved in zip(lanes.lanes, lanes.prediction.transfers, strict=True)
    )
    assert document["emulation"]["runs"] >= 5 * fewest


def test_a_model_computes_its_numbers(call: Call, tmp_path: Path) -> None:
    """The same as on this machine, whatever the emulated one is."""
    outputs: list[npt.NDArray[np.float32]] = []
    for where in (
        (*SQUEEZENET, "--unit", "caffe:GPU@fp32", "--time-scale", 0.001),
        (SQUEEZENET[0], "--unit", "onnxruntime:CPU@fp32"),
    ):
        folder = tmp_path / str(len(outputs))
        ran = call("run", *where, "-niter", 2, "--output-dir", folder, "--json")
        assert ran.status == 0, ran
        assert (json.loads(ran.out)["emulation"] is None) == bool(outputs)
        (file,) = folder.glob("*.npy")
        outputs.append(np.load(file))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-3, atol=1e-6)


def test_a_host_that_is_too_slow_is_told(call: Call) -> None:
    ran = call("run", *SQUEEZENET, "--unit", "caffe:CPU@fp32", "-niter", 2, "--time-scale", 1e-5)
    assert ran.status == 0, ran
    assert "time scale 1e-05" in ran.out
    assert "3 of " in ran.out
    assert "none would at --time-scale" in ran.out


def test_refusals(refused: Refused, tmp_path: Path) -> None:
    assert "--time-scale is for platforms" in refused(
        2, "run", SQUEEZENET[0], "--unit", "onnxruntime:CPU@fp32", "--time-scale", 2, "-niter", 2
    )
    on_unit = ("run", *ALEXNET, "-niter", 2, "--unit")
    assert "time scale 0" in refused(2, *on_unit, "armcl:GPU@fp32", "--time-scale", 0)
    assert "unknown compute unit 'x'" in refused(2, *on_unit, "x")
    assert "--cpu-groups" in refused(2, *on_unit, "armcl:GPU@fp32", "--cpu-groups", "1")
