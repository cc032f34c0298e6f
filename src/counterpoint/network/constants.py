"""Moves a file's constants into the weight file, or refuses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper

from counterpoint.errors import ModelFileError
from counterpoint.network.external_data import read_external
from counterpoint.network.onnx_checks import check_unique
from counterpoint.network.weights import WeightFile, is_inline, tensor_bytes

TYPED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")

VALUE_FIELDS: Mapping[str, tuple[int, str, type]] = {
    "value_float": (AttributeProto.FLOAT, "f", np.float32),
    "value_floats": (AttributeProto.FLOATS, "floats", np.float32),
    "value_int": (AttributeProto.INT, "i", np.int64),
    "value_ints": (AttributeProto.INTS, "ints", np.int64),
}
"""Attributes of a Constant node: their type, the field that holds the value, and its type."""


def initialisers(graph: GraphProto, weights: WeightFile, folder: Path) -> dict[str, TensorProto]:
    """The graph's initialisers by name, kept; the graph loses its own.

    Args:
        graph: Of the file.
        weights: Where their bytes go.
        folder: Of the model file.

    Raises:
        ModelFileError: One is damaged, of an unsupported type, or out of reach.
        MachineError: No room for the weights.
    """
    if graph.sparse_initializer:
        raise ModelFileError("sparse initialisers are not supported; export dense weights")
    check_unique((tensor.name for tensor in graph.initializer), "weight")
    constants: dict[str, TensorProto] = {}
    for tensor in graph.initializer:
        constants[tensor.name] = _kept(tensor, weights, folder)
        tensor.ClearField("raw_data")
    del graph.initializer[:]
    return constants


def without_constant_nodes(
    nodes: Iterable[NodeProto], constants: dict[str, TensorProto], weights: WeightFile, folder: Path
) -> Iterator[NodeProto]:
    """The nodes but for Constant nodes, whose values join ``constants``.

    Raises:
        ModelFileError: See :func:`initialisers`.
    """
    for node in nodes:
        value = _constant_value(node)
        if value is None:
            yield node
            continue
        value.name = next(iter(node.output), "")
        if value.name in constants:
            raise ModelFileError(f"tensor {value.name!r} is there twice")
        constants[value.name] = _kept(value, weights, folder)


def _constant_value(node: NodeProto) -> TensorProto | None:
    """What a Constant node holds; ``None`` for other nodes and for what only engines can read."""
    if node.op_type != "Constant" or node.domain:
        return None
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.t.data_type != TensorProto.STRING:
            copy = TensorProto()
            copy.CopyFrom(attribute.t)
            return copy
        if attribute.name in VALUE_FIELDS:
            kind, field, dtype = VALUE_FIELDS[attribute.name]
            if attribute.type != kind:
                raise ModelFileError(f"node {node.name!r} holds a {attribute.name} that is none")
            return numpy_helper.from_array(np.array(getattr(attribute, field), dtype))
    return None


def _kept(tensor: TensorProto, weights: WeightFile, folder: Path) -> TensorProto:
    """A reference into the weight file, or the tensor itself where it is tiny."""
    name, shape = tensor.name, tuple(tensor.dims)
    if any(dimension < 0 for dimension in shape):
        raise ModelFileError(f"weight {name!r} has a negative dimension")
    try:
        declared = tensor_bytes(tensor)
    except (KeyError, ValueError) as error:
        raise ModelFileError(
            f"weight {name!r} has an element type that is not supported ({tensor.data_type})"
        ) from error
    if not is_inline(tensor):
        with read_external(tensor, folder, declared) as data:
            return weights.add_raw(name, tensor.data_type, shape, data)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != declared:
            raise ModelFileError(
                f"weight {name!r} declares {declared} bytes and has "
                f"{len(tensor.raw_data)}; the file is damaged"
            )
        return weights.add_raw(name, tensor.data_type, shape, tensor.raw_data)
    if prod(shape) and not any(len(getattr(tensor, field)) for field in TYPED_FIELDS):
        raise ModelFileError(f"weight {name!r} has no data; the file is damaged")
    try:
        packed = numpy_helper.from_array(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"weight {name!r} does not fit its shape: {error}") from error
    return weights.add_raw(name, packed.data_type, shape, packed.raw_data)
