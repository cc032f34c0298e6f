"""Writes an ONNX file with its weights inside, one tensor after the other.

Protobuf would hold all values several times over to write them at once: three to four times the
file's size. Here the model's bytes are put together as protobuf's wire format has them: a field is
its tag, its length and its content, and a message is its fields in any order.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import Message
from onnx import GraphProto, ModelProto, TensorProto

from counterpoint.network.external_data import read_external
from counterpoint.network.weights import is_inline, tensor_bytes

_LENGTH_DELIMITED = 2
"""Wire type of bytes and messages (protobuf's encoding guide, "Message Structure")."""


def write_with_weights(model: ModelProto, folder: Path, file: BinaryIO) -> None:
    """Writes the model with the values of all its initialisers, in their order.

    Args:
        model: Its large initialisers are references into files of ``folder``; it stays as it is.
        folder: Of these files.
        file: Where to.

    Raises:
        ModelFileError: A reference leads nowhere.
    """
    graph, rest = GraphProto(), ModelProto()
    graph.CopyFrom(model.graph)
    del graph.initializer[:]
    rest.CopyFrom(model)
    rest.ClearField("graph")
    nodes = graph.SerializeToString()
    heads = [_head(tensor) for tensor in model.graph.initializer]
    values = [
        0 if is_inline(tensor) else tensor_bytes(tensor) for tensor in model.graph.initializer
    ]
    size = len(nodes) + sum(map(len, heads)) + sum(values)
    file.write(rest.SerializeToString() + _opening(ModelProto, "graph", size) + nodes)
    for tensor, head, size in zip(model.graph.initializer, heads, values, strict=True):
        file.write(head)
        if size:
            with read_external(tensor, folder, size) as data:
                file.write(data)


def _head(tensor: TensorProto) -> bytes:
    """The tensor as a field of the graph, up to the values that are not in it."""
    if is_inline(tensor):
        content, values = tensor.SerializeToString(), 0
    else:
        bare, values = TensorProto(), tensor_bytes(tensor)
        bare.CopyFrom(tensor)
        bare.ClearField("external_data")
        bare.ClearField("data_location")
        content = bare.SerializeToString() + _opening(TensorProto, "raw_data", values)
    head: bytes = _opening(GraphProto, "initializer", len(content) + values) + content
    return head


def _opening(message: type[Message], field: str, size: int) -> bytes:
    """Tag and length of a field of ``size`` bytes."""
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(size)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*parts, number))
