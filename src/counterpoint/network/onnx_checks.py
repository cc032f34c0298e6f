"""What an ONNX file is refused for before anything in it is believed.

A file that protobuf can parse may still hold names that are no text, operators that do not exist,
nodes with too few inputs, and tensors that point at somebody else's files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.onnx_cpp2py_export.checker import CheckerContext

from counterpoint.errors import ModelFileError
from counterpoint.network.weights import is_inline

NAME_FIELDS = frozenset({"name", "input", "output", "op_type", "domain"})

CONTROL_CHARACTERS = frozenset(map(chr, (*range(32), 127)))
"""In a name they would break the lines of messages and tables, or steer the terminal."""


def check_text(model: ModelProto) -> None:
    """Every string is UTF-8, and names are without control characters.

    Protobuf does not check this for ONNX's schema, and hands out bytes where it is not so.

    Raises:
        ModelFileError: One is not.
    """
    pending: list[Any] = [model]
    while pending:
        for field, value in pending.pop().ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                pending += [value] if isinstance(value, Message) else value
            elif field.type == FieldDescriptor.TYPE_STRING:
                for text in [value] if isinstance(value, str | bytes) else value:
                    _check_string(field.name, text)


def _check_string(field: str, text: str | bytes) -> None:
    if isinstance(text, bytes):
        raise ModelFileError(f"a {field} is no text: {text[:40]!r}; the file is damaged")
    if field in NAME_FIELDS and not CONTROL_CHARACTERS.isdisjoint(text):
        raise ModelFileError(f"a {field} holds control characters: {text[:40]!r}; rename it")


def check_unique(names: Iterable[str], what: str) -> None:
    """No name stands twice.

    Raises:
        ModelFileError: One does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelFileError(f"{what} {name!r} is there twice")
        seen.add(name)


def check_nodes(nodes: Iterable[NodeProto], model: ModelProto) -> None:
    """Every node of a standard operator is one by that operator's definition.

    Args:
        nodes: What to check.
        model: Whose operator sets count.

    Raises:
        ModelFileError: An operator that the operator set does not have, a wrong number of inputs
            or outputs, a wrong attribute, or a tensor that neither initialiser nor Constant node
            holds and whose values lie in another file.
    """
    context = CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {entry.domain: entry.version for entry in model.opset_import}
    for node in every_node(nodes):
        check_unique((name for name in node.output if name), "tensor")
        for tensor in _held_tensors(node):
            if not is_inline(tensor):
                raise ModelFileError(
                    f"node {node.name or node.op_type!r} holds a tensor with external data; "
                    "only initialisers of the main graph may have them"
                )
        if any(_graphs(attribute) for attribute in node.attribute):
            continue  # the checker wants to know every name outside; engines check these
        try:
            onnx.checker.check_node(node, context)
        except onnx.checker.ValidationError as error:
            reason = " ".join(str(error).split("\n\n")[0].split())
            raise ModelFileError(f"node {node.name or node.op_type!r}: {reason}") from error


def every_node(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes and those of their sub-graphs, to any depth."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                pending += graph.node


def _graphs(attribute: AttributeProto) -> list[GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _held_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in _graphs(attribute):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
