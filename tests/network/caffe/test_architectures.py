"""Published architectures with seeded weights, in three evaluators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.network.caffe.runs import Converted, synthesised
from tests.shared_data import require

FAST = (
    "bvlc/alexnet_deploy",
    "mobilenet/mobilenet_deploy",
    "mobilenet/mobilenet_v2_deploy",
    "mobilenet_ssd/deploy",
    "shufflenet/shufflenet_1x_g3_deploy",
    "soeaver/deploy_resnet18-priv",
    "squeezenet/squeezenet_v1.0_deploy",
)
SLOW = (
    "bvlc/caffenet_deploy",
    "bvlc/googlenet_deploy",
    "resnet/ResNet-50-deploy",
    "resnet/ResNet-101-deploy",
    "soeaver/deploy_inception-v3",
    "soeaver/deploy_resnet50",
    "soeaver/deploy_resnext50-32x4d",
    "soeaver/deploy_vgg16-pytorch",
    "yolo/darknet19_deploy",
    "yolo/yolov3-tiny",
)
SMALLER = {"yolo/darknet19_deploy": (1, 3, 224, 224), "yolo/yolov3-tiny": (1, 3, 96, 96)}
"""Inputs small enough for the reference evaluator; the network's size hangs on nothing there."""

EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def prototxt(name: str) -> Path:
    return require(f"architectures/{name}.prototxt")


def test_the_list_is_complete() -> None:
    folder = require("architectures")
    there = {str(p.relative_to(folder).with_suffix("")) for p in folder.glob("*/*.prototxt")}
    assert there == {*FAST, *SLOW}


def options(name: str) -> dict[str, Any]:
    return {"input_shapes": {"data": SMALLER[name]}} if name in SMALLER else {"batch": 1}


def same(ours: Any, theirs: Any, tolerance: float) -> bool:
    """Equal numbers; of detections equal rows, as nearly equal scores may change places."""
    if ours.ndim == 4 and ours.shape[-1] == 7:
        a, b = ours.reshape(-1, 7), theirs.reshape(-1, 7)
        distance = np.abs(a[:, None] - b[None]).max(axis=2)
        return bool(
            np.abs(np.sort(a[:, 2]) - np.sort(b[:, 2])).max() < tolerance
            and (distance.min(axis=1) < 10 * tolerance).mean() > 0.99
            and (distance.min(axis=0) < 10 * tolerance).mean() > 0.99
        )
    return bool(np.abs(ours.ravel() - theirs.ravel()).max() < tolerance * np.abs(ours).max())


@pytest.mark.parametrize("name", EVERY)
def test_runtime_and_reference_agree(name: str) -> None:
    converted = Converted(prototxt(name), seed=0, **options(name)).checked()
    inputs = converted.inputs()
    found = converted.run(inputs)
    for output, reference in converted.reference(inputs).items():
        assert np.isfinite(found[output]).all()
        assert found[output].shape == reference.shape
        assert found[output].std() > 0
        assert same(found[output], reference, 1e-3), output


@pytest.mark.parametrize("name", EVERY)
def test_opencv_agrees_on_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("yolo/"):
        pytest.skip("OpenCV does not have this network's last layer")
    cv2 = pytest.importorskip("cv2")
    weights, seeded = synthesised(prototxt(name), tmp_path, monkeypatch, **options(name))
    monkeypatch.undo()
    trained = Converted(prototxt(name), weights, **options(name))
    inputs = seeded.inputs()
    found = seeded.run(inputs)
    for output, again in trained.run(inputs).items():
        assert np.array_equal(again, found[output])
    net = cv2.dnn.readNetFromCaffe(str(prototxt(name)), str(weights))
    for input_name, array in inputs.items():
        net.setInput(array, input_name)
    for (output, ours), theirs in zip(found.items(), net.forward(list(found)), strict=True):
        assert ours.size == theirs.size
        # 101 layers of drawn weights multiply what is left of rounding
        tolerance = 1e-2 if "101" in name else 1e-3
        assert same(ours, theirs, tolerance), output


@pytest.mark.parametrize(
    "name", ["mobilenet/mobilenet_deploy", "mobilenet_ssd/deploy", "soeaver/deploy_resnet18-priv"]
)
def test_kept_batch_normalisation_computes_the_same(name: str) -> None:
    folded = Converted(prototxt(name), seed=0, **options(name))
    kept = Converted(prototxt(name), seed=0, keep_batchnorm=True, **options(name)).checked()
    assert all(node.op_type != "BatchNormalization" for node in folded.model.graph.node)
    inputs = folded.inputs()
    for output, array in kept.run(inputs).items():
        assert same(folded.run(inputs)[output], array, 1e-3)


def test_kept_batch_normalisation_is_there() -> None:
    kept = Converted(prototxt("mobilenet/mobilenet_deploy"), seed=0, keep_batchnorm=True)
    operators = [node.op_type for node in kept.model.graph.node]
    assert operators.count("BatchNormalization") == 27
    assert "Mul" not in operators  # Scale went into the BatchNormalization before it


def test_darknet19_in_caffe_has_yolov2s_multiply_adds() -> None:
    from counterpoint.network.caffe import read_caffe

    network = read_caffe(
        prototxt("yolo/darknet19_deploy"), None, batch=1, input_shapes=None, seed=0
    )
    assert network.macs == 14_732_084_224


def test_the_same_seed_gives_the_same_network() -> None:
    from counterpoint.network.caffe import read_caffe

    path = prototxt("shufflenet/shufflenet_1x_g3_deploy")
    hashes = [
        read_caffe(path, None, batch=1, input_shapes=None, seed=seed).content_hash
        for seed in (3, 3, 4)
    ]
    assert hashes[0] == hashes[1] != hashes[2]
