"""Computes at load time what does not depend on the frame: shapes, and arithmetic on them.

Exporters write ``Shape -> Gather -> Concat -> Reshape`` so that a model takes any batch. Once the
input's shape is fixed these are constants; engines would fold them too, but layers must be known
before any engine is asked. Large results (weights that a model fills in by ``ConstantOfShape``,
or dequantises) are left to the engines: nothing big is made on a file's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from counterpoint.network.weights import INLINE_BYTES

KEEP = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
"""Folding these would take the quantisation out of a quantised network."""


def fold_constants(
    nodes: Sequence[NodeProto],
    constants: dict[str, TensorProto],
    shapes: dict[str, tuple[int, ...]],
    types: dict[str, int],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[NodeProto]:
    """Removes nodes whose outputs are known and small, and adds those outputs to ``constants``.

    Args:
        nodes: In topological order.
        constants: By name; grows.
        shapes: Static shapes of tensors, as far as known.
        types: ONNX element types of tensors, as far as known.
        opsets: Of the model.

    Returns:
        The nodes that remain.
    """
    remaining: list[NodeProto] = []
    for node in nodes:
        values = _fold_node(node, constants, shapes, types, opsets)
        if values is None:
            remaining.append(node)
        else:
            for name, value in zip(node.output, values, strict=False):
                if name:
                    constants[name] = numpy_helper.from_array(np.asarray(value), name)
    return remaining


def _fold_node(
    node: NodeProto,
    constants: dict[str, TensorProto],
    shapes: dict[str, tuple[int, ...]],
    types: dict[str, int],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[object] | None:
    if node.domain not in ("", "ai.onnx") or node.op_type in KEEP:
        return None
    if node.op_type == "Shape" and node.input[0] in shapes:
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        whole = shapes[node.input[0]]
        return [np.array(whole[bounds.get("start", 0) : bounds.get("end", len(whole))], np.int64)]
    if node.op_type == "Size" and node.input[0] in shapes:
        return [np.array(np.prod(shapes[node.input[0]], dtype=np.int64), np.int64)]
    if any(attribute.HasField("g") for attribute in node.attribute):
        return None
    inputs = [name for name in node.input if name]
    if any(name not in constants or not _inline(constants[name]) for name in inputs):
        return None
    if node.op_type.startswith(("Random", "Multinomial", "Bernoulli")):
        return None
    for name in node.output:  # the size is checked before anything of that size is made
        if name and (name not in shapes or _size_bytes(shapes[name], types[name]) > INLINE_BYTES):
            return None
    model = _one_node_model(node, [constants[name] for name in dict.fromkeys(inputs)], opsets)
    try:
        result = ReferenceEvaluator(model).run(None, {})
    except Exception:  # whatever the reference cannot compute is left to the engines
        return None
    return list(result)


def _inline(tensor: TensorProto) -> bool:
    return bool(tensor.data_location != TensorProto.EXTERNAL)


def _size_bytes(shape: Iterable[int], elem_type: int) -> int:
    size = 1
    for dimension in shape:
        size *= dimension
    return size * 8 if elem_type else size


def _one_node_model(
    node: NodeProto, tensors: Sequence[TensorProto], opsets: Sequence[onnx.OperatorSetIdProto]
) -> ModelProto:
    outputs = [ValueInfoProto(name=name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "fold", [], outputs, initializer=list(tensors))
    return onnx.helper.make_model(graph, opset_imports=list(opsets))
