"""The whole chain on real engines: devices, profile, plan, tune, run, simulate, explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from counterpoint.cli.main import main
from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.recipe import FrameRecipe, write_recipe
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.plan_file import load_plan
from tests.cli.conftest import Call
from tests.cli.models import CLASSES, EDGE, classifier, detector, two_inputs
from tests.shared_data import require

ZOO = "zoo:squeezenet_v1.1"


@pytest.fixture(scope="module")
def plan(folder: Path, store: Path) -> Path:
    """A plan for the zoo's SqueezeNet, tuned once."""
    path = folder / "squeezenet.plan.json"
    trace = folder / "tune.trace.json"
    words = ["tune", ZOO, "-o", str(path), "--store", str(store), "--trace", str(trace)]
    assert main(words) == 0
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / name), random.integers(0, 256, (40, 50, 3), np.uint8))
    return folder


def document(call: Call, *words: object) -> dict[str, Any]:
    ended = call(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(ended.out)
    assert isinstance(content, dict)
    return content


def events(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())["traceEvents"]
    assert isinstance(found, list)
    return found


def test_devices_are_listed_with_their_units(call: Call) -> None:
    content = document(call, "devices", "--no-peaks")
    names = {unit["name"] for unit in content["units"]}
    assert "onnxruntime:CPU@fp32" in names
    assert all(unit["peak_operations_per_s"] is None for unit in content["units"])
    assert content["copy_bytes_per_s"] is None
    assert "onnxruntime:CPU@fp32" in call("devices", "--no-peaks").out


def test_peaks_are_measured_for_the_units_asked_for(call: Call) -> None:
    content = document(call, "devices", "-d", "onnxruntime:CPU@fp32")
    (unit,) = content["units"]
    assert unit["peak_operations_per_s"] > 1e8
    assert content["copy_bytes_per_s"] > 1e7


def test_inspect_counts_the_published_work(call: Call) -> None:
    content = document(call, "inspect", ZOO)
    assert content["macs"] == pytest.approx(349e6, rel=0.01)
    assert len(content["layers"]) == 39
    assert len(call("inspect", ZOO, "--layers", "3").out.splitlines()) < 15


def test_tune_writes_a_plan_that_was_verified_and_compared(
    call: Call, plan: Path, store: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.json"
    content = document(call, "tune", "-m", ZOO, "-o", again, "--store", store)
    made = load_plan(again)
    assert content["file"] == str(again)
    assert content["verification"]["passed"]
    assert content["verification"]["relative_error"] <= content["verification"]["tolerance"]
    labels = {row["label"] for row in content["comparison"]}
    assert {"onnxruntime as installed", "openvino as installed"} <= labels
    assert sum(row["is_plan"] for row in content["comparison"]) == 1
    assert content["measured"]["latency_ns"] == made.measured_latency.median_ns  # type: ignore[union-attr]
    assert "best" in content["verdict"]
    assert load_plan(plan).network_hash == made.network_hash


def test_tune_draws_prediction_beside_measurement(plan: Path, folder: Path) -> None:
    assert plan.exists()
    names = [e["args"]["name"] for e in events(folder / "tune.trace.json") if e["ph"] == "M"]
    assert {"measured", "predicted"} <= set(names)


def test_tune_names_its_plan_after_the_model(
    call: Call, model: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call("tune", model, "--store", store, "-d", "onnxruntime:CPU@fp32")
    assert ended.status == 0
    assert load_plan(tmp_path / "tiny.plan.json").units == ("onnxruntime:CPU@fp32",)
    assert "the only unit that was asked for" in ended.out
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny.plan.json"]


def test_tune_for_throughput_and_run_at_the_plans_batch(
    call: Call, model: Path, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fast.json"
    words = ["--objective", "throughput", "--batches", "2", "-d", "onnxruntime", "-o", path]
    content = document(call, "tune", model, "--store", store, *words)
    made = load_plan(path)
    assert made.objective == "throughput"
    assert content["batch"] == made.batch == 2
    assert content["images_per_s"] > 0
    labels = {row["label"] for row in content["comparison"]}
    assert {"onnxruntime one session", "onnxruntime a session for each core"} & labels
    assert content["verification"]["passed"]
    ran = document(call, "run", model, "--plan", path, "-niter", "5")
    assert ran["frames_per_s"] > 0
    simulated = document(call, "simulate", model, "--plan", path, "--frames", "20")
    assert simulated["frames"] == 20
    refused = call("tune", model, "--method", "replicate", "-o", tmp_path / "no.json")
    assert refused.status == 2
    assert "--objective throughput" in refused.err


def test_tune_verifies_with_the_users_own_photographs(
    call: Call, model: Path, store: Path, tmp_path: Path, photographs: Path
) -> None:
    words = ["tune", model, "--store", store, "-d", "onnxruntime", "-o", tmp_path / "p.json"]
    content = document(call, *words, "--images", photographs, "--preprocess", "unit")
    assert content["verification"]["frames"] == "3 real frames"


def test_plan_predicts_what_profile_measured(
    call: Call, plan: Path, store: Path, tmp_path: Path
) -> None:
    assert plan.exists()
    costs = document(call, "profile", ZOO, "--store", store)
    assert {len(layer["time_ns"]) for layer in costs["layers"]} == {len(costs["units"])}
    path = tmp_path / "plan.json"
    planned = document(call, "plan", ZOO, "--store", store, "-o", path)
    singles = [unit["whole_network_ns"] for unit in costs["units"]]
    assert planned["predicted_latency_ns"] <= min(time for time in singles if time is not None)
    assert planned["gap"] == 0
    assert load_plan(path).prediction.latency_ns == planned["predicted_latency_ns"]
    assert "squeezenet_v1.1: time of each layer" in call("profile", ZOO, "--store", store).out
    assert "proven" in call("plan", ZOO, "--store", store).out


def test_run_tells_classes_and_keeps_outputs(
    call: Call, plan: Path, photographs: Path, tmp_path: Path
) -> None:
    words = ["run", ZOO, "--plan", plan, "--images", photographs, "--preprocess", "caffe"]
    out = tmp_path / "out"
    content = document(call, *words, "--top", "3", "--output-dir", out, "-niter", "2")
    assert [len(answer["classes"]) for answer in content["answers"]] == [3, 3, 3]
    assert content["frames"] == 6
    first = content["answers"][0]
    saved = np.load(out / "a_png.output.npy")
    assert saved.shape == (1, 1000)
    assert int(saved.argmax()) == first["classes"][0]["index"]
    assert float(saved.max()) == pytest.approx(first["classes"][0]["probability"], rel=1e-6)
    assert sorted(content["files"]) == sorted(str(path) for path in out.iterdir())


def test_run_draws_a_trace(call: Call, plan: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    content = document(call, "run", ZOO, "--plan", plan, "-niter", "4", "--trace", trace)
    assert content["frames"] == 4
    measured = [event for event in events(trace) if event["ph"] == "X" and event["pid"] == 1]
    assert {event["args"]["frame"] for event in measured} == {0, 1, 2, 3}


def test_run_on_one_unit_takes_tensors_batches_and_several_files(
    call: Call, folder: Path, tmp_path: Path, photographs: Path
) -> None:
    model = folder / "pairs.onnx"
    model.write_bytes(classifier(batch=2))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {index}" for index in range(CLASSES)))
    words = ["run", model, "--unit", "onnxruntime:CPU@fp32", "--labels", labels]
    images = sorted(photographs.iterdir())
    content = document(call, *words, "--preprocess", "unit", "--images", *images)
    assert [answer["name"] for answer in content["answers"]] == [str(path) for path in images]
    best = content["answers"][2]["classes"][0]
    assert best["label"] == f"class {best['index']}"
    frame = tmp_path / "frame.npy"
    np.save(frame, np.zeros((2, 3, EDGE, EDGE), np.float32))
    content = document(call, *words, "--tensors", frame)
    assert [answer["name"] for answer in content["answers"]] == [f"{frame}[0]", f"{frame}[1]"]


def test_run_finds_faces_on_the_photograph(call: Call, tmp_path: Path, photographs: Path) -> None:
    model = tmp_path / "faces.onnx"
    model.write_bytes(detector())
    write_recipe(
        tmp_path / "faces.preprocess.toml",
        FrameRecipe(preprocessing=Preprocessing(), task="detect"),
    )
    words = ["run", model, "--unit", "onnxruntime:CPU@fp32", "--images", photographs / "a.png"]
    (answer,) = document(call, *words)["answers"]
    (face,) = answer["detections"]
    assert face["score"] == pytest.approx(0.9)
    edges = [face[name] for name in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx([12.5, 10, 37.5, 20])
    assert "a.png: 1 found" in call(*words).out


def test_run_takes_several_inputs(call: Call, tmp_path: Path) -> None:
    model = tmp_path / "sum.onnx"
    model.write_bytes(two_inputs())
    np.save(tmp_path / "one.npy", np.full((1, 4), 1, np.float32))
    np.save(tmp_path / "two.npy", np.full((1, 4), 2, np.float32))
    given = [f"left={tmp_path / 'one.npy'}", f"right={tmp_path / 'two.npy'}"]
    words = ["run", model, "--unit", "onnxruntime:CPU@fp32", "--tensors", *given]
    (answer,) = document(call, *words, "--task", "raw")["answers"]
    assert (answer["outputs"][0]["low"], answer["outputs"][0]["high"]) == (3.0, 3.0)


def test_simulate_repeats_the_prediction(call: Call, plan: Path, tmp_path: Path) -> None:
    trace = tmp_path / "virtual.json"
    words = ["simulate", ZOO, "--plan", plan, "--frames", "7"]
    content = document(call, *words, "--trace", trace)
    predicted = load_plan(plan).prediction.latency_ns
    assert content["frames"] == 7
    assert content["latency_ns"]["mean"] == predicted
    assert content["makespan_ns"] == 7 * predicted
    assert trace.exists()
    assert "frames/s" in call(*words).out


def test_simulate_needs_no_engine_and_no_machine(call: Call, plan: Path, tmp_path: Path) -> None:
    content = json.loads(plan.read_text())
    content["platform_fingerprint"] = "elsewhere"
    for lane in content["lanes"]:
        for segment in lane["segments"]:
            segment["unit"] = "unheard-of:NPU.7@fp16[a=b]"
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(content))
    assert document(call, "simulate", ZOO, "--plan", moved)["devices"][0]["name"] == "NPU.7"


def test_explain_prices_each_layer(call: Call, plan: Path, store: Path) -> None:
    content = document(call, "explain", ZOO, "--plan", plan, "--store", store)
    made: Plan = load_plan(plan)
    where = {layer: s.unit for s in made.lanes[0].segments for layer in s.layers}
    assert [layer["unit"] for layer in content["layers"]] == [where[i] for i in range(39)]
    parts = [s["entry_ns"] + s["move_ns"] + s["layers_ns"] for s in content["segments"]]
    assert sum(parts) == content["latency_ns"]
    assert "Everything on one unit" in call("explain", ZOO, "--plan", plan, "--store", store).out


def test_real_networks_say_what_they_should(call: Call) -> None:
    squeezenet = require("models/squeezenet_v1.1/squeezenet_v1.1.onnx")
    kitten = require("golden/sq11_onnx_kitten_in.f32")
    words = ["run", squeezenet, "--unit", "openvino:CPU@fp32", "--tensors", kitten]
    (answer,) = document(call, *words, "--task", "classify")["answers"]
    assert answer["classes"][0]["index"] == 281
    faces = require("models/ultraface/version-RFB-320.onnx")
    photograph = require("images/faces/13.jpg")
    words = ["run", faces, "--unit", "openvino:CPU@fp32", "--preprocess", "ultraface"]
    (answer,) = document(call, *words, "--images", photograph)["answers"]
    assert len(answer["detections"]) == 2
