"""Standard operators that have the shapes of ONNX Runtime's quantised contributions.

The onnx package infers no shapes for the ``com.microsoft`` domain. For inference alone, such a node
is exchanged for a standard one that makes a tensor of the same shape and type. Definitions:
onnxruntime, ``docs/ContribOperators.md``.
"""

from __future__ import annotations

from collections.abc import Iterable

from onnx import NodeProto, helper

STAND_INS: dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]] = {
    "QLinearAdd": ("Add", (0, 3), ()),
    "QLinearMul": ("Mul", (0, 3), ()),
    "QLinearSigmoid": ("Identity", (0,), ()),
    "QLinearLeakyRelu": ("Identity", (0,), ()),
    "QLinearSoftmax": ("Identity", (0,), ()),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,), ()),
    "QLinearAveragePool": (
        "AveragePool",
        (0,),
        ("auto_pad", "ceil_mode", "kernel_shape", "pads", "strides"),
    ),
    "FusedConv": (
        "Conv",
        (0, 1),
        ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    ),
}
"""Operator to (stand-in, which inputs it takes, which attributes it keeps)."""


def with_stand_ins(nodes: Iterable[NodeProto]) -> list[NodeProto]:
    """The nodes, those of the table exchanged."""
    return [_stand_in(node) for node in nodes]


def _stand_in(node: NodeProto) -> NodeProto:
    if node.domain != "com.microsoft":
        return node
    if node.op_type == "QLinearConcat":  # inputs: scale, zero point, then three for each tensor
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        return helper.make_node("Concat", node.input[2::3], node.output, axis=axis)
    entry = STAND_INS.get(node.op_type)
    if entry is None or len(node.input) <= max(entry[1]):
        return node
    operator, inputs, attributes = entry
    stand_in = helper.make_node(operator, [node.input[i] for i in inputs], node.output[:1])
    stand_in.attribute.extend(a for a in node.attribute if a.name in attributes)
    return stand_in
