"""Small ONNX models made in tests, from text or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

from counterpoint.network.graph import Network
from counterpoint.network.loading import load

Array = npt.NDArray[np.generic]

SHAPE = (1, 4, 6, 6)


def model(
    body: str,
    *,
    inputs: str = "float[1,4,6,6] x",
    outputs: str = "float y",
    opset: int = 17,
    imports: Mapping[str, int] | None = None,
    functions: str = "",
    **weights: Array,
) -> ModelProto:
    """A model from ONNX's textual syntax, with initialisers by keyword."""
    versions = {"": opset, **(imports or {})}
    written = ", ".join(f'"{domain}" : {version}' for domain, version in versions.items())
    made = parser.parse_model(
        f"<ir_version: 8, opset_import: [{written}]>\n"
        f"g ({inputs}) => ({outputs}) {{ {body} }}\n{functions}"
    )
    made.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in weights.items()
    )
    for output in made.graph.output:  # a parsed "float y" would be a scalar
        output.type.tensor_type.ClearField("shape")
    return made


def saved(made: ModelProto, folder: Path, name: str = "model") -> Path:
    path = folder / f"{name}.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def loaded(made: ModelProto, folder: Path, **options: int) -> Network:
    return load(saved(made, folder), **options)  # type: ignore[arg-type]


def kernel(out: int = 4, into: int = 4, edge: int = 3, seed: int = 0) -> Array:
    """A seeded convolution kernel that keeps the variance of what it is applied to."""
    values = np.random.default_rng(seed).standard_normal((out, into, edge, edge))
    return (values / (into * edge * edge) ** 0.5).astype(np.float32)


def operators(network: Network) -> list[tuple[str, ...]]:
    return [layer.operators for layer in network.layers]


class _Growing:
    """A random model under construction; every tensor has :data:`SHAPE`."""

    def __init__(self) -> None:
        self.tensors = ["x0", "x1"]
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = [
            numpy_helper.from_array(kernel(seed=1), "plain"),
            numpy_helper.from_array(kernel(4, 1, seed=2), "deep"),
            numpy_helper.from_array(kernel(4, 8, seed=3), "wide"),
            numpy_helper.from_array(np.linspace(0.5, 1.5, 4, dtype=np.float32), "vector"),
            numpy_helper.from_array(np.full((1, 4, 1, 1), 0.5, np.float32), "half"),
            numpy_helper.from_array(np.array(0.05, np.float32), "step"),
            numpy_helper.from_array(np.array(128, np.uint8), "middle"),
        ]

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        made = helper.make_node(operator, inputs, names, names[0], **attributes)  # type: ignore[arg-type]
        self.nodes.append(made)
        return names[0]

    def conv(self, x: str, weights: str = "plain", group: int = 1) -> str:
        return self.node("Conv", x, weights, pads=[1, 1, 1, 1], group=group)

    def through_int8(self, x: str) -> str:
        return self.node(
            "DequantizeLinear", self.node("QuantizeLinear", x, "step", "middle"), "step", "middle"
        )

    def grow(self, kind: str, a: str, b: str) -> str:
        match kind:
            case "Conv":
                return self.conv(a)
            case "depthwise":
                return self.conv(a, "deep", group=4)
            case "computed weights":
                return self.conv(a, self.node("Neg", "plain"))
            case "BatchNormalization":
                return self.node(kind, a, "vector", "vector", "vector", "vector")
            case "Relu" | "Sigmoid" | "Identity":
                return self.node(kind, a)
            case "scale":
                return self.node("Mul", a, "half")
            case "Add" | "Mul" | "Max":
                return self.node(kind, a, b)
            case "silu":
                return self.node("Mul", a, self.node("Sigmoid", a))
            case "conv and residual":
                return self.node("Relu", self.node("Add", b, self.conv(a)))
            case "MaxPool":
                return self.node(kind, a, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            case "Concat":
                return self.conv(self.node(kind, a, b, axis=1), "wide")
            case "Split":
                first = self.node(kind, a, outputs=2, axis=1)
                return self.node("Concat", first.replace("_0", "_1"), first, axis=1)
            case "int8":
                return self.through_int8(a)
            case "conv in int8":
                return self.through_int8(self.node("Relu", self.conv(self.through_int8(a))))
            case "dequantised twice":
                whole = self.node("QuantizeLinear", a, "step", "middle")
                left, right = (
                    self.node("DequantizeLinear", whole, "step", "middle") for _ in range(2)
                )
                return self.node("Add", self.conv(left), right)
        raise AssertionError(kind)


KINDS: Sequence[str] = (
    *("Conv", "depthwise", "computed weights", "BatchNormalization", "Relu", "Sigmoid"),
    *("Identity", "scale", "Add", "Mul", "Max", "silu", "conv and residual", "MaxPool"),
    *("Concat", "Split", "int8", "conv in int8", "dequantised twice"),
)


@st.composite
def random_models(draw: st.DrawFn) -> ModelProto:
    """A model of two inputs, with branches, residuals, gates, int8 parts and up to 3 outputs."""
    growing = _Growing()
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.integers(0), st.integers(0)),
            min_size=2,
            max_size=12,
        )
    )
    for kind, first, second in steps:
        recent = growing.tensors[-4:]
        a, b = recent[first % len(recent)], growing.tensors[second % len(growing.tensors)]
        growing.tensors.append(growing.grow(kind, a, b))
    made = growing.tensors[2:]
    outputs = {made[-1], *draw(st.lists(st.sampled_from(made), max_size=2))}
    nodes = draw(st.permutations(growing.nodes)) if draw(st.booleans()) else growing.nodes
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in ("x0", "x1")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in sorted(outputs)],
        growing.constants,
    )
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
