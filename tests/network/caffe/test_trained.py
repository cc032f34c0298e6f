"""Trained Caffe networks against what others computed with them."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import onnxruntime
import pytest

from counterpoint.frames.detections import decode_offsets, find_faces
from counterpoint.frames.images import read_image
from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.presets import preset
from counterpoint.network.graph import TensorSpec
from tests.network.caffe.runs import Converted
from tests.shared_data import require

PHOTOGRAPHS = ("kitten", "cat", "finch")


def network(folder: str, prototxt: str, caffemodel: str, **options: Any) -> Converted:
    models = require(f"models/{folder}")
    return Converted(models / prototxt, models / caffemodel, **options).checked()


def squeezenet(version: str) -> Converted:
    return network(
        f"squeezenet_v{version}", "deploy.prototxt", f"squeezenet_v{version}.caffemodel", batch=1
    )


def golden(name: str, shape: tuple[int, ...]) -> Any:
    return np.fromfile(require(f"golden/{name}.f32"), "<f4").reshape(shape)


def class_of(converted: Converted, photograph: str, preprocessing: Preprocessing) -> int:
    value = converted.model.graph.input[0]
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    image = read_image(require(f"images/licensed/{photograph}"))
    frame = preprocessing.apply(image, TensorSpec(value.name, "float32", shape))
    return int(converted.first(frame)[0].argmax())


@pytest.mark.parametrize(("version", "prefix"), [("1.1", "sq11"), ("1.0", "sq10")])
def test_squeezenet_gives_its_golden_outputs(version: str, prefix: str) -> None:
    converted = squeezenet(version)
    for photograph in PHOTOGRAPHS:
        frame = golden(f"sq11_caffe_{photograph}_in", (1, 3, 227, 227))
        wanted = golden(f"{prefix}_caffe_{photograph}_out", (1, 1000, 1, 1))
        assert np.abs(converted.first(frame) - wanted).max() < 1e-4


def test_every_layer_of_squeezenet_has_the_stated_statistics() -> None:
    converted = squeezenet("1.1")
    tensors = {node.name: node.output[0] for node in converted.model.graph.node}
    tensors["drop9"] = tensors["fire9/concat"]  # dropout is nothing at inference
    frame = golden("sq11_caffe_kitten_in", (1, 3, 227, 227))
    found = converted.run({"data": frame}, also=list(dict.fromkeys(tensors.values())))
    table = require("golden/layer_stats_squeezenet11_caffe_kitten.csv")
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 66
    for row in rows:
        values = found[tensors[row["layer"]]].astype(np.float64)
        assert "x".join(map(str, values.shape)) == row["shape"]
        scale = np.sqrt(np.mean(values**2))
        stated = [float(row[key]) for key in ("min", "max", "mean", "std")]
        measured = [values.min(), values.max(), values.mean(), values.std()]
        assert np.allclose(measured, stated, rtol=1e-3, atol=1e-3 * scale), row["layer"]
        assert np.isclose(np.linalg.norm(values), float(row["l2"]), rtol=1e-3), row["layer"]
        first = [float(text) for text in row["first4"].split()]
        assert np.allclose(values.flat[:4], first, rtol=1e-3, atol=1e-3 * scale), row["layer"]


def test_squeezenet_and_its_onnx_twin_agree() -> None:
    converted = network(
        "squeezenet_v1.1",
        "deploy.prototxt",
        "squeezenet_v1.1.caffemodel",
        input_shapes={"data": (1, 3, 224, 224)},
    )
    twin = onnxruntime.InferenceSession(
        require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"), providers=["CPUExecutionProvider"]
    )
    for photograph in PHOTOGRAPHS:
        frame = golden(f"sq11_onnx_{photograph}_in", (1, 3, 224, 224))
        ours = converted.first(frame).ravel()
        theirs = np.asarray(twin.run(None, {twin.get_inputs()[0].name: frame})[0]).ravel()
        assert ours.argmax() == theirs.argmax()
        # the two files' weights differ in the fourth digit
        assert np.linalg.norm(ours - theirs) < 1e-2 * np.linalg.norm(theirs)


@pytest.mark.parametrize(
    ("version", "column"), [("1.1", "sq11_caffe_fp16w_top1"), ("1.0", "sq10_caffe_deepcomp_top1")]
)
def test_all_65_photographs(version: str, column: str) -> None:
    converted = squeezenet(version)
    folder = require("images/imagenet_sample")
    spec = TensorSpec("data", "float32", (1, 3, 227, 227))
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 65
    session = converted.session()
    for row in rows:
        frame = preset("caffe").apply(read_image(folder / row["file"]), spec)
        scores = np.asarray(session.run(None, {"data": frame})[0])
        assert int(scores.argmax()) == int(row[column]), row["file"]


def session_of(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        require(f"models/ultraface/{name}.onnx"), options, providers=["CPUExecutionProvider"]
    )


def test_ultraface_from_caffe_is_ultraface_from_onnx() -> None:
    converted = network("ultraface", "RFB-320.prototxt", "RFB-320.caffemodel")
    raw = session_of("version-RFB-320_without_postprocessing")
    decoded = session_of("version-RFB-320")
    spec = TensorSpec("input", "float32", (1, 3, 240, 320))
    name = converted.model.graph.input[0].name
    for photograph, faces in (("1", 46), ("13", 2), ("19", 5), ("2", 4), ("27", 70)):
        image = read_image(require(f"images/faces/{photograph}.jpg"))
        frame = preset("ultraface").apply(image, spec)
        ours = {a.shape[-1]: a for a in converted.run({name: frame}).values()}
        theirs = {a.shape[-1]: a for a in raw.run(None, {raw.get_inputs()[0].name: frame})}
        faced = {a.shape[-1]: a for a in decoded.run(None, {decoded.get_inputs()[0].name: frame})}
        assert np.abs(ours[2] - theirs[2]).max() < 2e-5
        # offsets go up to 6, where the last bits of float32 are worth more
        assert (np.abs(ours[4] - theirs[4]) < 2e-5 * np.maximum(1, np.abs(theirs[4]).max())).all()
        assert np.abs(ours[2] - faced[2]).max() < 2e-5
        corners = decode_offsets(ours[4][0].astype(np.float64), (240, 320))
        assert np.abs(corners - faced[4][0]).max() < 2e-5
        placement = preset("ultraface").placement((image.shape[0], image.shape[1]), spec)
        found = find_faces(list(ours.values()), placement, boxes="offsets")
        assert len(found) == faces


def test_slim_ultraface_from_caffe_is_that_from_onnx() -> None:
    converted = network("ultraface", "slim-320.prototxt", "slim-320.caffemodel")
    twin = session_of("version-slim-320_without_postprocessing")
    frame = next(iter(converted.inputs().values()))
    theirs = {a.shape: a for a in twin.run(None, {twin.get_inputs()[0].name: frame})}
    outputs = converted.run({converted.model.graph.input[0].name: frame})
    for ours in outputs.values():
        assert np.abs(ours - theirs[ours.shape]).max() < 2e-5


@pytest.mark.parametrize("folder", ["lenet", "lenet_v1_format"])
def test_lenet_reads_digits_in_both_formats(folder: str) -> None:
    converted = network(folder, "lenet.prototxt", "lenet_iter_10000.caffemodel", batch=1)
    white_on_black = Preprocessing(channels="gray", scale=1 / 256)
    assert class_of(converted, "mnist_28.png", white_on_black) == 8
    assert class_of(converted, "mnist_nine.bmp", white_on_black) == 9


@pytest.mark.parametrize(
    ("prototxt", "caffemodel"),
    [
        ("cifar10_quick.prototxt", "cifar10_quick_iter_5000.caffemodel"),
        ("cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel"),
    ],
)
def test_cifar_sees_a_bird(prototxt: str, caffemodel: str) -> None:
    converted = network("cifar10", prototxt, caffemodel)
    bird = 2
    assert (
        class_of(converted, "cifar10_test_bird4.jpg", Preprocessing(mean=(125.3, 123, 113.9)))
        == bird
    )


@pytest.mark.parametrize(
    ("stage", "outputs"),
    [("det1", [(1, 2), (1, 4)]), ("det2", [(1, 2), (1, 4)]), ("det3", [(1, 2), (1, 4), (1, 10)])],
)
def test_mtcnn_is_what_opencv_computes(stage: str, outputs: list[tuple[int, int]]) -> None:
    cv2 = pytest.importorskip("cv2")
    converted = network("mtcnn", f"{stage}.prototxt", f"{stage}.caffemodel")
    models = require("models/mtcnn")
    theirs = cv2.dnn.readNetFromCaffe(
        str(models / f"{stage}.prototxt"), str(models / f"{stage}.caffemodel")
    )
    inputs = converted.inputs()
    found = converted.run(inputs)
    assert sorted(a.shape[:2] for a in found.values()) == outputs
    for name, array in inputs.items():
        theirs.setInput(array, name)
    for (name, ours), other in zip(found.items(), theirs.forward(list(found)), strict=True):
        assert np.abs(ours - other).max() < 1e-5, name
