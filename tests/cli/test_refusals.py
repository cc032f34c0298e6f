"""What users and strangers get wrong: one line each, the right status, and nothing half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Call
from tests.cli.models import EDGE, classifier, two_inputs

Refused = Callable[..., str]
UNIT = "onnxruntime:CPU@fp32"


@pytest.fixture(scope="module")
def plan(folder: Path, store: Path, model: Path) -> Path:
    from counterpoint.cli.main import main

    path = folder / "tiny.plan.json"
    words = ["plan", str(model), "-o", str(path), "--store", str(store), "-d", UNIT]
    assert main(words) == 0
    return path


def changed(plan: Path, target: Path, **values: object) -> Path:
    content: dict[str, Any] = json.loads(plan.read_text())
    target.write_text(json.dumps({**content, **values}))
    return target


@pytest.mark.parametrize(
    "data", [b"", b"hello\n", bytes(range(256)) * 8, b"\x08\x07" * 50, classifier()[:300]]
)
@pytest.mark.parametrize("verb", ["inspect", "plan", "tune", "run", "profile"])
def test_a_broken_model_file(refused: Refused, tmp_path: Path, verb: str, data: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    place = ["-o", tmp_path / "p.json"] if verb in ("plan", "tune") else []
    unit = ["--unit", UNIT, "-niter", "2"] if verb == "run" else []
    assert "broken.onnx" in refused(2, verb, path, *place, *unit)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing.onnx"], "missing.onnx"),
        (["zoo:nothing"], "squeezenet_v1.1"),
        (["."], "folder"),
        ([], "no model"),
        (["a.onnx", "-m", "b.onnx"], "two models"),
        (["zoo:alexnet", "--shape", "input=1x3"], "--shape"),
    ],
)
def test_a_model_that_is_not_there(refused: Refused, words: list[str], told: str) -> None:
    assert told in refused(2, "inspect", *words)


def test_a_control_character_in_a_name_is_not_shown_raw(refused: Refused) -> None:
    assert "\x1b" not in refused(2, "inspect", "a\x1b[31m.onnx")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-d", "nothing"], "onnxruntime:CPU@fp32"),
        (["--precision", "fp64"], "fp32, bf16"),
        (["--precision", "int8"], "no unit computes"),
        (["--cpu-groups", "1,x@"], "big,little"),
        (["--cpu-groups", "100000"], "100000"),
        (["--shape", "data=1x3"], "dimensions"),
        (["--shape", "other=1x3x16x16"], "data"),
        (["--store", "s", "--no-store"], "exclude"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "tune"])
def test_an_option_that_does_not_fit(
    *,
    refused: Refused,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = [] if "--no-store" in words else ["--no-store"]
    assert told in refused(2, verb, model, *words, *store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["plan", "tune"])
def test_a_result_that_could_not_be_kept_is_refused_before_work(
    refused: Refused, model: Path, tmp_path: Path, verb: str
) -> None:
    assert "no folder" in refused(2, verb, model, "-o", tmp_path / "no" / "p.json")
    assert "is a folder" in refused(2, verb, model, "-o", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_none(refused: Refused, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello\n" * 100)
    line = refused(3, "plan", model, "--store", other)
    assert "--store" in line
    assert other.read_text() == "hello\n" * 100


def test_run_without_a_plan_says_how_to_make_one(refused: Refused, model: Path) -> None:
    line = refused(2, "run", model, "-niter", "2")
    assert "counterpoint tune" in line
    assert "--unit" in line
    assert "counterpoint tune" in refused(2, "simulate", model)
    assert "counterpoint tune" in refused(2, "explain", model)


def test_run_of_nothing_names_the_ways(refused: Refused, model: Path, plan: Path) -> None:
    assert "--images" in refused(2, "run", model, "--plan", plan)
    assert "exclude" in refused(2, "run", model, "--plan", plan, "--unit", UNIT)
    both = ["--images", ".", "--tensors", "x.npy"]
    assert "exclude" in refused(2, "run", model, "--plan", plan, *both)


@pytest.mark.parametrize("unit", ["nonsense", "openvino:CPU@fp32 ", "onnxruntime:CPU@int8"])
def test_a_unit_that_cannot_run_it(refused: Refused, model: Path, unit: str) -> None:
    assert unit in refused(2, "run", model, "--unit", unit, "-niter", "2")


@pytest.mark.parametrize("verb", ["run", "simulate", "explain"])
def test_a_plan_that_does_not_belong_here(
    refused: Refused, model: Path, plan: Path, tmp_path: Path, verb: str
) -> None:
    more = ["-niter", "2"] if verb == "run" else ["--no-store"] if verb == "explain" else []
    other = tmp_path / "other.onnx"
    other.write_bytes(classifier(seed=1))
    assert "is for network" in refused(2, verb, other, "--plan", plan, *more)
    newer = changed(plan, tmp_path / "newer.json", version=99)
    assert "upgrade" in refused(2, verb, model, "--plan", newer, *more)
    assert "no.json" in refused(2, verb, model, "--plan", tmp_path / "no.json", *more)
    for data in (b"", b"{}", b"[1]", b"\xff\x00", b'{"format": "counterpoint-plan"}'):
        broken = tmp_path / "broken.json"
        broken.write_bytes(data)
        assert "broken.json" in refused(2, verb, model, "--plan", broken, *more)


def test_a_plan_of_another_machine(
    call: Call, refused: Refused, model: Path, plan: Path, tmp_path: Path
) -> None:
    moved = changed(plan, tmp_path / "moved.json", platform_fingerprint="0" * 64)
    assert "machine" in refused(2, "run", model, "--plan", moved, "-niter", "2")
    assert "machine" in refused(2, "explain", model, "--plan", moved, "--no-store")
    ended = call("run", model, "--plan", moved, "-niter", "2", "--allow-other-machine")
    assert ended.status == 0


def test_a_plan_with_a_hole(refused: Refused, model: Path, plan: Path, tmp_path: Path) -> None:
    lanes = json.loads(plan.read_text())["lanes"]
    lanes[0]["segments"][0]["layers"].pop()
    holed = changed(plan, tmp_path / "holed.json", lanes=lanes)
    assert "is missing" in refused(2, "run", model, "--plan", holed, "-niter", "2")


def test_a_plan_without_times_cannot_be_simulated(
    refused: Refused, model: Path, plan: Path, tmp_path: Path
) -> None:
    untimed = changed(plan, tmp_path / "untimed.json", prediction={"latency_ns": 1})
    assert "does not tell" in refused(2, "simulate", model, "--plan", untimed)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.jpg", b""),
        ("photo.jpg", b"not an image"),
        ("photo.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + os.urandom(200)),
    ],
)
def test_an_image_that_is_none(
    refused: Refused, model: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    out = tmp_path / "out"
    words = ["--unit", UNIT, "--images", path, "--preprocess", "unit", "--output-dir", out]
    assert name in refused(2, "run", model, *words)
    assert list(out.iterdir()) == []


def test_preprocessing_that_is_not_known(refused: Refused, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.zeros((20, 20, 3), np.uint8))
    words = ["run", model, "--unit", UNIT, "--images", path]
    line = refused(2, *words)
    assert "imagenet" in line
    assert "tiny.preprocess.toml" in line
    assert "imagenet" in refused(2, *words, "--preprocess", "nonsense")
    assert "no.toml" in refused(2, *words, "--preprocess", tmp_path / "no.toml")
    recipe = tmp_path / "bad.toml"
    recipe.write_text("colour = 'red'\n")
    assert "colour" in refused(2, *words, "--preprocess", recipe)


def test_folders_without_images(refused: Refused, model: Path, tmp_path: Path) -> None:
    words = ["run", model, "--unit", UNIT, "--preprocess", "unit", "--images"]
    assert "in this folder" in refused(2, *words, tmp_path)
    assert "no such file" in refused(2, *words, tmp_path / "missing")


def test_tensors_that_do_not_fit(refused: Refused, model: Path, tmp_path: Path) -> None:
    words = ["run", model, "--unit", UNIT, "--tensors"]
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.zeros((1, 3, EDGE, EDGE + 1), np.float32))
    assert "input 'data' takes" in refused(2, *words, wrong)
    np.save(wrong, np.zeros((1, 3, EDGE, EDGE), np.float64))
    assert "float64" in refused(2, *words, wrong)
    (tmp_path / "short.f32").write_bytes(b"\0" * 12)
    assert "12 bytes" in refused(2, *words, tmp_path / "short.f32")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    assert "objects.npy" in refused(2, *words, tmp_path / "objects.npy")
    both = tmp_path / "sum.onnx"
    both.write_bytes(two_inputs())
    assert "NAME=FILE" in refused(2, "run", both, "--unit", UNIT, "--tensors", wrong)


def test_labels_of_another_network(refused: Refused, model: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\n")
    frame = tmp_path / "frame.npy"
    np.save(frame, np.zeros((1, 3, EDGE, EDGE), np.float32))
    words = ["run", model, "--unit", UNIT, "--tensors", frame, "--labels"]
    assert "2 labels for 10 classes" in refused(2, *words, labels)
    assert "no such file" in refused(2, *words, tmp_path / "missing.txt")


def test_outputs_that_cannot_be_written(refused: Refused, model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ["run", model, "--unit", UNIT, "-niter", "2"]
    assert "cannot make the folder" in refused(2, *words, "--output-dir", tmp_path / "file")
    assert "no folder" in refused(2, *words, "--trace", tmp_path / "no" / "t.json")
