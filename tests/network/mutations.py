"""Damages model files: their bytes, their words, and the fields of their messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.prototxt import parse_prototxt
from counterpoint.network.caffe.registry import known_types
from counterpoint.network.caffe.schema import caffe_pb2 as pb

CAFFE, DARKNET = ".prototxt", ".cfg"
WEIGHTS = {CAFFE: ".caffemodel", DARKNET: ".weights"}

INTEGERS = (0, 1, 2, 3, 4, 5, 7, 16, 255, 1000, 65536, 10**6, 2**24, 2**31 - 1)
BEYOND = (-1, -2, -(2**31), 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**64, 10**30)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-30, 1e30, -1e30, 3e38, 1e-45)
STRANGE = (float("nan"), float("inf"), float("-inf"))
WORDS = ("a", "b", "c", "x", "y", "data", "label", "", "é\u2028", "x" * 300, "\\n", "\\033[2J", "/")
KEYS = (
    *("activation", "batch", "batch_normalize", "channels", "classes", "dilation", "extra"),
    *("filters", "flatten", "from", "group_id", "groups", "height", "layers", "output", "pad"),
    *("padding", "reverse", "scale", "size", "stride", "tree", "width"),
)
ACTIVATIONS = ("leaky", "linear", "logistic", "mish", "relu", "swish", "tanh", "elu", "warp")
SECTIONS = (
    *("avgpool", "connected", "conv", "cost", "dropout", "maxpool", "net", "region", "reorg"),
    *("route", "shortcut", "softmax", "upsample", "warp", "yolo"),
)

LONGEST_TEXT = 100_000

_TOKENS = re.compile(rb'"[^"\n]*"|[-+.\w]+|\s+|.', re.DOTALL)
_NUMBER = re.compile(rb"[-+]?\.?\d[\w.+-]*")


@dataclass(frozen=True, slots=True)
class Case:
    """What is loaded: a file, perhaps its weights, and how.

    Attributes:
        suffix: Of the architecture's file: :data:`CAFFE` or :data:`DARKNET`.
        text: The architecture.
        weights: ``None``: seeded ones.
        batch: Images in a frame.
        shape: Asked for the input ``data``.
        keep_batchnorm: Do not fold.
    """

    suffix: str
    text: bytes
    weights: bytes | None = None
    batch: int | None = None
    shape: tuple[int, ...] | None = None
    keep_batchnorm: bool = False


def mutated(case: Case, others: Sequence[Case], random: Random) -> Case:
    """The case with some damage; parts may come from the others."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 10))):
        if len(case.text) > LONGEST_TEXT:
            break
        if case.weights is not None and random.random() < 0.4:
            case = replace(case, weights=_weights(case, random))
        elif random.random() < 0.03:
            case = _asked(case, random)
        else:
            other = random.choice(others)
            case = replace(case, text=_text(case, other.text, random))
    return case


def _asked(case: Case, random: Random) -> Case:
    sizes = tuple(_integer(random) for _ in range(random.randrange(6)))
    return replace(
        case,
        batch=random.choice((None, 1, 2, 3, 2**31, 2**40)),
        shape=random.choice((None, (1, 4, 8, 8), sizes)),
        keep_batchnorm=random.random() < 0.5,
    )


def _text(case: Case, other: bytes, random: Random) -> bytes:
    chance = random.random()
    if chance < 0.1:
        return _bytes(case.text, random)
    if case.suffix == DARKNET:
        change: Callable[..., bytes] = _sections if chance < 0.6 else _tokens
    else:
        change = _fields if chance < 0.6 else _tokens
    return change(case.text, other, random)


def _bytes(data: bytes, random: Random) -> bytes:
    """Flips, removes, repeats or inserts some bytes."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((1, 2, 4, 8, 30, 200)))
    part = data[start:end]
    inserted = {
        "flip": bytes(byte ^ 1 << random.randrange(8) for byte in part[:1]) + part[1:],
        "remove": b"",
        "repeat": part * random.choice((2, 3, 50)),
        "insert": random.randbytes(random.choice((1, 4, 9))) + part,
        "fill": random.choice((b"\0", b"\xff", b"\x7f")) * len(part),
    }
    return data[:start] + random.choice(list(inserted.values())) + data[end:]


def _tokens(text: bytes, other: bytes, random: Random) -> bytes:
    """Replaces, removes, repeats or swaps words."""
    tokens = _TOKENS.findall(text) or [b""]
    at = random.randrange(len(tokens))
    chance = random.random()
    if chance < 0.45:
        numbers = [i for i, token in enumerate(tokens) if _NUMBER.fullmatch(token)]
        at = random.choice(numbers or [at])
        tokens[at] = _number_text(random)
    elif chance < 0.65:
        tokens[at] = random.choice(_TOKENS.findall(other) or [b""])
    elif chance < 0.75:
        del tokens[at : at + random.choice((1, 1, 2, 5, 20))]
    elif chance < 0.85:
        end = at + random.choice((1, 2, 5, 20, 60))
        tokens[at:at] = tokens[at:end] * random.choice((1, 1, 2, 20, 300))
    elif chance < 0.95:
        near = random.randrange(len(tokens))
        tokens[at], tokens[near] = tokens[near], tokens[at]
    else:
        tokens[at] = random.choice((b"{ ", b"}", b"<", b">", b"[", b"'", b"#", b":", b"\n")) * (
            random.choice((1, 1, 20, 3000))
        )
    return b"".join(tokens)


def _number_text(random: Random) -> bytes:
    if random.random() < 0.7:
        return str(_integer(random)).encode()
    special = random.choice((*FLOATS, *STRANGE, "1e999", "0x10", "010", "1_0", "9" * 5000, "٣"))
    return str(special).encode()


def _sections(text: bytes, other: bytes, random: Random) -> bytes:
    """Lines of a cfg: changed, moved, or taken from another."""
    lines = text.splitlines() or [b""]
    at = random.randrange(len(lines))
    chance = random.random()
    if chance < 0.5:
        value = random.choice((str(_integer(random)), random.choice(ACTIVATIONS)))
        lines.insert(at + 1, f"{random.choice(KEYS)}={value}".encode())
    elif chance < 0.65:
        lines.insert(at, f"[{random.choice(SECTIONS)}]".encode())
    elif chance < 0.8:
        lines.insert(at, random.choice(other.splitlines() or [b""]))
    elif chance < 0.9:
        layers = ",".join(str(random.randrange(-6, 6)) for _ in range(random.choice((1, 2, 9))))
        lines[at:at] = [b"[route]", f"layers={layers}".encode()]
    else:
        end = at + random.randrange(1, 9)
        lines[end:end] = lines[at:end] * random.choice((1, 2, 100, 900))
    return b"\n".join(lines)


def _fields(text: bytes, other: bytes, random: Random) -> bytes:
    """Changes one field of the message; a text that is none loses some words instead."""
    try:
        net = parse_prototxt(text.decode("utf-8", "replace"))
        more = parse_prototxt(other.decode("utf-8", "replace"))
    except ModelFileError:
        return _tokens(text, other, random)
    layers = [entry.layer for entry in net.layers]
    head = net.head
    chance = random.random()
    if chance < 0.1:
        layers.insert(
            random.randrange(len(layers) + 1), random.choice([entry.layer for entry in more.layers])
        )
    elif chance < 0.15:
        head.CopyFrom(more.head)
    elif chance < 0.2:
        random.shuffle(layers)
    else:
        names = [name for layer in layers for name in (*layer.bottom, *layer.top)]
        _change(random.choice([head, *layers, *layers, *layers]), random, [*names, *known_types()])
    parts = [text_format.MessageToString(head)]
    parts += [f"layer {{\n{text_format.MessageToString(layer)}}}\n" for layer in layers]
    return "".join(parts).encode("utf-8", "surrogateescape")


def _weights(case: Case, random: Random) -> bytes:
    data = case.weights or b""
    if case.suffix == CAFFE and random.random() < 0.6:
        net = pb.NetWeights()
        try:
            net.ParseFromString(data)
        except DecodeError:
            return _bytes(data, random)
        _change(net, random, [layer.name for layer in net.layer])
        changed: bytes = net.SerializeToString()
        return changed
    if random.random() < 0.3:
        at = random.randrange(len(data) // 4 + 1) * 4
        value = np.array(random.choice((*FLOATS, *STRANGE)), "<f4").tobytes()
        return data[:at] + value + data[at + 4 :]
    return _bytes(data, random)


def _messages(root: Message) -> Iterator[Any]:
    yield root
    for field, value in root.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _messages(inner)


def _change(root: Message, random: Random, names: Sequence[str]) -> None:
    """Sets, clears, lengthens or shortens one field of the message or of one within."""
    target = random.choice(list(_messages(root)))
    present = [field for field, _ in target.ListFields()]
    fields = target.DESCRIPTOR.fields if random.random() < 0.4 or not present else present
    field = random.choice(list(fields))
    value = getattr(target, field.name)
    if random.random() < 0.1:
        target.ClearField(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        if isinstance(value, Message):
            value.SetInParent()
        elif value and random.random() < 0.7:
            copies = random.choice((1, 1, 2, 200))
            value.extend([random.choice(list(value))] * copies)
        else:
            value.add()
    elif isinstance(value, bytes | str | int | float):
        setattr(target, field.name, _value(field, random, names))
    elif value and random.random() < 0.6:
        value[random.randrange(len(value))] = _value(field, random, names)
    elif value and random.random() < 0.3:
        del value[random.randrange(len(value))]
    else:
        value.extend([_value(field, random, names)] * random.choice((1, 1, 1, 2, 4, 40, 3000)))


def _value(field: FieldDescriptor, random: Random, names: Sequence[str]) -> Any:
    kinds = FieldDescriptor
    if field.type == kinds.TYPE_ENUM:
        return random.choice([value.number for value in field.enum_type.values])
    if field.type == kinds.TYPE_BOOL:
        return random.random() < 0.5
    if field.type == kinds.TYPE_STRING:
        return random.choice((*names, *names, *WORDS))
    if field.type == kinds.TYPE_BYTES:
        return random.randbytes(random.choice((0, 1, 4, 8, 144)))
    if field.type in (kinds.TYPE_FLOAT, kinds.TYPE_DOUBLE):
        return random.choice((*FLOATS, *FLOATS, *STRANGE))
    lowest, highest = {
        kinds.TYPE_INT32: (-(2**31), 2**31 - 1),
        kinds.TYPE_UINT32: (0, 2**32 - 1),
    }.get(field.type, (-(2**63), 2**63 - 1))
    return min(max(_integer(random), lowest), highest)


def _integer(random: Random) -> int:
    return random.choice(INTEGERS if random.random() < 0.75 else BEYOND)
