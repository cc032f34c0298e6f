"""Standard operators that have the shapes of ONNX Runtime's quantised contributions.

The onnx package infers no shapes for the ``com.microsoft`` domain. For inference alone, such a node
is exchanged for a standard one that makes a tensor of the same shape and type. Definitions:
onnxruntime, ``docs/ContribOperators.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import NodeProto, TensorProto, TypeProto, helper

STAND_IN_DOMAIN = "com.microsoft"

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


def stand_in_types(node: NodeProto, types: Mapping[str, TypeProto]) -> dict[str, TypeProto]:
    """Types of the outputs of a node of :data:`STAND_IN_DOMAIN`; empty if it is not in the table.

    Args:
        node: Of any number of inputs.
        types: Of all of them.
    """
    stand_in = _stand_in(node)
    if stand_in is None:
        return {}
    # Shapes only: the stand-in computes in float where the real operator has integers.
    shapes = {name: TypeProto() for name in stand_in.input}
    for name, kind in shapes.items():
        kind.CopyFrom(types[name])
        kind.tensor_type.elem_type = TensorProto.FLOAT
    schema = onnx.defs.get_schema(stand_in.op_type)
    result = onnx.shape_inference.infer_node_outputs(schema, stand_in, shapes)
    for kind in result.values():
        kind.tensor_type.elem_type = types[stand_in.input[0]].tensor_type.elem_type
    return result


def _stand_in(node: NodeProto) -> NodeProto | None:
    if node.op_type == "QLinearConcat":  # inputs: scale, zero point, then three for each tensor
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        return helper.make_node("Concat", node.input[2::3], node.output[:1], axis=axis)
    if node.op_type not in STAND_INS:
        return None
    operator, positions, attributes = STAND_INS[node.op_type]
    if len(node.input) <= max(positions):
        return None
    stand_in = helper.make_node(operator, [node.input[i] for i in positions], node.output[:1])
    stand_in.attribute.extend(a for a in node.attribute if a.name in attributes)
    return stand_in
