"""Preprocessing against tensors and predictions that others computed from the same photographs."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from tests.shared_data import require

from counterpoint.frames.images import read_image
from counterpoint.frames.labels import probabilities, read_labels, top_k
from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.presets import preset
from counterpoint.frames.tensors import read_tensor
from counterpoint.network.graph import TensorSpec

IMAGENET_INPUT = TensorSpec("data", "float32", (1, 3, 224, 224))


class Model:
    """An ONNX file with one input and one output, in ONNX Runtime."""

    def __init__(self, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            require(f"models/{name}"), options, providers=["CPUExecutionProvider"]
        )
        node = self.session.get_inputs()[0]
        dtype = {"tensor(float)": "float32", "tensor(float16)": "float16"}[node.type]
        self.input = TensorSpec(node.name, dtype, (1, *node.shape[1:]))

    def scores(self, photograph: Path, preprocessing: Preprocessing) -> npt.NDArray[Any]:
        frame = preprocessing.apply(read_image(photograph), self.input)
        return np.asarray(self.session.run(None, {self.input.name: frame})[0])


NETWORKS = {
    "sq11_fp32_onnx": ("squeezenet_v1.1/squeezenet_v1.1.onnx", "caffe"),
    "sq_fp16_onnx": ("squeezenet_v1.1/squeezenet_v1.1_fp16.onnx", "caffe"),
    "mbv2_fp32deq": ("mobilenet_v2/mobilenet_v2.onnx", "imagenet"),
    "mbv2_int8_onnx": ("mobilenet_v2/mobilenet_v2_int8.onnx", "imagenet"),
}


@pytest.mark.parametrize("column", NETWORKS)
def test_all_65_photographs(column: str) -> None:
    name, preset_name = NETWORKS[column]
    folder = require("images/imagenet_sample")
    model = Model(name)
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 65
    wrong = {}
    largest_difference = 0.0
    for row in rows:
        chances = probabilities(model.scores(folder / row["file"], preset(preset_name)))
        ((best, chance),) = top_k(chances, 1)
        if best != int(row[f"{column}_top1"]):
            wrong[row["file"]] = best
        largest_difference = max(largest_difference, abs(chance - float(row[f"{column}_p"])))
    assert wrong == {}
    if "fp32" in column:  # int8 and fp16 kernels round differently from machine to machine
        assert largest_difference < 1e-4


@pytest.mark.parametrize("column", NETWORKS)
def test_photographs_that_all_networks_know(column: str) -> None:
    name, preset_name = NETWORKS[column]
    folder = require("images/licensed")
    model = Model(name)
    for photograph, classes in {
        "coffee.png": {967},
        "parrot.jpg": {88},
        "bird.bmp": {19},
        "hot_dog.jpg": {934},
        "kitten_224.png": {281},
        "chelsea.png": {281, 282, 285},
        "cat.jpg": {281, 282},
    }.items():
        ((best, _),) = top_k(model.scores(folder / photograph, preset(preset_name)), 1)
        assert best in classes, photograph


@pytest.mark.parametrize("photograph", ["kitten_224.png", "cat.jpg"])
@pytest.mark.parametrize(
    ("network", "preset_name", "side", "tolerance"),
    [
        ("sq11_caffe", "caffe", 227, 0.0),
        ("sq11_onnx", "caffe", 224, 0.0),
        ("mbv2", "imagenet", 224, 1e-6),
    ],
)
def test_golden_inputs(
    photograph: str, network: str, preset_name: str, side: int, tolerance: float
) -> None:
    spec = TensorSpec("data", "float32", (1, 3, side, side))
    stem = re.split("[_.]", photograph, maxsplit=1)[0]
    golden: npt.NDArray[Any] = read_tensor(require(f"golden/{network}_{stem}_in.f32"), spec)
    image = read_image(require(f"images/licensed/{photograph}"))
    frame: npt.NDArray[Any] = preset(preset_name).apply(image, spec)
    np.testing.assert_allclose(frame, golden, rtol=0, atol=tolerance)


def test_digits() -> None:
    for name in ("mnist/mnist-8.onnx", "mnist/mnist_cntk_opset7.onnx"):
        model = Model(name)
        for photograph, digit in (("mnist_28.png", 8), ("mnist_nine.bmp", 9)):
            scores = model.scores(require(f"images/licensed/{photograph}"), preset("mnist"))
            assert top_k(scores, 1)[0][0] == digit


def test_golden_outputs_name_their_classes() -> None:
    labels = read_labels(require("labels/imagenet_synset_words.txt"))
    assert len(labels) == 1000
    scores = read_tensor(
        require("golden/sq11_onnx_kitten_out.f32"), TensorSpec("out", "float32", (1, 1000, 1, 1))
    )
    best = [(labels[index].split(",")[0], round(score, 3)) for index, score in top_k(scores, 3)]
    assert best == [("tabby", 0.9), ("Egyptian cat", 0.077), ("tiger cat", 0.022)]
    logits = read_tensor(
        require("golden/sq10_caffe_kitten_out.f32"), TensorSpec("out", "float32", (1, 1000, 1, 1))
    )
    assert top_k(logits, 1)[0][1] == pytest.approx(22.4494, abs=1e-3)
    assert probabilities(logits).sum() == pytest.approx(1)
