"""Reads ONNX files: checks them, fixes the input shapes, folds shape arithmetic, groups layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from counterpoint.errors import ModelFileError
from counterpoint.network.external_data import read_external
from counterpoint.network.fold import fold_constants
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.network.layering import network_of
from counterpoint.network.legacy_ops import rewrite_legacy
from counterpoint.network.onnx_graph import (
    OnnxGraph,
    element_type,
    reads,
    sorted_nodes,
    spec_of,
)
from counterpoint.network.shape_stand_ins import with_stand_ins
from counterpoint.network.weights import INLINE_BYTES, WeightFile, tensor_bytes

OLDEST_OPSET = 7
MAX_FOLD_ROUNDS = 8

PACKED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def read_onnx(
    path: Path,
    *,
    batch: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """Reads one network.

    Args:
        path: The ``.onnx`` file; its external data must lie in the same folder or below.
        batch: Size of the first dimension of every input; ``None`` keeps the file's, and takes 1
            where the file leaves it open.
        input_shapes: Whole shapes by input name, where the file leaves more than that open.

    Raises:
        ModelFileError: The file cannot be used; the message says why and what to do.
        MachineError: No room for the weights.
    """
    model = _parse(path)
    try:
        graph = _graph_of(model, path, batch, dict(input_shapes or {}))
        return network_of(graph, path.stem)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def network_of_model(model: ModelProto, weights: WeightFile, name: str) -> Network:
    """A network from a model made in memory, whose tensors came from ``weights``."""
    return network_of(_inferred(model, weights), name)


def _parse(path: Path) -> ModelProto:
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name the .onnx file")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise ModelFileError(f"{path} is empty")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is no ONNX file, or is truncated; export it again") from error
    if not model.graph.node or not model.opset_import:
        raise ModelFileError(f"{path} is no ONNX file: it has no nodes or names no operator set")
    return model


def _graph_of(
    model: ModelProto, path: Path, batch: int | None, shapes: dict[str, Sequence[int]]
) -> OnnxGraph:
    opset = _check_opsets(model)
    weights = WeightFile()
    constants = dict(_initialisers(model.graph, weights, path.parent))
    del model.graph.initializer[:]
    inputs = [value for value in model.graph.input if value.name not in constants]
    _check_names(inputs, model.graph.output)
    _fix_shapes(inputs, batch, shapes)
    nodes = rewrite_legacy(model.graph.node, opset)
    nodes = list(_without_constant_nodes(nodes, constants, weights, path.parent))
    nodes = sorted_nodes(nodes, {value.name for value in inputs} | constants.keys())
    nodes = _live(nodes, [value.name for value in model.graph.output])
    used = {name for node in nodes for name in reads(node)}
    used |= {value.name for value in model.graph.output}
    skeleton = ModelProto()
    skeleton.ir_version = max(model.ir_version, 4)  # from 4 on, initialisers are no inputs
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    skeleton.graph.name = "counterpoint"
    skeleton.graph.node.extend(nodes)
    skeleton.graph.initializer.extend(t for name, t in constants.items() if name in used)
    skeleton.graph.input.extend(value for value in inputs if value.name in used)
    skeleton.graph.output.extend(_untied(model.graph.output))
    return _inferred(skeleton, weights)


def _check_opsets(model: ModelProto) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = {entry.domain: entry.version for entry in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx"))
    if opset is None:
        return newest
    if opset < OLDEST_OPSET:
        raise ModelFileError(
            f"operator set {opset} is older than {OLDEST_OPSET}; convert it with "
            "onnx.version_converter.convert_version"
        )
    if opset > newest:
        raise ModelFileError(
            f"operator set {opset} is newer than {newest}, the newest that the installed onnx "
            "knows; upgrade onnx or export with an older opset"
        )
    return int(opset)


def _initialisers(
    graph: GraphProto, weights: WeightFile, folder: Path
) -> Iterator[tuple[str, TensorProto]]:
    """Moves every initialiser into the weight file; the protobuf's own copy is dropped."""
    if graph.sparse_initializer:
        raise ModelFileError("sparse initialisers are not supported; export dense weights")
    for tensor in graph.initializer:
        yield tensor.name, _kept(tensor, weights, folder)
        tensor.ClearField("raw_data")


def _kept(tensor: TensorProto, weights: WeightFile, folder: Path) -> TensorProto:
    if any(dimension < 0 for dimension in tensor.dims):
        raise ModelFileError(f"weight {tensor.name!r} has a negative dimension")
    try:
        declared = tensor_bytes(tensor)
    except (KeyError, ValueError) as error:
        raise ModelFileError(
            f"weight {tensor.name!r} has an element type that is not supported ({tensor.data_type})"
        ) from error
    shape = tuple(tensor.dims)
    if tensor.data_location == TensorProto.EXTERNAL:
        with read_external(tensor, folder, declared) as data:
            return weights.add_raw(tensor.name, tensor.data_type, shape, data)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != declared:
            raise ModelFileError(
                f"weight {tensor.name!r} declares {declared} bytes and has "
                f"{len(tensor.raw_data)}; the file is damaged"
            )
        if declared > INLINE_BYTES:
            return weights.add_raw(tensor.name, tensor.data_type, shape, tensor.raw_data)
    elif not any(len(getattr(tensor, name)) for name in PACKED_FIELDS) and prod(shape):
        raise ModelFileError(f"weight {tensor.name!r} has no data; the file is damaged")
    try:
        return weights.add(tensor.name, onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"weight {tensor.name!r} does not fit its shape: {error}") from error


def _check_names(inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> None:
    if not outputs:
        raise ModelFileError("the graph returns nothing")
    for value in inputs:
        if not value.type.HasField("tensor_type"):
            raise ModelFileError(f"input {value.name!r} is no tensor")


def _fix_shapes(
    inputs: Sequence[ValueInfoProto], batch: int | None, shapes: dict[str, Sequence[int]]
) -> None:
    """Gives every input its numbers, in place."""
    names = {value.name for value in inputs}
    for name in shapes.keys() - names:
        raise ModelFileError(f"no input is called {name!r}; there are: {', '.join(sorted(names))}")
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        if value.name in shapes:
            wanted = list(shapes[value.name])
            if len(dims) not in (0, len(wanted)):
                raise ModelFileError(
                    f"input {value.name!r} has {len(dims)} dimensions, the shape asked for "
                    f"has {len(wanted)}"
                )
            del dims[:]
            for size in wanted:
                dims.add(dim_value=size)
        if batch is not None and dims:
            dims[0].dim_value = batch
        elif dims and not _is_fixed(dims[0]):
            dims[0].dim_value = 1
        open_dims = [dim.dim_param or "?" for dim in dims if not _is_fixed(dim)]
        if open_dims or not value.type.tensor_type.HasField("shape"):
            raise ModelFileError(
                f"input {value.name!r} leaves dimensions open ({', '.join(open_dims) or 'all'}); "
                f"give them as --shape {value.name}=1x3x224x224"
            )
        if any(dim.dim_value < 1 for dim in dims):
            raise ModelFileError(f"input {value.name!r} has a dimension below 1")


def _is_fixed(dim: onnx.TensorShapeProto.Dimension) -> bool:
    return bool(dim.HasField("dim_value") and dim.dim_value > 0)


def _without_constant_nodes(
    nodes: Sequence[NodeProto], constants: dict[str, TensorProto], weights: WeightFile, folder: Path
) -> Iterator[NodeProto]:
    """Turns Constant nodes into constants."""
    for node in nodes:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            tensor = _constant_value(node)
            if tensor is not None:
                tensor.name = node.output[0]
                constants[tensor.name] = _kept(tensor, weights, folder)
                continue
        yield node


def _constant_value(node: NodeProto) -> TensorProto | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            copy = TensorProto()
            copy.CopyFrom(attribute.t)
            return copy
        if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
            import numpy as np

            dtype = np.float32 if "float" in attribute.name else np.int64
            return onnx.numpy_helper.from_array(
                np.array(onnx.helper.get_attribute_value(attribute), dtype=dtype)
            )
    return None


def _live(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> list[NodeProto]:
    """Nodes that the outputs depend on; each gets a unique name."""
    wanted = set(outputs)
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(reads(node))
            kept.append(node)
    kept.reverse()
    taken: set[str] = set()
    for node in kept:
        name = node.name or next((output for output in node.output if output), node.op_type)
        unique, copy = name, 1
        while unique in taken:
            copy += 1
            unique = f"{name}.{copy}"
        taken.add(unique)
        node.name = unique
    return kept


def _untied(outputs: Sequence[ValueInfoProto]) -> Iterator[ValueInfoProto]:
    """Outputs without their declared shapes, which belong to the file's own batch size."""
    for value in outputs:
        free = ValueInfoProto(name=value.name)
        free.type.tensor_type.elem_type = value.type.tensor_type.elem_type
        yield free


def _inferred(model: ModelProto, weights: WeightFile) -> OnnxGraph:
    """Infers all shapes; folds what they make constant; repeats until nothing changes."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    inputs, outputs = list(model.graph.input), list(model.graph.output)
    specs: dict[str, TensorSpec] = {}
    for _ in range(MAX_FOLD_ROUNDS):
        inferred = _infer(model)
        specs = {tensor.name: _constant_spec(tensor) for tensor in constants.values()}
        for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input):
            specs[value.name] = spec_of(value)
        known = {name: spec.shape for name, spec in specs.items() if spec.shape is not None}
        types = {name: element_type(specs[name].dtype) for name in known}
        remaining = fold_constants(nodes, constants, known, types, list(model.opset_import))
        if len(remaining) == len(nodes):
            break
        nodes = _live(remaining, [value.name for value in outputs])
        model = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
        model.graph.name = "counterpoint"
        model.graph.node.extend(nodes)
        model.graph.input.extend(inputs)
        model.graph.output.extend(outputs)
        model.graph.initializer.extend(constants.values())
    made = {name for node in nodes for name in node.output} | {value.name for value in inputs}
    for value in outputs:
        if value.name not in made:
            raise ModelFileError(f"output {value.name!r} does not depend on any input")
    used = {name for node in nodes for name in reads(node)}
    return OnnxGraph(
        nodes=nodes,
        constants={name: tensor for name, tensor in constants.items() if name in used},
        specs=specs,
        inputs=tuple(value.name for value in inputs),
        outputs=tuple(value.name for value in outputs),
        opsets={entry.domain: entry.version for entry in model.opset_import},
        ir_version=model.ir_version,
        weights=weights,
        functions=list(model.functions),
    )


def _constant_spec(tensor: TensorProto) -> TensorSpec:
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    return TensorSpec(tensor.name, dtype, tuple(tensor.dims))


def _infer(model: ModelProto) -> ModelProto:
    probe = ModelProto()
    probe.CopyFrom(model)
    nodes = with_stand_ins(model.graph.node)
    del probe.graph.node[:]
    probe.graph.node.extend(nodes)
    try:
        return onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelFileError(
            f"shapes do not fit together ({reason}); check --shape and the batch size"
        ) from error
