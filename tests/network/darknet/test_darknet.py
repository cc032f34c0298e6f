"""Darknet's cfg and weights."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from counterpoint.errors import ModelFileError
from counterpoint.network.darknet import darknet_model, read_darknet
from counterpoint.network.loading import load
from tests.shared_data import require

SMALL = """
[net]
width=8
height=8
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=4
size=1
activation=linear
[shortcut]
from=-2
[route]
layers=-1,-3
[reorg]
stride=2
[yolo]
[route]
layers=-4
[upsample]
stride=2
"""


def written(folder: Path, text: str = SMALL) -> Path:
    path = folder / "net.cfg"
    path.write_text(text, encoding="utf-8")
    return path


def outputs(path: Path, weights: Path | None, **options: Any) -> list[Any]:
    seed = 0 if weights is None else None
    model, kept = darknet_model(path, weights, batch=None, input_shapes=None, seed=seed, **options)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    file = kept.scratch.path / "whole.onnx"
    file.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(file))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    value = session.get_inputs()[0]
    frame = np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)
    return list(session.run(None, {value.name: frame}))


def weights_file(path: Path, count: int) -> Path:
    numbers = np.random.default_rng(1).uniform(0.5, 1.5, count).astype("<f4")
    path.write_bytes(struct.pack("<iiiq", 0, 2, 0, 0) + numbers.tobytes())
    return path


def test_yolov2_is_the_zoos() -> None:
    network = read_darknet(
        require("architectures/yolo/yolov2.cfg"), None, batch=None, input_shapes=None, seed=0
    )
    assert network.macs == load("zoo:yolov2").macs == 14_732_084_224
    assert [spec.shape for spec in network.outputs] == [(1, 425, 13, 13)]


def test_batch_normalisation_kept_or_folded_computes_the_same(tmp_path: Path) -> None:
    path = written(tmp_path)
    weights = weights_file(tmp_path / "net.weights", 4 * 4 + 4 * 27 + 4 + 16)
    for file in (None, weights):
        folded, kept = outputs(path, file), outputs(path, file, keep_batchnorm=True)
        assert [a.shape for a in folded] == [(1, 32, 2, 2), (1, 4, 8, 8)]
        for a, b in zip(folded, kept, strict=True):
            assert np.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_opencv_agrees_on_the_same_weights(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    text = SMALL[: SMALL.index("[shortcut]")]
    path = written(tmp_path, text)
    weights = weights_file(tmp_path / "net.weights", 4 * 4 + 4 * 27 + 4 + 16)
    ours = outputs(path, weights)[0]
    net = cv2.dnn.readNetFromDarknet(str(path), str(weights))
    net.setInput(np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32))
    assert np.abs(net.forward() - ours).max() < 1e-4


def test_weights_must_be_as_many_as_the_cfg_needs(tmp_path: Path) -> None:
    path, needed = written(tmp_path), 4 * 4 + 4 * 27 + 4 + 16
    for count, says in ((needed - 1, "truncated"), (needed + 1, "another cfg"), (0, "truncated")):
        weights = weights_file(tmp_path / "net.weights", count)
        with pytest.raises(ModelFileError, match=says):
            read_darknet(path, weights, batch=None, input_shapes=None, seed=None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no Darknet cfg"),
        ("[net]\n[warp]\n", "height"),
        ("[net]\nwidth=8\nheight=8\n[warp]\n", "unknown section; known"),
        ("[net]\nwidth=8\nheight=x\n[conv]\n", "no whole number"),
        ("[net]\nwidth=8\nheight=8\n[route]\nlayers=3\n", "not before it"),
        ("[net]\nwidth=8\nheight=8\n[conv]\nfilters=2000000000\nsize=3\n", "seeded weights above"),
        ("[net]\nwidth=8\nheight=8\n[conv]\nactivation=warp\n", "unknown activation"),
        ("width=8\n", "neither a"),
    ],
)
def test_bad_cfg_gives_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ModelFileError, match=says) as caught:
        read_darknet(written(tmp_path, text), None, batch=None, input_shapes=None, seed=0)
    assert "\n" not in str(caught.value)


def test_missing_weights_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="--weights"):
        read_darknet(written(tmp_path), None, batch=None, input_shapes=None, seed=None)
