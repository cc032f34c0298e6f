"""Which nodes make a layer: the cases that engines fuse, one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from tests.onnx_models import kernel, loaded, model, operators

W = kernel()
VECTOR = np.linspace(0.5, 1.5, 4, dtype=np.float32)
STEP = np.array(0.05, np.float32)
MIDDLE = np.array(128, np.uint8)
QUANTISED = {"w": W, "s": STEP, "z": MIDDLE}


def conv(source: str, target: str) -> str:
    return f"{target} = Conv<pads=[1,1,1,1]>({source}, w)"


def test_convolution_takes_batchnorm_and_activation(tmp_path: Path) -> None:
    made = model(
        f"{conv('x', 'a')} b = BatchNormalization(a, v, v, v, v) y = Relu(b)", w=W, v=VECTOR
    )
    assert operators(loaded(made, tmp_path)) == [("Conv", "BatchNormalization", "Relu")]


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", "Sigmoid", "HardSwish", "Tanh"])
def test_activations_join_a_convolution(tmp_path: Path, activation: str) -> None:
    made = model(f"{conv('x', 'a')} y = {activation}(a)", w=W)
    assert operators(loaded(made, tmp_path)) == [("Conv", activation)]


def test_second_activation_is_a_layer_of_its_own(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} b = Relu(a) y = Sigmoid(b)", w=W)
    assert operators(loaded(made, tmp_path)) == [("Conv", "Relu"), ("Sigmoid",)]


def test_clip_with_constant_bounds_joins(tmp_path: Path) -> None:
    made = model(
        f"{conv('x', 'a')} y = Clip(a, low, high)",
        w=W,
        low=np.array(0, np.float32),
        high=np.array(6, np.float32),
    )
    assert operators(loaded(made, tmp_path)) == [("Conv", "Clip")]


def test_matmul_takes_its_bias(tmp_path: Path) -> None:
    made = model(
        "a = MatMul(x, w) b = Add(a, v) y = Relu(b)",
        inputs="float[1,4] x",
        w=np.eye(4, dtype=np.float32),
        v=VECTOR,
    )
    (layer,) = loaded(made, tmp_path).layers
    assert (layer.kind, layer.operators) == ("Gemm", ("MatMul", "Add", "Relu"))


def test_residual_joins_the_branch_that_ends_last(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} {conv('a', 'b')} c = Add(a, b) y = Relu(c)", w=W)
    network = loaded(made, tmp_path)
    assert operators(network) == [("Conv",), ("Conv", "Add", "Relu")]
    assert set(network.layers[1].inputs) == {"a"}


def test_residual_of_two_branches_waits_for_the_first(tmp_path: Path) -> None:
    made = model(f"s = Relu(x) {conv('s', 'a')} {conv('s', 'b')} y = Add(a, b)", w=W)
    network = loaded(made, tmp_path)
    assert operators(network) == [("Relu",), ("Conv",), ("Conv", "Add")]
    assert network.layers[2].inputs == ("s", "a")


def test_nothing_joins_behind_an_output_of_the_network(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} y = Relu(a)", outputs="float a, float y", w=W)
    network = loaded(made, tmp_path)
    assert operators(network) == [("Conv",), ("Relu",)]
    assert [spec.name for spec in network.outputs] == ["a", "y"]


def test_nothing_joins_behind_a_tensor_with_two_readers(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} b = Relu(a) c = Tanh(a) y = Concat<axis=1>(b, c)", w=W)
    assert operators(loaded(made, tmp_path)) == [("Conv",), ("Relu",), ("Tanh",), ("Concat",)]


def test_gate_joins_its_convolution(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} g = Sigmoid(a) b = Mul(a, g) {conv('b', 'y')}", w=W)
    assert operators(loaded(made, tmp_path)) == [("Conv", "Sigmoid", "Mul"), ("Conv",)]


def test_gate_that_is_read_elsewhere_stays_apart(tmp_path: Path) -> None:
    body = f"{conv('x', 'a')} g = Sigmoid(a) b = Mul(a, g) y = Add(b, g)"
    assert operators(loaded(model(body, w=W), tmp_path)) == [
        ("Conv",),
        ("Sigmoid",),
        ("Mul",),
        ("Add",),
    ]


def test_product_of_two_activations_is_no_scale(tmp_path: Path) -> None:
    made = model(f"{conv('x', 'a')} g = Tanh(x) y = Mul(a, g)", w=W)
    assert ("Mul",) in operators(loaded(made, tmp_path))


def quantised_convolution(tail: str) -> ModelProto:
    return model(
        "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) "
        "k = DequantizeLinear(wq, s, wz) c = Conv<pads=[1,1,1,1]>(d, k) " + tail,
        wq=np.ones((4, 4, 3, 3), np.int8),
        wz=np.array(0, np.int8),
        s=STEP,
        z=MIDDLE,
    )


def test_qdq_form_is_one_layer_from_dequantise_to_quantise(tmp_path: Path) -> None:
    made = quantised_convolution(
        "r = Relu(c) t = QuantizeLinear(r, s, z) y = DequantizeLinear(t, s, z)"
    )
    network = loaded(made, tmp_path)
    assert operators(network) == [
        ("QuantizeLinear",),
        ("DequantizeLinear", "Conv", "Relu", "QuantizeLinear"),
        ("DequantizeLinear",),
    ]
    assert network.layers[1].kind == "Conv"
    assert network.is_quantised
    assert network.layers[1].inputs == ("q",)
    assert network.layers[1].weight_bytes >= 4 * 4 * 9


def test_qdq_residual_takes_both_dequantises(tmp_path: Path) -> None:
    made = model(
        "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) e = DequantizeLinear(q, s, z) "
        "a = Add(d, e) t = QuantizeLinear(a, s, z) y = DequantizeLinear(t, s, z)",
        s=STEP,
        z=MIDDLE,
    )
    assert operators(loaded(made, tmp_path))[1] == (
        "DequantizeLinear",
        "DequantizeLinear",
        "Add",
        "QuantizeLinear",
    )


def test_quantised_operators_go_by_their_plain_names(tmp_path: Path) -> None:
    made = model(
        "q = QuantizeLinear(x, s, z) c = QLinearConv<pads=[1,1,1,1]>(q, s, z, wq, s, wz, s, z) "
        "a = com.microsoft.QLinearAdd(c, s, z, q, s, z, s, z) y = DequantizeLinear(a, s, z)",
        imports={"com.microsoft": 1},
        wq=np.ones((4, 4, 3, 3), np.int8),
        wz=np.array(0, np.int8),
        s=STEP,
        z=MIDDLE,
    )
    network = loaded(made, tmp_path)
    assert operators(network)[1] == ("QLinearConv", "com.microsoft:QLinearAdd")
    assert network.layers[1].kind == "Conv"
    assert network.layers[1].macs == 4 * 36 * 4 * 9
    assert [layer.quantised for layer in network.layers] == [True, True, True]


@pytest.mark.parametrize(
    ("group", "into", "kind"), [(1, 4, "Conv"), (2, 2, "GroupConv"), (4, 1, "DepthwiseConv")]
)
def test_kind_tells_grouped_convolutions_apart(
    tmp_path: Path, group: int, into: int, kind: str
) -> None:
    made = model(f"y = Conv<pads=[1,1,1,1], group={group}>(x, w)", w=kernel(4, into))
    assert [layer.kind for layer in loaded(made, tmp_path).layers] == [kind]


def test_computed_weights_go_with_every_layer_that_reads_them(tmp_path: Path) -> None:
    made = model("k = Neg(w) a = Conv<pads=[1,1,1,1]>(x, k) y = Conv<pads=[1,1,1,1]>(a, k)", w=W)
    network = loaded(made, tmp_path)
    assert operators(network) == [("Conv",), ("Conv",)]
    (shared,) = set(network.layers[0].nodes) & set(network.layers[1].nodes)
    assert all(layer.weight_bytes == W.nbytes for layer in network.layers)
    assert all(layer.inputs in (("x",), ("a",)) for layer in network.layers)
    assert shared == 0


def test_split_ends_its_group(tmp_path: Path) -> None:
    made = model("a, b = Split<axis=1>(x) c = Relu(a) y = Concat<axis=1>(c, b)")
    network = loaded(made, tmp_path)
    assert operators(network) == [("Split",), ("Relu",), ("Concat",)]
    assert network.layers[0].outputs == ("a", "b")


def test_flatten_joins_what_it_follows(tmp_path: Path) -> None:
    made = model("a = MaxPool<kernel_shape=[2,2]>(x) y = Flatten(a)")
    assert operators(loaded(made, tmp_path)) == [("MaxPool", "Flatten")]


def test_branches_of_if_capture_what_they_read(tmp_path: Path) -> None:
    made = model(
        "a = Relu(x) y = If(c)<"
        "then_branch = t () => (float[1,4,6,6] o) { o = Add(a, x) },"
        "else_branch = e () => (float[1,4,6,6] p) { p = Conv<pads=[1,1,1,1]>(a, w) }>",
        inputs="float[1,4,6,6] x, bool c",
        w=W,
    )
    network = loaded(made, tmp_path)
    assert operators(network) == [("Relu",), ("If",)]
    assert set(network.layers[1].inputs) == {"a", "x", "c"}
    assert network.layers[1].weight_bytes == W.nbytes
