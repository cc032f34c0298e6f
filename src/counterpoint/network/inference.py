"""Types and shapes of every tensor, and the nodes that are left once these are known."""

from __future__ import annotations

import onnx
from onnx import ModelProto, TensorProto

from counterpoint.errors import ModelFileError
from counterpoint.network.fold import fold_constants
from counterpoint.network.graph import TensorSpec
from counterpoint.network.node_order import live_nodes
from counterpoint.network.onnx_graph import OnnxGraph, dtype_name, element_type, reads, spec_of
from counterpoint.network.shape_stand_ins import with_stand_ins
from counterpoint.network.weights import WeightFile

MAX_FOLD_ROUNDS = 8
"""Each round folds what the shapes of the round before made constant. Real models take three."""

MAX_TENSOR_BYTES = 1 << 36
"""A file that declares a larger tensor (64 GB) is damaged or an attack; the largest activations
in use have some hundred megabytes."""


def graph_of(model: ModelProto, weights: WeightFile) -> OnnxGraph:
    """Infers all shapes; folds what they make constant; repeats until nothing changes.

    Args:
        model: Checked, with fixed input shapes, its nodes live and in topological order.
        weights: Holds the large constants.

    Raises:
        ModelFileError: Shapes do not fit together, or are absurd; or an output is a constant.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    specs = _specs(model, constants)
    for _ in range(MAX_FOLD_ROUNDS):
        shapes = {name: spec.shape for name, spec in specs.items() if spec.shape is not None}
        types = {name: element_type(specs[name].dtype) for name in shapes}
        nodes = list(model.graph.node)
        remaining = fold_constants(nodes, constants, shapes, types, list(model.opset_import))
        if len(remaining) == len(nodes):
            break
        del model.graph.node[:]
        model.graph.node.extend(
            live_nodes(remaining, [value.name for value in model.graph.output])
        )
        del model.graph.initializer[:]
        model.graph.initializer.extend(constants.values())
        specs = _specs(model, constants)
    nodes = list(model.graph.node)
    inputs = tuple(value.name for value in model.graph.input)
    outputs = tuple(value.name for value in model.graph.output)
    made = {name for node in nodes for name in node.output}.union(inputs)
    for name in outputs:
        if name not in made:
            raise ModelFileError(f"output {name!r} does not depend on any input")
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


def _specs(model: ModelProto, constants: dict[str, TensorProto]) -> dict[str, TensorSpec]:
    """Every tensor whose type is known, by name."""
    probe = ModelProto()
    probe.CopyFrom(model)
    del probe.graph.node[:]
    probe.graph.node.extend(with_stand_ins(model.graph.node))
    try:
        inferred = onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelFileError(
            f"shapes do not fit together ({reason}); check --shape and the batch size"
        ) from error
    specs = {
        tensor.name: TensorSpec(tensor.name, dtype_name(tensor.data_type), tuple(tensor.dims))
        for tensor in constants.values()
    }
    for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input):
        spec = spec_of(value)
        if (spec.size_bytes or 0) > MAX_TENSOR_BYTES:
            size = "x".join(map(str, spec.shape or ()))
            raise ModelFileError(f"tensor {spec.name!r} would be {size}: no machine has that room")
        specs[spec.name] = spec
    return specs
