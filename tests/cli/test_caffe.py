"""Caffe and Darknet networks on the command line, and the verb that makes ONNX of any network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.recipe import FrameRecipe, write_recipe
from counterpoint.network.caffe.parameters import BlobKey
from tests.cli.conftest import Call
from tests.network.caffe.runs import caffemodel_of
from tests.shared_data import require

Refused = Callable[..., str]
UNIT = "onnxruntime:CPU@fp32"

PROTOTXT = """
name: "small"
input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""

CFG = (
    "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=1\nactivation=linear\n"
)


@pytest.fixture
def prototxt(tmp_path: Path) -> Path:
    path = tmp_path / "small.prototxt"
    path.write_text(PROTOTXT, encoding="utf-8")
    return path


@pytest.fixture
def caffemodel(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    blobs = {
        BlobKey("conv", 0): random.standard_normal((5, 3, 3, 3)),
        BlobKey("conv", 1): np.array([0, 0, 50, 0, 0]),  # class 2, whatever the image
    }
    path = tmp_path / "trained.caffemodel"
    path.write_bytes(caffemodel_of(blobs).SerializeToString())
    return path


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8))
    return path


def document(call: Call, *words: object) -> dict[str, Any]:
    ended = call(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(ended.out)
    assert isinstance(content, dict)
    return content


def first_output(model: Path, name: str, frame: Any) -> Any:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {name: frame})[0]


def test_inspect(call: Call, prototxt: Path, caffemodel: Path) -> None:
    content = document(call, "inspect", prototxt, "--weights", caffemodel, "-b", "2")
    assert content["name"] == "small"
    assert content["inputs"][0]["shape"] == [2, 3, 16, 16]
    assert content["layers"][0]["operators"][:2] == ["Conv", "Relu"]


def test_seeded_weights(call: Call, prototxt: Path, tmp_path: Path) -> None:
    seeds = [document(call, "inspect", prototxt, "--seed", seed)["hash"] for seed in (0, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG, encoding="utf-8")
    assert document(call, "inspect", cfg, "--seed", 3)["inputs"][0]["shape"] == [1, 3, 8, 8]


def test_run_finds_the_recipe_beside_the_prototxt(
    call: Call, prototxt: Path, caffemodel: Path, photograph: Path
) -> None:
    recipe = FrameRecipe(preprocessing=Preprocessing(scale=1 / 255), task="classify")
    write_recipe(prototxt.with_suffix(".preprocess.toml"), recipe)
    words = ["--weights", caffemodel, "--unit", UNIT, "--images", photograph]
    (answer,) = document(call, "run", prototxt, *words)["answers"]
    assert answer["classes"][0]["index"] == 2


def test_tune_and_run_by_the_plan(
    call: Call, prototxt: Path, caffemodel: Path, photograph: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    network = [prototxt, "--weights", caffemodel]
    document(call, "tune", *network, "-o", plan, "--no-store", "-d", UNIT)
    words = ["--plan", plan, "--images", photograph, "--preprocess", "imagenet"]
    (answer,) = document(call, "run", *network, *words, "--task", "classify")["answers"]
    assert answer["classes"][0]["index"] == 2


def test_convert(call: Call, prototxt: Path, caffemodel: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.onnx"
    content = document(call, "convert", prototxt, "--weights", caffemodel, "-o", target)
    assert content["format"] == "counterpoint-conversion"
    assert (content["file"], content["data_file"]) == (str(target), None)
    assert content["size_bytes"] == target.stat().st_size
    onnx.checker.check_model(target, full_check=True)
    frame = np.zeros((1, 3, 16, 16), np.float32)
    assert first_output(target, "data", frame).argmax() == 2
    given = document(call, "inspect", prototxt, "--weights", caffemodel)
    assert document(call, "inspect", target)["layers"] == given["layers"]


@pytest.mark.parametrize(
    "words", [["zoo:squeezenet_v1.1"], ["tiny.onnx"], ["net.cfg", "--seed", 1]]
)
def test_convert_takes_every_network(
    call: Call,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[object],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(model.read_bytes())
    (tmp_path / "net.cfg").write_text(CFG, encoding="utf-8")
    ended = call("convert", *words, "-o", "made.onnx")
    assert (ended.status, ended.err) == (0, "")
    assert "made.onnx" in ended.out
    given, made = document(call, "inspect", *words), document(call, "inspect", "made.onnx")
    for key in ("inputs", "outputs", "layers"):
        assert made[key] == given[key]


@pytest.mark.parametrize("name", ["made.txt", "made", "no/made.onnx", "folder.onnx"])
def test_convert_refuses_a_bad_place(
    refused: Refused, model: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    assert "cannot write" in refused(2, "convert", model, "-o", tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.onnx"]


def test_convert_never_replaces_its_input(refused: Refused, model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes(model.read_bytes())
    link = tmp_path / "link.onnx"
    link.symlink_to(own)
    for target in (own, link):
        assert "name another output" in refused(2, "convert", own, "-o", target)
    assert own.read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["small.prototxt"], "--weights NET.caffemodel"),
        (["trained.caffemodel"], "name the .prototxt"),
        (["trained.caffemodel", "--seed", "1"], "name the .prototxt"),
        (["small.prototxt", "--weights", "missing.caffemodel"], "missing.caffemodel"),
        (["small.prototxt", "--weights", "small.prototxt"], "small.prototxt"),
        (["small.prototxt", "--weights", "."], "folder"),
        (["small.prototxt", "--weights", "trained.caffemodel", "--seed", "1"], "exclude"),
        (["zoo:alexnet", "--weights", "trained.caffemodel"], "--weights is for"),
        (["small.prototxt", "--seed", "1", "--shape", "other=1x3x8x8"], "data"),
    ],
)
@pytest.mark.parametrize("verb", ["inspect", "tune", "convert"])
def test_mistakes_are_one_line_and_leave_nothing(
    *,
    refused: Refused,
    prototxt: Path,
    caffemodel: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    place = [] if verb == "inspect" else ["-o", "made.onnx"]
    store = ["--no-store"] if verb == "tune" else []
    assert told in refused(2, verb, *words, *place, *store)
    assert sorted(tmp_path.iterdir()) == sorted([prototxt, caffemodel])


def test_squeezenet_gives_its_golden_outputs_through_convert(call: Call, tmp_path: Path) -> None:
    models = require("models/squeezenet_v1.1")
    target = tmp_path / "squeezenet.onnx"
    weights = ["--weights", models / "squeezenet_v1.1.caffemodel"]
    document(call, "convert", models / "deploy.prototxt", *weights, "-b", "1", "-o", target)
    for photograph in ("kitten", "cat", "finch"):
        given, wanted = (
            np.fromfile(require(f"golden/sq11_caffe_{photograph}_{end}.f32"), "<f4")
            for end in ("in", "out")
        )
        found = first_output(target, "data", given.reshape(1, 3, 227, 227))
        assert np.abs(found.ravel() - wanted).max() < 1e-4
