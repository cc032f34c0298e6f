"""A batch of images gives what single runs give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from counterpoint.errors import UserInputError
from counterpoint.network.batching import with_batch
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.split import Split
from counterpoint.network.splitting import split
from counterpoint.network.zoo import DEFAULT_TEN
from tests.engine_runs import random_frame, relative_error, run_parts, run_whole
from tests.network.split_runs import network_in_memory
from tests.onnx_models import kernel, model
from tests.random_networks import network_of
from tests.shared_data import require

TOLERANCE = 1e-5
W = kernel(16, 16)


def batchable(body: str, *, shape: str = "1,16,8,8", **constants: Any) -> Network:
    return network_in_memory(model(body, inputs=f"float[{shape}] x", w=W, **constants))


def check_batch(network: Network, batch: int, scale: float = 1.0) -> Network:
    """Runs distinct images singly and together."""
    single = with_batch(network, 1)
    batched = with_batch(network, batch)
    frames = [random_frame(single, scale, seed) for seed in range(batch)]
    together = {name: np.concatenate([frame[name] for frame in frames]) for name in frames[0]}
    each = [run_whole(single, frame) for frame in frames]
    wanted = [np.concatenate(outputs) for outputs in zip(*each, strict=True)]
    assert relative_error(run_whole(batched, together), wanted) < TOLERANCE
    return batched


@pytest.mark.parametrize("name", DEFAULT_TEN)
def test_published_networks_are_those_built_with_thas_planned(name: str) -> None:
    single = load(f"zoo:{name}")
    weights = single.whole().onnx_path().with_name("weights.bin")
    size = weights.stat().st_size
    batched = with_batch(single, 5)
    assert weights.stat().st_size == size, "no weight is copied"
    assert batched.whole().onnx_path().parent == weights.parent
    assert batched.macs == 5 * single.macs
    assert batched.weight_bytes == single.weight_bytes
    for before, after in ((single.inputs, batched.inputs), (single.outputs, batched.outputs)):
        assert [spec.shape for spec in after] == [(5, *(spec.shape or ())[1:]) for spec in before]
    assert [layer.name for layer in batched.layers] == [layer.name for layer in single.layers]
    assert with_batch(batched, 5) is batched
    if "yolo" not in name:  # whose reshapes name their constants by the batch
        assert with_batch(batched, 1).content_hash == single.content_hash


def test_same_hash_as_a_network_built_with_thas_planned() -> None:
    built = load("zoo:squeezenet_v1.1", batch=3)
    assert with_batch(load("zoo:squeezenet_v1.1"), 3).content_hash == built.content_hash


@pytest.mark.parametrize("name", ["squeezenet_v1.1", "mobilenet_v2", "googlenet"])
def test_published_networks_compute_each_image(name: str) -> None:
    check_batch(load(f"zoo:{name}"), 3)


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet_v1.1/squeezenet_v1.1.onnx",
        "mobilenet_v2/mobilenet_v2.onnx",
        "mobilenet_v2/mobilenet_v2_int8.onnx",
        "mlperf_tiny/ks_quantized_int8.onnx",
        "mnist/mnist_cntk_opset7.onnx",
        "ultraface/version-RFB-320.onnx",
        "yunet/yunet_n_320_320.onnx",
    ],
)
def test_trained_networks_compute_each_image(name: str) -> None:
    scale = 50.0 if "mnist" in name or "squeezenet" in name else 1.0
    check_batch(load(require(f"models/{name}")), 2, scale)


@pytest.mark.parametrize(
    "body",
    [
        "y = Flatten(x)",
        "y = Reshape(x, one)",
        "y = Reshape(x, zero)",
        "y = Reshape(x, minus)",
        "y = Resize<mode=\"nearest\">(x, , , sizes)",
        "a = Reshape(x, zero) y = Reshape(a, four)",
        "a = Conv(x, w) b = Sigmoid(a) y = Mul(a, b)",
        "a = Reshape(x, one) y = Softmax(a)",
        "a = Transpose<perm=[0,2,3,1]>(x) y = Reshape(a, one)",
        "a = ReduceMean<axes=[2,3], keepdims=0>(x) y = MatMul(a, square)",
        "s = Shape(x) a = Relu(x) y = Reshape(a, s)",
        "y = Add(x, bias)",
        "a, m = Dropout(x) y = Relu(a)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [1, 4])
def test_reshapes_with_the_batch_written_into_them(body: str, first: int) -> None:
    network = batchable(
        body,
        shape=f"{first},16,8,8",
        one=np.array([first, -1]),
        zero=np.array([0, -1]),
        minus=np.array([-1, 1024]),
        four=np.array([first, 16, 8, 8]),
        sizes=np.array([first, 16, 12, 12]),
        square=np.eye(16, dtype=np.float32),
        bias=np.ones((1, 16, 8, 8), np.float32),
    )
    check_batch(network, 3)


def test_two_reshapes_that_share_a_constant_keep_their_own_meaning() -> None:
    body = "a = Reshape(x, to) b = Reshape(v, to) y = Add(a, b)"
    network = batchable(body, to=np.array([1, -1]), v=np.ones((1, 1024), np.float32))
    check_batch(network, 2)


def test_split_and_batched() -> None:
    network = batchable("a = Conv<pads=[1,1,1,1]>(x, w) y = Relu(a)")
    parted = split(with_batch(network, 3), [Split(("Conv0",), "rows", (1, 1))])
    batched = with_batch(split(network, [Split(("Conv0",), "rows", (1, 1))]), 3)
    assert parted.content_hash == batched.content_hash
    frame = random_frame(batched)
    singles = [[index] for index in range(len(batched.layers))]
    assert relative_error(run_parts(batched, singles, frame), run_whole(parted, frame)) < TOLERANCE


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("y = Reshape(x, flat)", r"tensor 'y' \(\(1024,\)\) has not 1 in dimension 0"),
        ("a = Flatten<axis=0>(x) y = Relu(a)", "tensor 'a' .* has not 2 in dimension 0"),
        ("y = Softmax<axis=0>(x)", r"node 'Softmax0' \(Softmax\) works along dimension 0"),
        ("y = Softmax<axis=-4>(x)", "works along dimension 0"),
        ("y = ReduceMean<axes=[0]>(x)", "works along dimension 0"),
        ("y = ReduceMean(x)", "works along dimension 0"),
        ("y = Transpose<perm=[1,0,2,3]>(x)", "moves the images to another axis"),
        ("a = Reshape(x, flat) y = Relu(a)", "'a'"),
        ("a = ReduceMean<axes=[1,2,3], keepdims=0>(x) y = Add(x, a)", "along another axis"),
        ("y = Concat<axis=0>(x, x)", "works along dimension 0"),
        ("y = CumSum(x, axis)", r"\(CumSum\) is not known to keep the images of a batch apart"),
        ("y = Conv(x, x)", "takes its parameters from the images"),
        ("a = Flatten(x) b = Transpose<perm=[1,0]>(a) y = MatMul(a, b)", "moves the images"),
        ("y = Concat<axis=1>(x, one)", "model cannot have batch 2: .*Concat"),
        ("y = Squeeze(x, first)", "'y'"),
    ],
)
def test_what_mixes_images_is_refused_by_name(body: str, reason: str) -> None:
    network = batchable(
        body,
        flat=np.array([-1]),
        axis=np.array(0),
        first=np.array([0]),
        one=np.ones((1, 16, 8, 8), np.float32),
    )
    with pytest.raises(UserInputError, match=reason):
        with_batch(network, 2)


def test_constants_for_each_image_are_refused() -> None:
    network = batchable("y = Add(x, v)", shape="2,16,8,8", v=np.ones((2, 16, 8, 8), np.float32))
    with pytest.raises(UserInputError, match="a constant \\('v'\\) for each of 2 images"):
        with_batch(network, 1)


def test_batches_that_make_no_sense_are_refused() -> None:
    network = batchable("y = Relu(x)")
    with pytest.raises(UserInputError, match="batch 0 is below 1"):
        with_batch(network, 0)
    two = network_in_memory(model("y = Add(x, z)", inputs="float[1,4] x, float[2,4] z"))
    with pytest.raises(UserInputError, match="input 'x' has 1 in dimension 0, 'z' has 2"):
        with_batch(two, 4)
    with pytest.raises(UserInputError, match="no nodes to rewrite"):
        with_batch(network_of([["in"]], [["t0"]], outputs=["t0"]), 2)
