"""NVDLA's numbers: fp16 within its rounding, int8 within a step of the host's; and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.nvdla import Nvdla
from counterpoint.engines.npu.nodes import Node
from counterpoint.engines.npu.nvdla import NvdlaArithmetic
from counterpoint.engines.npu.nvdla_integer import Scaled, converted
from counterpoint.engines.npu.windows import Window
from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.engines.npu.quantised_networks import (
    FOR_NVDLA,
    Array,
    frame_of,
    in_int8,
    on_host,
    residual_network,
)
from tests.onnx_models import kernel, loaded, model

HALF = NvdlaArithmetic(Nvdla(mac_count=1024, precision="fp16"))
WHOLE = NvdlaArithmetic(Nvdla())
NPU = Device("NPU", DeviceKind.NPU)

BODIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "convolutions": (
        "a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b) c = Relu(a) "
        "d = Conv<group=2, pads=[1,1,1,1]>(c, g) y = LeakyRelu<alpha=0.25>(d)",
        {"w": kernel(8, 4), "b": np.linspace(-1, 1, 8, dtype=np.float32), "g": kernel(8, 4)},
    ),
    "depthwise and dilated": (
        "a = Conv<group=4, pads=[1,1,1,1]>(x, d) "
        "c = Conv<dilations=[2,2], pads=[2,2,2,2]>(a, w) "
        'y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(c, w)',
        {"d": kernel(4, 1), "w": kernel(4, 4)},
    ),
    "pools": (
        "a = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x) "
        "c = AveragePool<kernel_shape=[2,2], strides=[1,1]>(a) "
        "d = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(c) "
        "g = GlobalAveragePool(d) h = GlobalMaxPool(d) y = Concat<axis=1>(g, h)",
        {},
    ),
    "tables": ("a = Sigmoid(x) b = Tanh(a) y = LRN<size=3, alpha=0.5, beta=0.75, bias=2.0>(b)", {}),
    "element-wise": (
        "a = Mul(x, x) b = Max(a, x) c = Min(b, x) d = Add(c, x) y = Clip(d, low, high)",
        {"low": np.float32(-1).reshape(()), "high": np.float32(2).reshape(())},
    ),
    "normalised and flattened": (
        "a = Conv<pads=[1,1,1,1]>(x, w) b = BatchNormalization(a, s, t, m, v) c = PRelu(b, p) "
        "d = Flatten(c) y = Gemm<transB=1>(d, f, e)",
        {
            "w": kernel(4, 4),
            "s": np.linspace(0.5, 1.5, 4, dtype=np.float32),
            "t": np.ones(4, np.float32),
            "m": np.zeros(4, np.float32),
            "v": np.full(4, 0.5, np.float32),
            "p": np.full((4, 1, 1), 0.2, np.float32),
            "f": kernel(10, 9 * 9 * 4, 1)[:, :, 0, 0],
            "e": np.ones(10, np.float32),
        },
    ),
}


def made_of(name: str, folder: Path) -> Network:
    body, weights = BODIES[name]
    return loaded(model(body, inputs="float[1,4,9,9] x", **weights), folder)


def unit(precision: str) -> ComputeUnit:
    return ComputeUnit("nvdla", (NPU,), precision)


def first_of(ready: CompiledSegment, frame: Sequence[Tensor]) -> Array:
    """The first output, of whatever type."""
    return ready.run(frame)[0]


@pytest.mark.parametrize("name", BODIES)
def test_fp16_is_float32_but_for_its_rounding(name: str, tmp_path: Path) -> None:
    network = made_of(name, tmp_path)
    frame = frame_of(network, 0)
    ready = HALF.compile(network.whole(), unit("fp16"))
    made = first_of(ready, frame)
    (expected,) = on_host(network.whole(), frame, "fp32")
    assert (made.shape, made.dtype) == (expected.shape, expected.dtype)
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(made, expected, rtol=4e-3, atol=4e-3 * scale)
    assert (made == made.astype(np.float16)).all()
    assert (made != expected).any()
    lent = [np.zeros_like(expected)]
    assert ready.run(frame, lent) is lent
    np.testing.assert_array_equal(lent[0], made)


def test_fp16_overflows_as_the_hardware_does(tmp_path: Path) -> None:
    network = loaded(
        model("a = Mul(x, k) y = Add(a, a)", k=np.float32(60000).reshape(())), tmp_path
    )
    frame = [np.full(network.inputs[0].shape or (), 4, np.float32)]
    made = first_of(HALF.compile(network.whole(), unit("fp16")), frame)
    assert np.isinf(made).all()


def test_int8_is_the_hosts_within_a_step(tmp_path: Path) -> None:
    """Sums are the same integers; the converters round once more where scales are unlike."""
    network = residual_network(tmp_path)
    quantised = in_int8(network, FOR_NVDLA)
    own = [layer.index for layer in quantised.layers if WHOLE.unsupported_reason(layer) is None]
    assert [layer.kind for layer in quantised.layers if layer.index not in own] == [
        "QuantizeLinear"
    ]
    assert {quantised.layers[index].kind for index in own} == {"Conv", "Add"}
    for index in own:
        segment = quantised.subnetwork([index])
        random = np.random.default_rng(index)
        frame = [
            random.integers(-128, 128, spec.shape).astype(spec.dtype) for spec in segment.inputs
        ]
        made = first_of(WHOLE.compile(segment, unit("int8")), frame)
        (expected,) = on_host(segment, frame, "int8")
        step = 1.0
        if made.dtype == np.float32:  # the network's own result leaves as float
            step = 0.02 * float(np.abs(expected).max())
        assert np.abs(made.astype(float) - expected).max() <= step


def test_int8_pools_and_products(tmp_path: Path) -> None:
    body = (
        "a = Conv<pads=[1,1,1,1]>(x, w) b = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a) "
        "c = Conv<pads=[1,1,1,1]>(b, w) d = Concat<axis=1>(b, c) e = Conv(d, v) "
        "g = GlobalAveragePool(e) h = Flatten(g) y = Gemm<transB=1>(h, f)"
    )
    weights: dict[str, Any] = {
        "w": kernel(4, 4),
        "v": kernel(8, 8, 1),
        "f": kernel(6, 8, 1)[:, :, 0, 0],
    }
    network = loaded(model(body, inputs="float[2,4,8,8] x", **weights), tmp_path)
    quantised = in_int8(network, FOR_NVDLA)
    frame = frame_of(network, 1)
    own = [layer.index for layer in quantised.layers if layer.kind != "QuantizeLinear"]
    assert all(WHOLE.unsupported_reason(quantised.layers[index]) is None for index in own)
    (exact,) = on_host(network.whole(), frame, "fp32")
    (host,) = on_host(quantised.whole(), frame, "int8")
    (entry,) = [index for index in range(len(quantised.layers)) if index not in own]
    held = on_host(quantised.subnetwork([entry]), frame, "int8")
    made = first_of(WHOLE.compile(quantised.subnetwork(own), unit("int8")), held)
    assert np.abs(made - host).max() < 0.05 * np.abs(exact).max()
    assert np.sqrt(np.mean((made - exact) ** 2)) < 1.5 * np.sqrt(np.mean((host - exact) ** 2))


def test_refusals_are_the_published_ones(tmp_path: Path) -> None:
    refused = {
        "y = Softmax(x)": (HALF, "no softmax"),
        "y = Sub(x, x)": (HALF, "no element-wise subtraction"),
        "y = Erf(x)": (HALF, "no operator Erf"),
        "y = Sigmoid(x)": (WHOLE, "sigmoid in fp16 only"),
        "y = Tanh(x)": (WHOLE, "tanh in fp16 only"),
        "y = LRN<size=3>(x)": (WHOLE, "local response normalisation in fp16 only"),
    }
    for number, (body, (arithmetic, reason)) in enumerate(refused.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        network = loaded(model(body), folder)
        assert reason in str(arithmetic.unsupported_reason(network.layers[0]))
        with pytest.raises(EngineError, match=reason):
            arithmetic.compile(network.whole(), unit("fp16"))
    grouped = loaded(model("y = Conv<group=2>(x, w)", w=kernel(4, 2)), tmp_path)
    assert "group convolution in fp16 only" in str(WHOLE.unsupported_reason(grouped.layers[0]))
    assert HALF.unsupported_reason(grouped.layers[0]) is None
    wide = NvdlaArithmetic(Nvdla(precision="int16", group_convolution=True))
    assert "int16" in str(wide.unsupported_reason(grouped.layers[0]))


def test_a_mean_without_padding_is_refused_when_compiled(tmp_path: Path) -> None:
    """A layer does not say whether it pads; its node does."""
    body = "y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)"
    network = loaded(model(body), tmp_path)
    with pytest.raises(EngineError, match="does not leave padding out of the mean"):
        HALF.compile(network.whole(), unit("fp16"))


def test_unquantised_layers_and_unsigned_steps(tmp_path: Path) -> None:
    network = loaded(model("y = Conv(x, w)", w=kernel(4, 4)), tmp_path)
    small = NvdlaArithmetic(Nvdla(mac_count=64, winograd=False))
    with pytest.raises(EngineError, match="not quantised"):
        small.compile(network.whole(), unit("int8"))
    odd = in_int8(network, replace(FOR_NVDLA, activations="asymmetric"))
    main = next(layer.index for layer in odd.layers if layer.kind == "Conv")
    with pytest.raises(EngineError, match="int8 around 0 only"):
        small.compile(odd.subnetwork([main]), unit("int8"))
    assert "quantised to int8" in str(HALF.unsupported_reason(odd.layers[main]))


@given(
    values=st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=20),
    ratio=st.floats(2**-28, 4),
)
@settings(max_examples=200, deadline=None)
def test_a_converter_is_a_division_within_16_bits(values: list[int], ratio: float) -> None:
    tensor = Scaled(np.array(values, np.int64).reshape(1, -1), np.array(ratio))
    made = converted(tensor, 1.0)
    exact = np.clip(np.array(values, np.float64).reshape(1, -1) * ratio, -128, 127)
    assert np.abs(made - exact).max() <= 0.5 + 128 * 2**-14


@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    image=st.tuples(st.integers(8, 12), st.integers(8, 12)),
)
@settings(max_examples=60, deadline=None)
def test_windows_rounded_up_cover_the_image(
    size: tuple[int, int], stride: tuple[int, int], image: tuple[int, int]
) -> None:
    window = Window(size, stride).rounded_up(image)
    tensor = np.ones((1, 1, *image), np.float32)
    seen = window.over(tensor)
    for axis in (0, 1):
        places = seen.shape[2 + axis]
        assert places >= (image[axis] - size[axis]) // stride[axis] + 1
        assert (places - 1) * stride[axis] < image[axis]  # none begins in the padding
        if stride[axis] <= size[axis]:
            assert (places - 1) * stride[axis] + size[axis] >= image[axis]


def test_nodes_without_attributes_have_defaults() -> None:
    node = Node("Conv", "c", ("x", "w"), ("y",), {"group": 2, "strides": [2, 1]})
    assert (node.integer("group", 1), node.integer("missing", 7)) == (2, 7)
    assert node.integers("strides", (1, 1)) == (2, 1)
    assert node.number("alpha", 0.5) == 0.5
