"""The same graph in a newer operator set."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, version_converter

from counterpoint.errors import UserInputError
from counterpoint.network.inference import graph_of
from counterpoint.network.onnx_graph import OnnxGraph

QDQ_OPSET = 13
"""From here on DequantizeLinear knows a scale for each channel, and pools take int8 (12)."""


def with_opset(graph: OnnxGraph, name: str, opset: int = QDQ_OPSET) -> OnnxGraph:
    """The graph in that operator set, or as it is where its own is as new.

    Nodes keep their names where they stay; weights stay where they are.

    Raises:
        UserInputError: An operator cannot be converted; says which.
    """
    if graph.opsets.get("", opset) >= opset:
        return graph
    model = graph.whole_model()
    # The converter knows the standard operators alone; the others stay what they are.
    foreign = {node.name: node for node in model.graph.node if node.domain}
    try:
        converted = version_converter.convert_version(model, opset)
    except Exception as error:  # each adapter throws what it likes
        reason = " ".join(str(error).split())[:300]
        raise UserInputError(
            f"{name} is in operator set {graph.opsets.get('')}, int8 needs {opset}, and onnx "
            f"cannot convert it ({reason}); export it with a newer operator set"
        ) from error
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in converted.graph.node:
        if node.op_type == "Constant" and not node.domain:
            value = TensorProto()
            value.CopyFrom(next(a.t for a in node.attribute if a.name == "value"))
            value.name = node.output[0]
            constants[value.name] = value
        else:
            nodes.append(foreign.get(node.name, node))
    for tensor in converted.graph.initializer:
        constants.setdefault(tensor.name, tensor)
    upgraded = ModelProto()
    upgraded.CopyFrom(model)
    del upgraded.graph.node[:], upgraded.graph.initializer[:], upgraded.graph.output[:]
    upgraded.graph.node.extend(nodes)
    upgraded.graph.initializer.extend(constants.values())
    upgraded.graph.output.extend(_untied(value) for value in model.graph.output)
    for entry in upgraded.opset_import:
        if not entry.domain:
            entry.version = opset
    return graph_of(upgraded, graph.weights)


def _untied(value: ValueInfoProto) -> ValueInfoProto:
    """Without its shape, which inference finds again."""
    free = ValueInfoProto(name=value.name)
    free.type.tensor_type.elem_type = value.type.tensor_type.elem_type
    return free
