"""The same network at another batch size.

A network is made anew only where every tensor that depends on the frame holds one row for each
image along dimension 0, and every operator keeps these rows apart. Then a batch of ``b`` images
gives what ``b`` single runs give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import NodeProto, TensorProto, numpy_helper

from counterpoint.errors import ModelFileError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.grouping import ACTIVATIONS, MAC_OPERATORS, POOLS, SCALES, SUMS
from counterpoint.network.inference import graph_of
from counterpoint.network.input_shapes import fix_input_shapes
from counterpoint.network.layering import network_of
from counterpoint.network.onnx_graph import (
    OnnxGraph,
    attribute_int,
    attribute_ints,
    graph_behind,
    reads,
)
from counterpoint.network.weights import is_inline

SHAPE_INPUT: Mapping[str, int] = {"Reshape": 1, "Expand": 1, "Resize": 3}
"""Operators that are told the shape of their result, and by which input."""

TOGETHER = (
    ACTIVATIONS
    | SCALES
    | SUMS
    | {"Max", "Min", "Mean", "Pow", "Where", "Equal", "Greater", "Less", "QLinearMul"}
)
"""Operators that read the same place of several tensors, broadcast."""

APART = (
    TOGETHER
    | MAC_OPERATORS
    | POOLS
    | SHAPE_INPUT.keys()
    | {
        *("BatchNormalization", "InstanceNormalization", "LRN", "LpPool", "GlobalLpPool"),
        *("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Floor", "Ceil", "Round"),
        *("Sign", "Not", "Cast", "Identity", "Dropout", "QuantizeLinear", "DequantizeLinear"),
        *("Upsample", "DepthToSpace", "SpaceToDepth", "Flatten", "Squeeze", "Unsqueeze", "Pad"),
        *("QLinearGlobalAveragePool", "QLinearAveragePool", "QLinearConcat"),
    }
)
"""Operators that keep the rows of dimension 0 apart whenever their result has as many."""

ALONG_AXIS: Mapping[str, int] = {
    **{"Concat": 0, "Split": 0, "Gather": 0, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1},
    **{"ArgMax": 0, "ArgMin": 0, "TopK": -1, "LayerNormalization": -1, "GatherElements": 0},
    **{"QLinearSoftmax": -1},
}
"""Operators that work along one axis, and the axis where they do not name it. ``-1`` stands for 1
in the old form of Softmax, which takes all from its axis on together: either is apart."""

ALONG_AXES = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "Slice"}
)


def with_batch(network: Network, batch: int) -> Network:
    """The network with that many images in a frame.

    Args:
        network: Stays as it is. Dimension 0 of each of its inputs is its batch.
        batch: At least 1.

    Returns:
        A network of the same name that shares the weights of the given one; the given one where
        it has that batch size already.

    Raises:
        UserInputError: The images of a frame are not kept apart, or the network fixes its batch
            in a way that cannot be undone; names the node.
    """
    if batch < 1:
        raise UserInputError(f"batch {batch} is below 1")
    graph = graph_behind(network)
    old = _batch_of(network)
    if old == batch:
        return network
    _check_apart(network.name, graph, old)
    model = graph.whole_model()
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        made = _shape_for(node, graph, constants, old, batch)
        if made is not None:
            model.graph.initializer.append(made)
            node.input[SHAPE_INPUT[node.op_type]] = made.name
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        fix_input_shapes(model.graph.input, batch, {})
        rebatched = graph_of(model, graph.weights)
    except ModelFileError as error:
        raise UserInputError(f"{network.name} cannot have batch {batch}: {error}") from error
    _check_rows(network.name, rebatched, batch)
    return network_of(rebatched, network.name)


def _batch_of(network: Network) -> int:
    """Dimension 0 of all inputs."""
    sizes = {spec.name: (spec.shape or (0,))[0] for spec in network.inputs}
    (first, batch), *others = sizes.items()
    for name, size in others:
        if size != batch:
            raise UserInputError(
                f"the batch size of {network.name} is not known: input {first!r} has {batch} in "
                f"dimension 0, {name!r} has {size}"
            )
    return batch


def _check_apart(name: str, graph: OnnxGraph, batch: int) -> None:
    """Every operator keeps the rows of dimension 0 apart."""
    frame = set(graph.inputs)
    for node in graph.nodes:
        names = reads(node)
        if not frame.intersection(names):
            continue
        frame.update(output for output in node.output if output)
        reason = _mixing(node, graph, frame, batch)
        if reason is not None:
            raise UserInputError(
                f"{name} cannot have another batch size: node {node.name!r} {reason}"
            )
    _check_rows(name, graph, batch)


def _mixing(node: NodeProto, graph: OnnxGraph, frame: set[str], batch: int) -> str | None:
    """How a node mixes images, as far as the shape of its result does not show it."""
    operator = node.op_type
    if operator in TOGETHER:
        return _misaligned(node, reads(node), graph, frame, batch)
    shape = _shape(graph, node.input[0])
    if operator == "Transpose":
        order = attribute_ints(node, "perm") or list(reversed(range(len(shape))))
        return None if order[:1] == [0] else "(Transpose) moves the images to another axis"
    if operator in ALONG_AXIS or operator in ALONG_AXES:
        axes = _axes(node, graph)
        mixes = not axes or any(axis in (0, -len(shape)) for axis in axes)
        return f"({operator}) works along dimension 0" if mixes else None
    if operator in ("MatMul", "Gemm"):
        right = _shape(graph, node.input[1])
        mixes = node.input[1] in frame and (len(shape) < 3 or len(shape) != len(right))
        if mixes or attribute_int(node, "transA", 0):
            return f"({operator}) multiplies images with each other"
        return _misaligned(node, node.input[2:], graph, frame, batch)
    if operator not in APART:
        return f"({operator}) is not known to keep the images of a batch apart"
    if operator != "QLinearConcat" and frame.intersection(node.input[1:]):
        return f"({operator}) takes its parameters from the images"
    return None


def _misaligned(
    node: NodeProto, names: Iterable[str], graph: OnnxGraph, frame: set[str], batch: int
) -> str | None:
    """How broadcasting those inputs brings images together."""
    rank = len(_shape(graph, node.output[0]))
    for name in names:
        shape = _shape(graph, name)
        if name in frame and len(shape) < rank:
            return f"lays the images of {name!r} along another axis"
        if name not in frame and len(shape) == rank and shape[:1] == (batch,) and batch > 1:
            return f"has a constant ({name!r}) for each of {batch} images"
    return None


def _shape(graph: OnnxGraph, name: str) -> tuple[int, ...]:
    spec = graph.specs.get(name)
    return () if spec is None or spec.shape is None else spec.shape


def _axes(node: NodeProto, graph: OnnxGraph) -> list[int]:
    """The axes that a node works along; empty where it is all, or not known."""
    if node.op_type in ALONG_AXIS:
        return [attribute_int(node, "axis", ALONG_AXIS[node.op_type])]
    named = attribute_ints(node, "axes")
    position = 3 if node.op_type == "Slice" else 1
    if named is not None or len(node.input) <= position:
        return named or []
    tensor = graph.constants.get(node.input[position])
    if tensor is None or not is_inline(tensor):
        return []
    return [int(axis) for axis in numpy_helper.to_array(tensor).reshape(-1)]


def _check_rows(name: str, graph: OnnxGraph, batch: int) -> None:
    """Every tensor in use that depends on the frame has one row for each image."""
    frame = set(graph.inputs)
    used = {*graph.outputs, *graph.readers()}
    for node in graph.nodes:
        if not frame.intersection(reads(node)):
            continue
        for output in used.intersection(node.output):
            frame.add(output)
            spec = graph.specs.get(output)
            if spec is None or not spec.shape or spec.shape[0] != batch:
                shape = "unknown shape" if spec is None or spec.shape is None else spec.shape
                raise UserInputError(
                    f"{name} cannot have another batch size: tensor {output!r} ({shape}) has not "
                    f"{batch} in dimension 0, one for each image"
                )


def _shape_for(
    node: NodeProto, graph: OnnxGraph, constants: Mapping[str, TensorProto], old: int, new: int
) -> TensorProto | None:
    """The shape that a node is told, for the new batch; ``None`` where it need not change."""
    position = SHAPE_INPUT.get(node.op_type)
    if position is None or len(node.input) <= position or node.input[0] in constants:
        return None
    told = constants.get(node.input[position])
    if told is None or not is_inline(told):
        return None
    values = numpy_helper.to_array(told).copy()
    rank = len(graph.specs[node.output[0]].shape or ())
    if values.shape != (rank,) or values[0] != old:
        return None
    values[0] = new
    return numpy_helper.from_array(values, f"{node.output[0]}/batch{new}")
