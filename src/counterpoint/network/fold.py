"""Computes at load time what does not depend on the frame: shapes, and arithmetic on them.

Exporters write ``Shape -> Gather -> Concat -> Reshape`` so that a model takes any batch. Once the
input's shape is fixed these are constants; engines would fold them too, but layers must be known
before any engine is asked. Large results (weights that a model fills in by ``ConstantOfShape``,
or dequantises) are left to the engines: nothing big is made on a file's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import numpy as np
import onnx
from onnx import NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from counterpoint.network.graph import TensorSpec
from counterpoint.network.weights import INLINE_BYTES, is_inline

ITEM_BYTES = 8  # of the widest type in use

FOLDED = frozenset(
    {
        *("Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Not", "Identity", "Cast"),
        *("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Sum"),
        *("And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"),
        *("ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Where"),
        *("Shape", "Size", "Range", "ConstantOfShape", "Expand", "Tile"),
        *("Concat", "Split", "Gather", "Slice", "Transpose"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    }
)
"""Arithmetic on shapes. All of it needs no more room than its inputs and outputs have, so what a
stranger's file makes of it is bounded by the check of their sizes."""


def folded(
    node: NodeProto,
    constants: Mapping[str, TensorProto],
    specs: Mapping[str, TensorSpec],
    opsets: Iterable[OperatorSetIdProto],
) -> list[TensorProto] | None:
    """The node's outputs as constants, where they are known and small; otherwise ``None``.

    Args:
        node: Of a standard operator, by that operator's definition; or of another domain.
        constants: By name.
        specs: Of the node's inputs and outputs, as far as known.
        opsets: Of the model.
    """
    if node.domain or node.op_type not in FOLDED:
        return None
    if node.op_type in ("Shape", "Size"):
        return _measured(node, specs)
    inputs = [name for name in node.input if name]
    if any(name not in constants or not is_inline(constants[name]) for name in inputs):
        return None
    outputs = [name for name in node.output if name]
    for name in outputs:  # the size is checked before anything of that size is made
        shape = specs[name].shape if name in specs else None
        if shape is None or prod(shape) * ITEM_BYTES > INLINE_BYTES:
            return None
    graph = onnx.helper.make_graph(
        [node],
        "fold",
        [],
        [ValueInfoProto(name=name) for name in outputs],
        initializer=[constants[name] for name in dict.fromkeys(inputs)],
    )
    model = onnx.helper.make_model(graph, opset_imports=list(opsets))
    try:
        with np.errstate(all="ignore"):
            values = ReferenceEvaluator(model).run(None, {})
    except Exception:  # whatever the reference cannot compute is left to the engines
        return None
    return [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in zip(outputs, values, strict=True)
    ]


def _measured(node: NodeProto, specs: Mapping[str, TensorSpec]) -> list[TensorProto] | None:
    """What Shape and Size say of a tensor, known or not."""
    spec = specs.get(node.input[0])
    if spec is None or spec.shape is None:
        return None
    if node.op_type == "Size":
        value = np.array(prod(spec.shape), np.int64)
    else:
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        end = bounds.get("end", len(spec.shape))
        value = np.array(spec.shape[bounds.get("start", 0) : end], np.int64)
    return [numpy_helper.from_array(value, node.output[0])]
