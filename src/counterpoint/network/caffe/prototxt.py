"""Reads a prototxt: a stranger's text, checked for size and depth before it is parsed.

Layers are parsed one by one, so that a field nobody here knows is refused only where the layer is
part of the network: training files carry many that do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.upgrade import upgraded

LARGEST_TEXT_BYTES = 4 << 20
"""The longest published file (ResNet-152) has 0.1 MB."""

DEEPEST_NESTING = 16
"""Caffe's own messages nest four deep."""

MOST_LAYERS = 10_000

MOST_BLOBS = 25_000
"""Read or made by all layers together."""

LONGEST_NAME = 500

# A string without its end is a token too: looking for it again from each quote would be quadratic.
_TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?|#[^\n]*|[{}<>]')
_BLOCK_NAME = re.compile(r"(?<!\w)(layers?)\s*:?\s*$")

AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(frozen=True, slots=True)
class LayerText:
    """A layer as it stands in the file.

    Attributes:
        layer: Upgraded to the newest form.
        complaint: What the file says in it that nobody here knows; ``None`` where all is known.
    """

    layer: pb.LayerParameter
    complaint: str | None


@dataclass(frozen=True, slots=True)
class NetText:
    """A network as it stands in the file: everything but the layers, and the layers."""

    head: pb.NetHead
    layers: tuple[LayerText, ...]


def read_prototxt(path: Path) -> NetText:
    """Reads a file.

    Raises:
        ModelFileError: It cannot be read, or is no network's text.
    """
    if path.is_dir():
        raise ModelFileError("this is a folder; name the .prototxt file")
    if not path.is_file():  # a device would never end
        raise ModelFileError("no such file")
    try:
        if path.stat().st_size > LARGEST_TEXT_BYTES:
            raise ModelFileError(
                f"larger than {LARGEST_TEXT_BYTES >> 20} MB; a prototxt holds no weights, "
                "give them as --weights"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot be read: {error.strerror}") from error
    if b"\0" in data:
        raise ModelFileError("this is no text; name the .prototxt file, and weights by --weights")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # comments in other encodings are common
    return parse_prototxt(text)


def parse_prototxt(text: str) -> NetText:
    """Parses the text of a network.

    Raises:
        ModelFileError: It is none; the message names the line.
    """
    head_text, blocks = _split(text)
    if len(blocks) > MOST_LAYERS:
        raise ModelFileError(f"more than {MOST_LAYERS} layers")
    head, complaint = _parsed(pb.NetHead(), head_text, 1)
    if complaint is not None:
        raise ModelFileError(complaint)
    layers = []
    for block in blocks:
        if block.name == "layers":
            old, complaint = _parsed(pb.V1LayerParameter(), block.body, block.line)
            layers += [LayerText(layer, complaint) for layer in upgraded(old)]
        else:
            layer, complaint = _parsed(pb.LayerParameter(), block.body, block.line)
            layers.append(LayerText(layer, complaint))
    if not layers:
        raise ModelFileError("this is no Caffe network: it has no layers")
    if sum(len(entry.layer.bottom) + len(entry.layer.top) for entry in layers) > MOST_BLOBS:
        raise ModelFileError(f"its layers read and make more than {MOST_BLOBS} blobs")
    for entry in layers:
        names = (entry.layer.name, entry.layer.type, *entry.layer.bottom, *entry.layer.top)
        _check_names(names)
    _check_names(head.input)
    return NetText(head, tuple(layers))


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not name.isprintable():  # it would break the lines of messages, or steer the terminal
            raise ModelFileError(f"a name holds control characters: {name[:40]!r}; rename it")
        if len(name) > LONGEST_NAME:
            raise ModelFileError(f"a name has {len(name)} characters: {name[:40]!r}...")


@dataclass(frozen=True, slots=True)
class _Block:
    """The inside of one ``layer { ... }``: its name, its text, and the line where that starts."""

    name: str
    body: str
    line: int


def _split(text: str) -> tuple[str, list[_Block]]:
    """The text without its layers, their lines left empty, and the layers.

    Raises:
        ModelFileError: Brackets nest too deep, or do not match.
    """
    head: list[str] = []
    blocks: list[_Block] = []
    depth = done = start = line = counted = 0
    name: str | None = None
    for token in _TOKENS.finditer(text):
        if token[0] in "{<":
            if depth == 0:
                found = _BLOCK_NAME.search(text, max(done, token.start() - 64), token.start())
                name = found[1] if found is not None else None
                if found is not None:
                    head.append(text[done : found.start()])
                    start = token.end()
            depth += 1
            if depth > DEEPEST_NESTING:
                raise ModelFileError(
                    f"line {text.count(chr(10), 0, token.start()) + 1}: nested deeper than "
                    f"{DEEPEST_NESTING}; this is no Caffe network"
                )
        elif token[0] in "}>":
            depth -= 1
            if depth < 0:
                raise ModelFileError(
                    f"line {text.count(chr(10), 0, token.start()) + 1}: a bracket too many"
                )
            if depth == 0 and name is not None:
                line += text.count("\n", counted, start)
                counted = start
                body = text[start : token.start()]
                blocks.append(_Block(name, body, line + 1))
                head.append("\n" * text.count("\n", start, token.end()))
                done, name = token.end(), None
    if depth:
        raise ModelFileError("ends inside a bracket; the file is truncated")
    head.append(text[done:])
    return "".join(head), blocks


def _parsed(message: AnyMessage, text: str, line: int) -> tuple[AnyMessage, str | None]:
    """The message, and the complaint where it has fields that nobody here knows.

    Raises:
        ModelFileError: It is broken even so.
    """
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        complaint = _complaint(error, line)
        message.Clear()
        if "has no field named" not in complaint:
            raise ModelFileError(complaint) from error
        try:
            text_format.Parse(text, message, allow_unknown_field=True)
        except (text_format.ParseError, RecursionError) as deeper:
            raise ModelFileError(complaint) from deeper
        return message, complaint
    except (RecursionError, ValueError) as error:
        raise ModelFileError(f"from line {line} on: no Caffe network ({error})") from error
    return message, None


def _complaint(error: text_format.ParseError, line: int) -> str:
    where = (error.GetLine() or 1) + line - 1
    reason = re.sub(r"^\d+:\d+ : ", "", " ".join(str(error).split()))
    reason = reason.replace("counterpoint.caffe.", "")[:200]
    shown = "".join(letter if letter.isprintable() else "?" for letter in reason)
    return f"line {where}: {shown}"
