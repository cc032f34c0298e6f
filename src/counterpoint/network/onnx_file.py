"""Reads ONNX files: checks them, fixes the input shapes, and hands on to inference and layering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, ValueInfoProto

from counterpoint.errors import ModelFileError
from counterpoint.network.constants import initialisers, without_constant_nodes
from counterpoint.network.graph import Network
from counterpoint.network.inference import graph_of
from counterpoint.network.input_shapes import fix_input_shapes
from counterpoint.network.layering import network_of
from counterpoint.network.legacy_ops import rewrite_legacy
from counterpoint.network.local_functions import inlined
from counterpoint.network.node_order import live_nodes, sorted_nodes
from counterpoint.network.onnx_checks import check_nodes, check_text, check_unique, every_node
from counterpoint.network.onnx_graph import OnnxGraph, reads
from counterpoint.network.weights import WeightFile

OLDEST_OPSET = 7

LARGEST_VERSION = (1 << 31) - 1

WRITTEN_IR_VERSION = 10
"""Of the models made here for engines, whatever the file's own: old enough for every engine, new
enough for everything that is kept (from 4 on, initialisers are no inputs)."""

LARGEST_FILE_BYTES = (1 << 31) - 1
"""Protobuf's own limit; larger networks keep their weights outside."""


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
        input_shapes: Whole shapes by input name, where the file leaves more than that open; they
            go before ``batch``.

    Raises:
        ModelFileError: The file cannot be used; the message says why and what to do.
        MachineError: No room for the weights.
    """
    try:
        graph = _graph_of(_parse(path), path.parent, batch, input_shapes or {})
        return network_of(graph, path.stem)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def network_of_model(model: ModelProto, weights: WeightFile, name: str) -> Network:
    """A network from a model made in memory, whose tensors came from ``weights``."""
    return network_of(graph_of(model, weights), name)


def _parse(path: Path) -> ModelProto:
    data = _content(path)
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError) as error:
        raise ModelFileError("this is no ONNX file, or a truncated one; export it again") from error
    if not model.graph.node or not model.opset_import:
        raise ModelFileError("this is no ONNX file: it has no nodes or names no operator set")
    check_text(model)
    return model


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelFileError("this is a folder; name the .onnx file")
        if not path.is_file():  # a device would never end
            raise ModelFileError("no such file")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ModelFileError("larger than 2 GB; export it with its weights as external data")
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise ModelFileError("the file is empty")
    return data


def _graph_of(
    model: ModelProto, folder: Path, batch: int | None, shapes: Mapping[str, Sequence[int]]
) -> OnnxGraph:
    opset = _check_opsets(model)
    _name_default_domain(model)
    weights = WeightFile()
    constants = initialisers(model.graph, weights, folder)
    model = inlined(model)
    inputs = [value for value in model.graph.input if value.name not in constants]
    outputs = [value.name for value in model.graph.output]
    if not outputs:
        raise ModelFileError("the graph returns nothing")
    check_unique((value.name for value in inputs), "input")
    check_unique(outputs, "output")
    fix_input_shapes(inputs, batch, shapes)
    nodes = rewrite_legacy(model.graph.node, opset)
    nodes = list(without_constant_nodes(nodes, constants, weights, folder))
    nodes = sorted_nodes(nodes, {value.name for value in inputs} | constants.keys())
    nodes = live_nodes(nodes, outputs)
    skeleton = ModelProto()
    skeleton.ir_version = WRITTEN_IR_VERSION
    skeleton.opset_import.extend(model.opset_import)
    check_nodes(nodes, skeleton)
    used = {name for node in nodes for name in reads(node)}.union(outputs)
    skeleton.graph.name = "counterpoint"
    skeleton.graph.node.extend(nodes)
    skeleton.graph.initializer.extend(t for name, t in constants.items() if name in used)
    skeleton.graph.input.extend(value for value in inputs if value.name in used)
    skeleton.graph.output.extend(_untied(model.graph.output))
    return graph_of(skeleton, weights)


def _check_opsets(model: ModelProto) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for domain, version in versions.items():
        if not 0 < version <= LARGEST_VERSION:
            raise ModelFileError(f"there is no operator set {domain!r} of version {version}")
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


def _name_default_domain(model: ModelProto) -> None:
    """One name for it, in place: ``ai.onnx`` becomes the empty one."""
    bodies = (model.graph.node, *(function.node for function in model.functions))
    nodes = (node for body in bodies for node in every_node(body))
    imports = (entry for held in (model, *model.functions) for entry in held.opset_import)
    for holder in (*nodes, *imports):
        if holder.domain == "ai.onnx":
            holder.domain = ""


def _untied(outputs: Sequence[ValueInfoProto]) -> Iterator[ValueInfoProto]:
    """Outputs without their declared shapes, which belong to the file's own batch size."""
    for value in outputs:
        free = ValueInfoProto(name=value.name)
        free.type.tensor_type.elem_type = value.type.tensor_type.elem_type
        yield free
