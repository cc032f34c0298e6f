"""Multiply-adds against published figures and against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from counterpoint.network.loading import load
from tests.onnx_models import kernel, loaded, model
from tests.shared_data import require

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

STEP = np.array(0.05, np.float32)
MIDDLE = np.array(128, np.uint8)

# Multiply-adds of the convolutions and Gemms. MobileNetV2: 300 M (Sandler et al. 2018, table 4).
# SqueezeNet v1.1: 2.4 times fewer than v1.0's 861 M (its authors' page). ResNet-50: 4.1 G with
# strides in the 3x3 convolutions. VGG-19: 19.6 G. The others: layer by layer, by hand.
KNOWN = {
    "models/mobilenet_v2/mobilenet_v2.onnx": 300_774_272,
    "models/mobilenet_v2/mobilenet_v2_int8.onnx": 300_774_272,
    "models/squeezenet_v1.1/squeezenet_v1.1.onnx": 349_151_936,
    "models/squeezenet_v1.1/squeezenet_v1.1_fp16.onnx": 349_151_936,
    # 8 kernels of 25 on 28x28, 16 of 200 on 14x14, 256 to 10
    "models/mnist/mnist-8.onnx": 784 * 8 * 25 + 196 * 16 * 200 + 2560,
}
KNOWN_LIGHT = {"light_resnet50": 4_089_184_256, "light_vgg19": 19_632_062_464}


@pytest.mark.parametrize("name", KNOWN)
def test_real_networks(name: str) -> None:
    assert load(require(name)).macs == KNOWN[name]


@pytest.mark.parametrize("name", KNOWN_LIGHT)
def test_large_architectures(name: str) -> None:
    assert load(LIGHT / f"{name}.onnx").macs == KNOWN_LIGHT[name]


@pytest.mark.parametrize(
    ("body", "weights", "wanted"),
    [
        ("y = Conv<pads=[1,1,1,1]>(x, w)", (8, 4, 3, 3), 36 * 8 * 4 * 9),
        ("y = Conv<strides=[2,2]>(x, w)", (8, 4, 2, 2), 9 * 8 * 4 * 4),
        ("y = Conv<pads=[1,1,1,1], group=4>(x, w)", (8, 1, 3, 3), 36 * 8 * 9),
        ("y = Conv<dilations=[2,2]>(x, w)", (8, 4, 3, 3), 4 * 8 * 4 * 9),
        # each of 4x6x6 inputs is scattered into 5 outputs by 2x2
        ("y = ConvTranspose<strides=[2,2]>(x, w)", (4, 5, 2, 2), 4 * 36 * 5 * 4),
        ("f = Flatten(x) y = Gemm(f, w)", (144, 10), 1440),
        ("f = Flatten(x) y = Gemm<transB=1>(f, w)", (10, 144), 1440),
        ("y = MatMul(x, w)", (6, 7), 4 * 6 * 6 * 7),
        ("y = Relu(x)", (1,), 0),
        ("y = MaxPool<kernel_shape=[2,2]>(x)", (1,), 0),
    ],
)
def test_by_hand(tmp_path: Path, body: str, weights: tuple[int, ...], wanted: int) -> None:
    network = loaded(model(body, w=np.ones(weights, np.float32)), tmp_path)
    assert network.macs == wanted
    assert loaded(model(body, w=np.ones(weights, np.float32)), tmp_path, batch=1).macs == wanted


def test_transposed_left_matrix(tmp_path: Path) -> None:
    made = model("y = Gemm<transA=1>(x, w)", inputs="float[5,3] x", w=np.ones((5, 7), np.float32))
    assert loaded(made, tmp_path).macs == 5 * 3 * 7


def test_integer_forms(tmp_path: Path) -> None:
    made = model(
        "q = QuantizeLinear(x, s, z) c = ConvInteger<pads=[1,1,1,1]>(q, w, z) y = Cast<to=1>(c)",
        w=np.ones((8, 4, 3, 3), np.uint8),
        s=STEP,
        z=MIDDLE,
    )
    network = loaded(made, tmp_path)
    assert network.macs == 36 * 8 * 4 * 9
    assert [layer.kind for layer in network.layers] == ["QuantizeLinear", "Conv", "Cast"]


def test_batch_multiplies(tmp_path: Path) -> None:
    made = model("y = Conv<pads=[1,1,1,1]>(x, w)", w=kernel(), inputs="float[N,4,6,6] x")
    assert loaded(made, tmp_path, batch=8).macs == 8 * loaded(made, tmp_path).macs


def test_bytes_and_intensity(tmp_path: Path) -> None:
    made = model("y = Conv<pads=[1,1,1,1]>(x, w)", w=kernel(8))
    (layer,) = loaded(made, tmp_path).layers
    sizes = (layer.weight_bytes, layer.input_bytes, layer.output_bytes)
    assert sizes == (8 * 4 * 9 * 4, 144 * 4, 288 * 4)
    assert layer.arithmetic_intensity == layer.macs / (sizes[0] + 144 * 4 + 288 * 4)
