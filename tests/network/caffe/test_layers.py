"""Layers against Caffe's own rules, written out in loops."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import ModelFileError
from tests.network.caffe.runs import Converted


def converted(folder: Path, body: str, *shapes: tuple[int, ...]) -> Converted:
    """A network of inputs a, b, ... of those shapes."""
    heads = "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {n}" for n in shape)} }}\n'
        for name, shape in zip("abcd", shapes, strict=False)
    )
    path = folder / "net.prototxt"
    path.write_text(heads + body, encoding="utf-8")
    return Converted(path, seed=0).checked()


def outcome(folder: Path, body: str, *shapes: tuple[int, ...]) -> tuple[Any, Any]:
    """The inputs in order, ``None`` for those that nothing reads, and the one output."""
    network = converted(folder, body, *shapes)
    inputs = network.inputs()
    (result,) = network.run(inputs).values()
    (again,) = network.reference(inputs).values()
    assert np.allclose(result, again, rtol=1e-4, atol=1e-5)
    return [inputs.get(name) for name in "abcd"[: len(shapes)]], result


def layer(kind: str, parameters: str = "", bottoms: str = "a", tops: str = "y") -> str:
    places = " ".join(f'bottom: "{name}"' for name in bottoms.split())
    places += " " + " ".join(f'top: "{name}"' for name in tops.split())
    return f'layer {{ name: "{tops.split(maxsplit=1)[0]}" type: "{kind}" {places} {parameters} }}\n'


def pooled(x: Any, kernel: int, stride: int, pad: int, *, maximum: bool) -> Any:
    """Caffe's PoolingLayer::Forward_cpu for one image and square windows."""
    height, width = x.shape[2:]

    def count(size: int) -> int:
        windows = -(-(size + 2 * pad - kernel) // stride) + 1
        if pad and (windows - 1) * stride >= size + pad:
            windows -= 1
        return windows

    result = np.zeros((*x.shape[:2], count(height), count(width)), np.float64)
    for i in range(result.shape[2]):
        for j in range(result.shape[3]):
            top, left = i * stride - pad, j * stride - pad
            bottom, right = min(top + kernel, height + pad), min(left + kernel, width + pad)
            area = (bottom - top) * (right - left)
            window = x[:, :, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            result[:, :, i, j] = (
                window.max(axis=(2, 3)) if maximum else window.sum(axis=(2, 3)) / area
            )
    return result


WINDOWS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3)).filter(
    lambda window: window[2] < window[0] and window[1] <= window[0]
)
"""Kernel, stride and padding that Caffe defines."""


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 11), st.integers(4, 11), WINDOWS, st.booleans())
def test_pooling_follows_caffes_rule(
    height: int, width: int, window: tuple[int, int, int], maximum: bool
) -> None:
    kernel, stride, pad = window
    parameters = (
        f"pooling_param {{ pool: {'MAX' if maximum else 'AVE'} kernel_size: {kernel} "
        f"stride: {stride} pad: {pad} }}"
    )
    with tempfile.TemporaryDirectory() as folder:
        network = converted(Path(folder), layer("Pooling", parameters), (1, 2, height, width))
        inputs = network.inputs()
        (result,) = network.run(inputs).values()
    wanted = pooled(inputs["a"], kernel, stride, pad, maximum=maximum)
    assert result.shape == wanted.shape
    assert np.allclose(result, wanted, atol=1e-5)


def test_floor_rounding_by_either_name(tmp_path: Path) -> None:
    for option in ("round_mode: FLOOR", "ceil_mode: false"):
        body = layer("Pooling", f"pooling_param {{ kernel_size: 3 stride: 2 {option} }}")
        assert outcome(tmp_path, body, (1, 1, 6, 6))[1].shape == (1, 1, 2, 2)


X = (2, 4, 3, 5)

UNARY: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ReLU": ("relu_param { negative_slope: 0.3 }", lambda x: np.where(x > 0, x, 0.3 * x)),
    "ELU": ("elu_param { alpha: 0.5 }", lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "AbsVal": ("", np.abs),
    "BNLL": ("", lambda x: np.log1p(np.exp(x))),
    "Sigmoid": ("", lambda x: 1 / (1 + np.exp(-x))),
    "TanH": ("", np.tanh),
    "Power": ("power_param { power: 2 scale: 0.5 shift: 3 }", lambda x: (3 + 0.5 * x) ** 2),
    "Exp": ("exp_param { base: 2 scale: 0.5 shift: 1 }", lambda x: 2 ** (1 + 0.5 * x)),
    "Log": ("log_param { base: 10 scale: 0.1 shift: 9 }", lambda x: np.log10(9 + 0.1 * x)),
    "Clip": ("clip_param { min: -0.5 max: 1 }", lambda x: x.clip(-0.5, 1)),
    "Swish": ("swish_param { beta: 2 }", lambda x: x / (1 + np.exp(-2 * x))),
    "Threshold": ("threshold_param { threshold: 0.2 }", lambda x: (x > 0.2).astype(float)),
    "PReLU": ("", lambda x: np.where(x > 0, x, 0.25 * x)),
    "Tile": ("tile_param { axis: 2 tiles: 3 }", lambda x: np.tile(x, (1, 1, 3, 1))),
    "Permute": ("permute_param { order: 0 order: 2 }", lambda x: x.transpose(0, 2, 1, 3)),
    "Flatten": ("flatten_param { axis: 1 end_axis: 2 }", lambda x: x.reshape(2, 12, 5)),
    "Softmax": (
        "softmax_param { axis: -1 }",
        lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    ),
    "Reduction": (
        "reduction_param { operation: ASUM axis: 1 coeff: 2 }",
        lambda x: 2 * np.abs(x).sum(axis=(1, 2, 3)),
    ),
    "ArgMax": (
        "argmax_param { axis: 1 }",
        lambda x: x.argmax(axis=1, keepdims=True).astype(float),
    ),
    "ShuffleChannel": (
        "shuffle_channel_param { group: 2 }",
        lambda x: x[:, [0, 2, 1, 3]],
    ),
    "Reshape": (
        "reshape_param { axis: 1 num_axes: 2 shape { dim: -1 dim: 6 } }",
        lambda x: x.reshape(2, 2, 6, 5),
    ),
    "MVN": (
        "",
        lambda x: (x - x.mean(axis=(2, 3), keepdims=True)) / x.std(axis=(2, 3), keepdims=True),
    ),
    "Normalize": (
        "norm_param { across_spatial: false scale_filler { value: 20 } channel_shared: false }",
        lambda x: 20 * x / np.sqrt((x**2).sum(axis=1, keepdims=True)),
    ),
    "Upsample": (
        "upsample_param { scale: 2 }",
        lambda x: x.repeat(2, axis=2).repeat(2, axis=3),
    ),
    "Dropout": ("dropout_param { dropout_ratio: 0.2 scale_train: false }", lambda x: 0.8 * x),
}


@pytest.mark.parametrize("kind", UNARY)
def test_layers_of_one_input(tmp_path: Path, kind: str) -> None:
    parameters, formula = UNARY[kind]
    (x,), result = outcome(tmp_path, layer(kind, parameters), X)
    wanted = formula(x.astype(np.float64))
    assert result.shape == wanted.shape
    assert np.allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_argmax_of_whole_images_gives_pairs(tmp_path: Path) -> None:
    body = layer("ArgMax", "argmax_param { out_max_val: true top_k: 3 }")
    (x,), result = outcome(tmp_path, body, X)
    flat = x.reshape(2, -1)
    order = np.argsort(-flat, axis=1)[:, :3]
    assert result.shape == (2, 2, 3, 1)
    assert np.array_equal(result[:, 0, :, 0], order)
    assert np.array_equal(result[:, 1, :, 0], np.take_along_axis(flat, order, 1))


def test_lrn_across_and_within_channels(tmp_path: Path) -> None:
    across = "lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 4 }"
    (x,), result = outcome(tmp_path, layer("LRN", across), (1, 4, 3, 5))
    total = np.stack([(x[:, max(0, c - 1) : c + 2] ** 2).sum(axis=1) for c in range(4)], axis=1)
    assert np.allclose(result, x / (4 + 2 / 3 * total) ** 0.5, atol=1e-5)
    within = across.replace("k: 4", "norm_region: WITHIN_CHANNEL")
    (x,), result = outcome(tmp_path, layer("LRN", within), (1, 2, 4, 5))
    mean = pooled(x.astype(np.float64) ** 2, 3, 1, 1, maximum=False)
    assert np.allclose(result, x / (1 + 2 * mean) ** 0.5, atol=1e-5)


def test_layers_of_several_inputs(tmp_path: Path) -> None:
    body = layer("Eltwise", "eltwise_param { coeff: 1 coeff: -2 }", "a b")
    (a, b), result = outcome(tmp_path, body, X, X)
    assert np.allclose(result, a - 2 * b, atol=1e-5)
    body = layer("Scale", "scale_param { axis: 1 }", "a b")
    (a, b), result = outcome(tmp_path, body, X, (4, 3))
    assert np.allclose(result, a * b[None, :, :, None], atol=1e-5)
    body = layer("Bias", "bias_param { axis: 0 }", "a b")
    (a, b), result = outcome(tmp_path, body, X, (2,))
    assert np.allclose(result, a + b[:, None, None, None], atol=1e-5)
    body = layer("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", "a b")
    (a, b), result = outcome(tmp_path, body, X, (2, 4, 2, 3))
    assert np.array_equal(result, a[:, :, 1:3, 2:5])
    body = layer("Axpy", "", "a b c")
    (a, b, c), result = outcome(tmp_path, body, (2, 4, 1, 1), X, X)
    assert np.allclose(result, a * b + c, atol=1e-5)
    body = layer("Concat", "concat_param { concat_dim: 1 }", "a b")
    (a, b), result = outcome(tmp_path, body, X, (2, 1, 3, 5))
    assert np.array_equal(result, np.concatenate((a, b), axis=1))


def test_slices_are_parts(tmp_path: Path) -> None:
    body = layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }", "a", "x y z")
    network = converted(tmp_path, body, X)
    inputs = network.inputs()
    found = network.run(inputs)
    assert np.array_equal(np.concatenate([found[n] for n in "xyz"], axis=1), inputs["a"])
    assert [found[n].shape[1] for n in "xyz"] == [1, 2, 1]


def test_reorg_is_darknets(tmp_path: Path) -> None:
    (x,), result = outcome(tmp_path, layer("Reorg", "reorg_param { stride: 2 }"), (1, 4, 2, 6))
    height, width, planes = 2, 6, 1
    wanted = np.zeros(x.size, np.float32)
    for k in range(4):
        for j in range(height):
            for i in range(width):
                phase = k // planes
                column, row = i * 2 + phase % 2, j * 2 + phase // 2
                source = column + width * 2 * (row + height * 2 * (k % planes))
                wanted[i + width * (j + height * k)] = x.flat[source]
    assert result.shape == (1, 16, 1, 3)
    assert np.array_equal(result.ravel(), wanted)
    back = layer("Reorg", "reorg_param { stride: 2 reverse: true }")
    (x,), result = outcome(tmp_path, back, (1, 8, 2, 3))
    assert result.shape == (1, 2, 4, 6)


def test_interp_aligns_corners(tmp_path: Path) -> None:
    body = layer("Interp", "interp_param { zoom_factor: 2 pad_beg: 0 pad_end: -1 }")
    (x,), result = outcome(tmp_path, body, (1, 1, 4, 5))
    assert result.shape == (1, 1, 5, 7)
    assert np.allclose(result[0, 0, ::2, ::2], x[0, 0, :3, :4], atol=1e-5)
    assert np.allclose(result[0, 0, 1, 0], (x[0, 0, 0, 0] + x[0, 0, 1, 0]) / 2, atol=1e-5)


def test_layers_in_place_keep_every_value(tmp_path: Path) -> None:
    body = (
        layer("Power", "power_param { shift: 1 }", "a", "a").replace('"a" type', '"p" type')
        + layer("ReLU", "", "a", "a").replace('"a" type', '"r" type')
        + layer("Eltwise", "", "a a", "y")
    )
    (x,), result = outcome(tmp_path, body, X)
    assert np.allclose(result, 2 * np.maximum(x + 1, 0), atol=1e-5)


def test_phases_choose_layers(tmp_path: Path) -> None:
    body = layer("AbsVal", "exclude { phase: TEST }") + layer("BNLL", "include { phase: TEST }")
    network = converted(tmp_path, body, X)
    assert [node.op_type for node in network.model.graph.node] == ["Softplus"]


def test_shared_parameters_are_one_tensor(tmp_path: Path) -> None:
    parameters = 'param { name: "w" } convolution_param { num_output: 4 kernel_size: 1 '
    parameters += "bias_term: false }"
    body = layer("Convolution", parameters, "a", "x") + layer("Convolution", parameters, "x", "y")
    network = converted(tmp_path, body, X)
    assert [tensor.name for tensor in network.model.graph.initializer] == ["x.weight"]


def test_oldest_form_is_upgraded(tmp_path: Path) -> None:
    body = """
    layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "a" top: "p" }
    layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 3 stride: 2 group: 1
             biasterm: false } bottom: "p" top: "c" }
    layers { layer { name: "m" type: "pool" pool: MAX kernelsize: 2 stride: 2 }
             bottom: "c" top: "m" }
    layers { layer { name: "f" type: "innerproduct" num_output: 7 } bottom: "m" top: "f" }
    layers { layer { name: "s" type: "softmax" } bottom: "f" top: "s" }
    """
    assert outcome(tmp_path, body, (1, 3, 8, 8))[1].shape == (1, 7)


def test_data_layers_become_inputs_of_the_shape_asked_for(tmp_path: Path) -> None:
    body = (
        'layer { name: "d" type: "Data" top: "data" top: "label" '
        'data_param { source: "x" batch_size: 64 } }'
        + layer("InnerProduct", "inner_product_param { num_output: 3 }", "data", "ip")
        + layer("SoftmaxWithLoss", "", "ip label", "loss")
    )
    path = tmp_path / "net.prototxt"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(ModelFileError, match="--shape data"):
        Converted(path, seed=0)
    network = Converted(path, seed=0, input_shapes={"data": (2, 3, 4, 4)}).checked()
    assert [value.name for value in network.model.graph.output] == ["ip"]


def test_deconvolution_folds_and_groups(tmp_path: Path) -> None:
    body = layer(
        "Deconvolution",
        "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2 }",
        "a",
        "d",
    )
    body += layer("BatchNorm", "", "d", "d").replace('"d" type', '"n" type')
    body += layer("Scale", "scale_param { bias_term: true }", "d", "y")
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "a" input_dim: 1 input_dim: 4 input_dim: 5 input_dim: 5\n' + body, "utf-8"
    )
    folded = Converted(path, seed=0).checked()
    kept = Converted(path, seed=0, keep_batchnorm=True).checked()
    assert [node.op_type for node in folded.model.graph.node] == ["ConvTranspose"]
    inputs = folded.inputs()
    assert np.allclose(folded.run(inputs)["y"], kept.run(inputs)["y"], atol=1e-4)
