"""Trained networks tuned under an accuracy budget; what the plans lose is computed again here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

import counterpoint as cp
from counterpoint.frames.images import read_image
from counterpoint.frames.presets import preset
from counterpoint.network.graph import Network
from counterpoint.tuning.precision_tuning import PrecisionResult
from counterpoint.tuning.throughput import ThroughputResult
from tests.shared_data import require

Array = npt.NDArray[np.floating]

PHOTOGRAPHS = 16

SQUEEZENET = "models/squeezenet_v1.1/squeezenet_v1.1.onnx", "caffe"
MOBILENET = "models/mobilenet_v2/mobilenet_v2.onnx", "imagenet"


def photographs(network: Network, name: str) -> list[Array]:
    files = sorted(require("images/imagenet_sample").glob("*.JPEG"))[:PHOTOGRAPHS]
    return [
        np.asarray(preset(name).apply(read_image(file), network.inputs[0]), np.float32)
        for file in files
    ]


def logits(scores: list[Array]) -> Array:
    """Both networks give logits; of them each image's mean is no signal."""
    rows = np.stack([score.ravel() for score in scores]).astype(np.float64)
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def judged(path: Path, network: Network, plan: cp.Plan, images: list[Array]) -> tuple[int, float]:
    """Images whose best class is another than the file's own in ONNX Runtime; decibels."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    exact = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = network.inputs[0].name
    expected = logits([exact.run(None, {name: image})[0] for image in images])
    with cp.Session(network, plan) as session:
        found = logits([np.asarray(session.run(None, {name: image})[0]) for image in images])
    lost = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    return lost, 10 * np.log10((expected**2).sum() / ((found - expected) ** 2).sum())


def tuned(
    network: Network,
    images: list[Array],
    store: Path,
    *,
    max_drop: float | None = None,
    min_sqnr_db: float | None = None,
) -> PrecisionResult:
    """On OpenVINO's units of the whole CPU, without its half precisions."""
    return cp.tune(
        network,
        calibration=images,
        machine=cp.devices(only=["openvino:CPU@fp32", "openvino:CPU@int8"]),
        precision="fp32,int8",
        store=store / "measurements.sqlite",
        max_drop=max_drop,
        min_sqnr_db=min_sqnr_db,
    )


def test_squeezenet_in_int8_loses_no_photograph(tmp_path: Path) -> None:
    path = require(SQUEEZENET[0])
    network = cp.load(path)
    images = photographs(network, SQUEEZENET[1])
    result = tuned(network, images, tmp_path, max_drop=1)
    assert not isinstance(result.tuned, ThroughputResult)
    choice = result.plan.precision
    assert choice is not None and choice.int8, "int8 is the faster one, and keeps the budget"
    assert result.calibration_images + result.verification_images == PHOTOGRAPHS
    assert result.accuracy.drop is not None
    assert result.accuracy.drop.lost == 0
    lost, db = judged(path, network, result.plan, images)
    assert lost <= 1  # of those that calibrated, one may lie on the edge
    assert db > 15


def test_mobilenet_mixes_where_uniform_int8_is_too_noisy(tmp_path: Path) -> None:
    path = require(MOBILENET[0])
    network = cp.load(path)
    images = photographs(network, MOBILENET[1])
    result = tuned(network, images, tmp_path, min_sqnr_db=20)
    uniform = [broken for broken in result.found.broken if "dB" in broken]
    assert uniform, "uniform int8 of this network keeps 17 dB only"
    choice = result.plan.precision
    assert choice is not None
    assert 0 < len(choice.int8) < len(result.found.sensitivity)
    _, db = judged(path, network, result.plan, images)
    assert db > 19  # 20 on the half that verified
