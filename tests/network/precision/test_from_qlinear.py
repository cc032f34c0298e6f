"""Operators on integers in QDQ form: the same numbers in ONNX Runtime, and OpenVINO runs them."""

from __future__ import annotations

import csv
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from counterpoint.engines.openvino import OpenVinoEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.frames.images import read_image
from counterpoint.frames.presets import preset
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.precision.from_qlinear import qdq_from_qlinear
from counterpoint.platform.model import ComputeUnit
from tests.engine_runs import CPU, run_whole
from tests.network.split_runs import network_in_memory
from tests.shared_data import require

CHANNELS = 4
RESULT_STEP = 0.07


class _Draft:
    """Nodes between a float input and a float output, with scales drawn at random."""

    def __init__(self, seed: int, kind: type[np.integer[Any]], opset: int = 12) -> None:
        self.random = np.random.default_rng(seed)
        self.kind = kind
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: npt.ArrayLike, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def steps(
        self, scale: npt.ArrayLike = 0.05, zero_point: npt.ArrayLike | None = None
    ) -> list[str]:
        info = np.iinfo(self.kind)
        middle = (
            self.random.integers(info.min + 100, info.max - 100)
            if zero_point is None
            else zero_point
        )
        return [self.constant(scale), self.constant(middle, self.kind)]

    def node(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        made = helper.make_node(operator, inputs, [f"{name}_y"], name, domain=domain, **attributes)
        self.nodes.append(made)
        return f"{name}_y"

    def network(self, shape: list[int], result: str) -> Network:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
            self.constants,
        )
        versions = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return network_in_memory(helper.make_model(graph, ir_version=8, opset_imports=versions))


def _convolution(draft: _Draft, x: list[str], y: list[str]) -> str:
    weights = draft.random.integers(-127, 128, (CHANNELS, CHANNELS, 3, 3))
    scales = draft.random.uniform(0.001, 0.02, CHANNELS)
    w = [
        draft.constant(weights, np.int8),
        draft.constant(scales),
        draft.constant([0] * CHANNELS, np.int8),
    ]
    bias = draft.constant(draft.random.integers(-500, 500, CHANNELS), np.int32)
    return draft.node("QLinearConv", [*x, *w, *y, bias], pads=[1, 1, 1, 1])


def _product(draft: _Draft, x: list[str], y: list[str]) -> str:
    values = draft.random.integers(0, 255, (6, 6))
    w = [draft.constant(values, np.uint8), draft.constant(0.01), draft.constant(117, np.uint8)]
    return draft.node("QLinearMatMul", [*x, *w, *y])


def _gemm(draft: _Draft, x: list[str], y: list[str]) -> str:
    flat = [draft.node("Flatten", x[:1]), *x[1:]]
    values = draft.random.integers(-127, 128, (3, CHANNELS * 36))
    w = [draft.constant(values, np.int8), draft.constant([0.001, 0.002, 0.0005])]
    w.append(draft.constant([0, 0, 0], np.int8))
    bias = draft.constant(draft.random.integers(-500, 500, 3), np.int32)
    return draft.node("QGemm", [*flat, *w, bias, *y], "com.microsoft", transB=1)


def _binary(operator: str) -> Any:
    return lambda draft, x, y: draft.node(operator, [*x, *x, *y], "com.microsoft")


def _unary(operator: str, **attributes: Any) -> Any:
    return lambda draft, x, y: draft.node(operator, [*x, *y], "com.microsoft", **attributes)


def _concat(draft: _Draft, x: list[str], y: list[str]) -> str:
    return draft.node("QLinearConcat", [*y, *x, *x], "com.microsoft", axis=1)


OPERATORS: dict[str, tuple[Any, str]] = {
    "QLinearConv": (_convolution, "Conv"),
    "QLinearMatMul": (_product, "MatMul"),
    "QGemm": (_gemm, "Gemm"),
    "QLinearAdd": (_binary("QLinearAdd"), "Add"),
    "QLinearMul": (_binary("QLinearMul"), "Mul"),
    "QLinearGlobalAveragePool": (
        _unary("QLinearGlobalAveragePool", channels_last=0),
        "GlobalAveragePool",
    ),
    "QLinearAveragePool": (_unary("QLinearAveragePool", kernel_shape=[2, 2]), "AveragePool"),
    "QLinearLeakyRelu": (_unary("QLinearLeakyRelu", alpha=0.2), "LeakyRelu"),
    "QLinearSigmoid": (_unary("QLinearSigmoid"), "Sigmoid"),
    "QLinearConcat": (_concat, "Concat"),
}


def apart(made: Tensor, wanted: Tensor) -> npt.NDArray[np.float64]:
    """Distance of two results, in steps of the result."""
    distance: npt.NDArray[np.float64] = np.abs(made.astype(np.float64) - wanted.astype(np.float64))
    return distance / RESULT_STEP


def _network(operator: str, seed: int, kind: type[np.integer[Any]] = np.uint8) -> Network:
    draft = _Draft(seed, kind)
    step, result = draft.steps(0.03), draft.steps(RESULT_STEP)
    x = draft.node("QuantizeLinear", ["x", *step])
    made = OPERATORS[operator][0](draft, [x, *step], result)
    return draft.network([2, CHANNELS, 6, 6], draft.node("DequantizeLinear", [made, *result]))


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_numbers(operator: str, seed: int) -> None:
    network = _network(operator, seed)
    rewritten = qdq_from_qlinear(network)
    plain = OPERATORS[operator][1]
    operators = [op for layer in rewritten.layers for op in layer.operators]
    assert plain in operators
    assert not any("QLinear" in op or "QGemm" in op for op in operators)
    assert [spec.name for spec in rewritten.outputs] == [spec.name for spec in network.outputs]
    frame = {"x": np.random.default_rng(seed).normal(0, 2, (2, CHANNELS, 6, 6)).astype(np.float32)}
    (wanted,), (made,) = run_whole(network, frame), run_whole(rewritten, frame)
    assert np.unique(wanted).size > 3  # not all at the ends of the range
    steps = apart(made, wanted)
    assert steps.max() < 1.01  # where float32 rounds next to a tie
    assert (steps > 0.5).mean() < 0.02


@pytest.mark.parametrize("operator", OPERATORS)
def test_openvino_runs_them_all(operator: str) -> None:
    network = _network(operator, 3)
    unit = ComputeUnit("openvino", (CPU,), "int8")
    engine = OpenVinoEngine()
    assert {engine.unsupported_reason(layer, unit) for layer in network.layers} == {None}
    frame = {"x": np.random.default_rng(5).normal(0, 2, (2, CHANNELS, 6, 6)).astype(np.float32)}
    (wanted,), (made,) = run_whole(network, frame), run_whole(network, frame, "openvino")
    assert apart(made, wanted).max() < 1.01


def test_what_cannot_be_rewritten_stays_and_is_refused() -> None:
    draft = _Draft(0, np.uint8)
    step = draft.steps()
    x = draft.node("QuantizeLinear", ["x", *step])
    pool = draft.node(
        "QLinearGlobalAveragePool", [x, *step, *step], "com.microsoft", channels_last=1
    )
    last = draft.node("QLinearSoftmax", [pool, *step, *step], "com.microsoft", axis=1, opset=13)
    network = draft.network([1, 4, 6, 6], draft.node("DequantizeLinear", [last, *step]))
    rewritten = qdq_from_qlinear(network)
    assert [layer.operators for layer in rewritten.layers] == [
        layer.operators for layer in network.layers
    ]
    unit = ComputeUnit("openvino", (CPU,), "int8")
    reasons = [OpenVinoEngine().unsupported_reason(layer, unit) for layer in network.layers]
    assert [reason for reason in reasons if reason] == [
        "OpenVINO does not read com.microsoft:QLinearSoftmax of this form; "
        "a network in QDQ form would run"
    ]


def test_a_network_without_such_operators_is_itself() -> None:
    network = _network("QLinearAdd", 0)
    rewritten = qdq_from_qlinear(network)
    assert qdq_from_qlinear(rewritten) is rewritten
    assert qdq_from_qlinear(network).content_hash == rewritten.content_hash


def _photographs(count: int) -> list[tuple[str, int]]:
    table = require("images/imagenet_sample/predictions.csv")
    with table.open(encoding="utf-8") as file:
        return [(r["file"], int(r["mbv2_int8_onnx_top1"])) for r in csv.DictReader(file)][:count]


def test_mobilenet_on_integers_in_both_engines() -> None:
    network = load(require("models/mobilenet_v2/mobilenet_v2_int8.onnx"))
    rewritten = qdq_from_qlinear(network)
    folder = require("images/imagenet_sample")
    spec = network.inputs[0]
    unit = ComputeUnit("openvino", (CPU,), "int8")
    with closing(OpenVinoEngine().compile(network.whole(), unit)) as compiled:
        for file, best in _photographs(8):
            frame = preset("imagenet").apply(read_image(folder / file), spec)
            (exact,) = run_whole(network, {spec.name: frame})
            (same,) = run_whole(rewritten, {spec.name: frame})
            np.testing.assert_array_equal(same, exact)
            assert int(np.argmax(compiled.run([frame])[0])) == int(np.argmax(exact)) == best
