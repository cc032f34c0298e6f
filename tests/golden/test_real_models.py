"""Real model files of every kind are read, described rightly, and run."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest

from counterpoint.engines.registry import all_engines
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from tests.engine_runs import CPU, random_frame, relative_error, run_whole
from tests.shared_data import require

# Model file: shapes of inputs, shapes of outputs, layers that multiply, quantised.
MODELS = {
    "mlperf_tiny/ic_quantized_int8.onnx": ([(16, 3, 32, 32)], [(16, 10)], 10, True),
    "mlperf_tiny/ks_quantized_int8.onnx": ([(1, 1, 49, 10)], [(1, 12)], 10, True),
    "mnist/mnist-8.onnx": ([(1, 1, 28, 28)], [(1, 10)], 3, False),
    "mnist/mnist_cntk_opset7.onnx": ([(1, 1, 28, 28)], [(1, 10)], 3, False),
    "squeezenet_v1.1/squeezenet_v1.1_fp16.onnx": (
        [(1, 3, 224, 224)],
        [(1, 1000, 1, 1)],
        26,
        False,
    ),
    "ultraface/version-RFB-320.onnx": (
        [(1, 3, 240, 320)],
        [(1, 4420, 2), (1, 4420, 4)],
        None,
        False,
    ),
    "ultraface/version-RFB-320_without_postprocessing.onnx": (
        [(1, 3, 240, 320)],
        [(1, 4420, 2), (1, 4420, 4)],
        None,
        False,
    ),
    "ultraface/version-slim-320_without_postprocessing.onnx": (
        [(1, 3, 240, 320)],
        [(1, 4420, 2), (1, 4420, 4)],
        None,
        False,
    ),
    "yunet/yunet_n_320_320.onnx": (
        [(1, 3, 320, 320)],
        [(1, n, width) for width in (1, 1, 4, 10) for n in (1600, 400, 100)],
        None,
        False,
    ),
}


def scale_of(name: str) -> float:
    """Of a random frame: these networks expect pixels of 0 to 255."""
    return 60.0 if name.startswith(("mnist", "squeezenet", "yunet")) else 1.0


def original_outputs(name: str, frame: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What ONNX Runtime makes of the file itself, untouched by any code here."""
    session = onnxruntime.InferenceSession(
        require(f"models/{name}"), providers=["CPUExecutionProvider"]
    )
    outputs: list[np.ndarray] = session.run(None, frame)
    return outputs


def multiplying(network: Network) -> int:
    return sum(layer.macs > 0 for layer in network.layers)


@pytest.mark.parametrize("name", MODELS)
def test_description(name: str) -> None:
    inputs, outputs, convolutions, quantised = MODELS[name]
    network = load(require(f"models/{name}"))
    assert [spec.shape for spec in network.inputs] == inputs
    assert [spec.shape for spec in network.outputs] == outputs
    assert convolutions is None or multiplying(network) == convolutions
    assert network.is_quantised == quantised
    assert all(spec.shape is not None for spec in network.tensors.values())


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_the_file_itself(name: str) -> None:
    network = load(require(f"models/{name}"))
    frame = random_frame(network, scale=scale_of(name))
    allowed = 5e-3 if "fp16" in name else 1e-5
    assert relative_error(run_whole(network, frame), original_outputs(name, frame)) < allowed


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if not row[3]])
def test_openvino_agrees(name: str) -> None:
    network = load(require(f"models/{name}"))
    frame = random_frame(network, scale=scale_of(name))
    allowed = 2e-2 if "fp16" in name else 1e-4
    wanted = run_whole(network, frame)
    assert relative_error(run_whole(network, frame, "openvino"), wanted) < allowed


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if row[3]])
def test_openvino_runs_operators_on_integers_in_qdq_form(name: str) -> None:
    """These are in QLinear form, which it does not read; it rounds otherwise."""
    network = load(require(f"models/{name}"))
    frame = random_frame(network, scale=scale_of(name))
    wanted = run_whole(network, frame)
    assert relative_error(run_whole(network, frame, "openvino"), wanted) < 0.05
    engine = all_engines()["openvino"]
    for unit in engine.units([CPU]):
        reasons = {engine.unsupported_reason(layer, unit) for layer in network.layers}
        assert (reasons == {None}) == (unit.precision != "fp32")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["mnist/mnist-8.onnx", "mnist/mnist_cntk_opset7.onnx"])
def test_digits(name: str, engine: str) -> None:
    network = load(require(f"models/{name}"))
    (spec,) = network.inputs
    for file, digit in (("mnist_28.png", 8), ("mnist_nine.bmp", 9)):
        path = require(f"images/licensed/{file}")
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        pixels = cv2.resize(image, (28, 28)).astype(np.float32).reshape(1, 1, 28, 28)
        (scores,) = run_whole(network, {spec.name: pixels}, engine)
        assert int(scores.argmax()) == digit


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_is_its_images_one_by_one(batch: int) -> None:
    path = require("models/mobilenet_v2/mobilenet_v2.onnx")
    network = load(path, batch=batch)
    assert network.outputs[0].shape == (batch, 1000)
    frame = random_frame(network)
    (together,) = run_whole(network, frame)
    single = load(path)
    one_by_one = [
        run_whole(single, {"input": frame["input"][index : index + 1]})[0] for index in range(batch)
    ]
    assert relative_error([together], [np.concatenate(one_by_one)]) < 1e-5
