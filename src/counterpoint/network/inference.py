"""Types and shapes of every tensor, and the nodes that are left once these are known.

One walk in run order: each node's outputs are inferred from its inputs, and a node whose result is
then known and small is computed on the spot. The onnx package can infer a whole model at once and
follow values through shape arithmetic on the way, but takes memory on a file's word when it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

import onnx
from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto

from counterpoint.errors import ModelFileError
from counterpoint.network.fold import folded
from counterpoint.network.graph import TensorSpec
from counterpoint.network.node_order import live_nodes
from counterpoint.network.onnx_graph import OnnxGraph, reads, spec_of
from counterpoint.network.shape_stand_ins import STAND_IN_DOMAIN, stand_in_types
from counterpoint.network.weights import WeightFile, is_inline

MAX_TENSOR_BYTES = 1 << 36
"""A file that declares a larger tensor (64 GB) is damaged or an attack; the largest activations
in use have some hundred megabytes."""


def graph_of(model: ModelProto, weights: WeightFile) -> OnnxGraph:
    """Infers all shapes and computes what they make constant.

    Args:
        model: Checked, with fixed input shapes, its nodes live and in topological order.
        weights: Holds the large constants.

    Raises:
        ModelFileError: Shapes do not fit together, or are absurd; or an output is a constant.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    types = {value.name: value.type for value in model.graph.input}
    types |= {name: _type_of(tensor) for name, tensor in constants.items()}
    specs = {spec.name: spec for spec in _specs(types)}
    remaining: list[NodeProto] = []
    for node in model.graph.node:
        inferred = _output_types(node, types, constants, model.opset_import)
        types |= inferred
        specs |= {spec.name: spec for spec in _specs(inferred)}
        _check_reshape(node, specs)
        values = folded(node, constants, specs, model.opset_import)
        if values is None:
            remaining.append(node)
            continue
        for tensor in values:
            constants[tensor.name] = tensor
            types[tensor.name] = _type_of(tensor)
    inputs = tuple(value.name for value in model.graph.input)
    outputs = tuple(value.name for value in model.graph.output)
    nodes = live_nodes(remaining, outputs)
    made = {name for node in nodes for name in node.output}.union(inputs)
    for value in model.graph.output:
        if value.name not in made:
            raise ModelFileError(f"output {value.name!r} does not depend on any input")
        specs.setdefault(value.name, spec_of(value))
    used = {name for node in nodes for name in reads(node)}
    return OnnxGraph(
        nodes=nodes,
        constants={name: tensor for name, tensor in constants.items() if name in used},
        specs=specs,
        inputs=inputs,
        outputs=outputs,
        opsets={entry.domain: entry.version for entry in model.opset_import},
        ir_version=model.ir_version,
        weights=weights,
    )


def _type_of(tensor: TensorProto) -> TypeProto:
    return onnx.helper.make_tensor_type_proto(tensor.data_type, tuple(tensor.dims))


def _specs(types: Mapping[str, TypeProto]) -> Iterator[TensorSpec]:
    for name, kind in types.items():
        spec = spec_of(ValueInfoProto(name=name, type=kind))
        if (spec.size_bytes or 0) > MAX_TENSOR_BYTES:
            size = "x".join(map(str, spec.shape or ()))
            raise ModelFileError(f"tensor {name!r} would be {size}: no machine has that room")
        yield spec


def _check_reshape(node: NodeProto, specs: Mapping[str, TensorSpec]) -> None:
    """It keeps the number of elements; targets written for another batch size do not."""
    if node.op_type != "Reshape" or node.domain:
        return
    sizes = [specs[n].shape if n in specs else None for n in (node.input[0], node.output[0])]
    if None not in sizes and prod(sizes[0] or ()) != prod(sizes[1] or ()):
        raise ModelFileError(
            f"shapes do not fit together at node {node.name!r} (Reshape): {sizes[0]} has not as "
            f"many elements as {sizes[1]}; check --shape and the batch size"
        )


def _output_types(
    node: NodeProto,
    types: Mapping[str, TypeProto],
    constants: Mapping[str, TensorProto],
    opsets: Iterable[OperatorSetIdProto],
) -> Mapping[str, TypeProto]:
    """What is known of its outputs; empty for operators without a definition here."""
    names = reads(node)
    if any(name not in types for name in names):
        return {}
    versions = {entry.domain: entry.version for entry in opsets}
    version = versions.get(node.domain, 0)
    try:
        if node.domain == STAND_IN_DOMAIN:
            return stand_in_types(node, types)
        if not onnx.defs.has(node.op_type, max_inclusive_version=version, domain=node.domain):
            return {}
        known = [name for name in names if name in constants and is_inline(constants[name])]
        return onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.op_type, version, node.domain),
            node,
            {name: types[name] for name in names},
            {name: constants[name] for name in known},
            opset_imports=list(opsets),
        )
    except Exception as error:  # each operator's inference throws what it likes
        reason = " ".join(str(error).removeprefix("[ShapeInferenceError] ").split())
        raise ModelFileError(
            f"shapes do not fit together at node {node.name!r} ({node.op_type}): {reason}; "
            "check --shape and the batch size"
        ) from error
