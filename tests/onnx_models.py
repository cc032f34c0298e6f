"""Small ONNX models made in tests, from text or at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

from counterpoint.network.graph import Network
from counterpoint.network.loading import load

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]

SHAPE = (1, 4, 6, 6)


def model(
    body: str,
    *,
    inputs: str = "float[1,4,6,6] x",
    outputs: str = "float y",
    opset: int = 17,
    imports: Mapping[str, int] | None = None,
    functions: str = "",
    **weights: Any,
) -> ModelProto:
    """A model from ONNX's textual syntax, with initialisers (arrays) by keyword."""
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


def kernel(out: int = 4, into: int = 4, edge: int = 3, seed: int = 0) -> Floats:
    """A seeded convolution kernel that keeps the variance of what it is applied to."""
    values = np.random.default_rng(seed).standard_normal((out, into, edge, edge))
    scaled: Floats = (values / (into * edge * edge) ** 0.5).astype(np.float32)
    return scaled


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

    def split_and_swapped(self, x: str) -> str:
        first = self.node("Split", x, outputs=2, axis=1)
        return self.node("Concat", first.replace("_0", "_1"), first, axis=1)

    def read_twice_in_int8(self, x: str) -> str:
        whole = self.node("QuantizeLinear", x, "step", "middle")
        left, right = (self.node("DequantizeLinear", whole, "step", "middle") for _ in range(2))
        return self.node("Add", self.conv(left), right)


Recipe = Callable[[_Growing, str, str], str]

RECIPES: Sequence[Recipe] = (
    lambda g, a, _: g.conv(a),
    lambda g, a, _: g.conv(a, "deep", group=4),
    lambda g, a, _: g.conv(a, g.node("Neg", "plain")),
    lambda g, a, _: g.node("BatchNormalization", a, "vector", "vector", "vector", "vector"),
    lambda g, a, _: g.node("Relu", a),
    lambda g, a, _: g.node("Sigmoid", a),
    lambda g, a, _: g.node("Identity", a),
    lambda g, a, _: g.node("Mul", a, "half"),
    lambda g, a, _: g.node("Mul", a, g.node("Sigmoid", a)),
    lambda g, a, _: g.node("MaxPool", a, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    lambda g, a, b: g.node("Add", a, b),
    lambda g, a, b: g.node("Mul", a, b),
    lambda g, a, b: g.node("Max", a, b),
    lambda g, a, b: g.node("Relu", g.node("Add", b, g.conv(a))),
    lambda g, a, b: g.conv(g.node("Concat", a, b, axis=1), "wide"),
    lambda g, a, _: g.split_and_swapped(a),
    lambda g, a, _: g.through_int8(a),
    lambda g, a, _: g.through_int8(g.node("Relu", g.conv(g.through_int8(a)))),
    lambda g, a, _: g.read_twice_in_int8(a),
)


@st.composite
def random_models(draw: st.DrawFn) -> ModelProto:
    """A model of two inputs, with branches, residuals, gates, int8 parts and up to 3 outputs."""
    growing = _Growing()
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(RECIPES), st.integers(0), st.integers(0)),
            min_size=2,
            max_size=12,
        )
    )
    for recipe, first, second in steps:
        recent = growing.tensors[-4:]
        a, b = recent[first % len(recent)], growing.tensors[second % len(growing.tensors)]
        growing.tensors.append(recipe(growing, a, b))
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
