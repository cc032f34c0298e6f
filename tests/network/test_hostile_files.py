"""Files from strangers: damaged, random, or built to hurt. Refused in one line, or read."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from counterpoint.errors import MachineError, ModelFileError
from counterpoint.network.loading import load
from tests.onnx_models import kernel, model, saved
from tests.shared_data import FOLDER

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

VICTIMS = (
    LIGHT / "light_squeezenet.onnx",
    LIGHT / "light_shufflenet.onnx",
    FOLDER / "models/mnist/mnist-8.onnx",
    FOLDER / "models/mlperf_tiny/ks_quantized_int8.onnx",
    FOLDER / "models/misc/superresolution_needs_extension_ops.onnx",
)

MEMORY_LIMIT_BYTES = 3 << 30


@cache
def victims() -> tuple[bytes, ...]:
    """Small real files, and one with sub-graphs and functions."""
    tricky = model(
        "a = local.f(x) s = Shape(a) y = If(c)<"
        "then_branch = t () => (float[1,4,6,6] o) { o = Add(a, w) },"
        "else_branch = e () => (float[1,4,6,6] p) { q = Reshape(a, s)  p = local.f(q) }>",
        inputs="float[N,4,6,6] x, bool c",
        imports={"local": 1},
        functions='<domain: "local", opset_import: ["" : 17]> f (v) => (r) '
        "{ s = Sigmoid(v) r = Mul(v, s) }",
        w=kernel(1, 4, 6),
    )
    return (tricky.SerializeToString(), *(path.read_bytes() for path in VICTIMS if path.exists()))


def read(data: bytes) -> None:
    """Reads a file of those bytes; anything but success or one clear line fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "victim.onnx"
        path.write_bytes(data)
        try:
            load(path)
        except (ModelFileError, MachineError) as error:
            line = str(error)
            assert line.startswith(f"{path}: ")
            assert len(line.splitlines()) == 1, line
            assert line.isprintable(), line


def test_truncated_at_many_places() -> None:
    for data in victims():
        for end in {0, 1, 2, 3, len(data) - 1, *(len(data) * part // 60 for part in range(1, 60))}:
            read(data[:end])


def test_text_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for text in ("", "hello\n", '{"nodes": []}', "x" * 100_000, "\n" * 50, "GIF89a", "PK\x03\x04"):
        path.write_text(text)
        with pytest.raises(ModelFileError, match=r"no ONNX file|is empty"):
            load(path)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    read(data)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1),
)
def test_flipped_bits(victim: int, flips: Sequence[tuple[float, int]]) -> None:
    files = victims()
    data = bytearray(files[victim % len(files)])
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    read(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.integers(0), st.integers(), st.sampled_from([1, 1, 2, 4, 10]))
def test_well_formed_nonsense(victim: int, seed: int, mutations: int) -> None:
    files = victims()
    made = ModelProto()
    made.ParseFromString(files[victim % len(files)])
    random = Random(seed)
    for _ in range(mutations):
        mutate(made, random)
    read(made.SerializeToString())


def messages(root: Message) -> Iterator[Any]:
    """The message and all messages in it."""
    yield root
    for field, value in root.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                yield from messages(inner)


def mutate(made: ModelProto, random: Random) -> None:
    """Changes, drops or doubles one field somewhere, so that protobuf does not mind."""
    everything = list(messages(made))
    target = random.choice(everything)
    field = random.choice([field for field, _ in target.ListFields()] or target.DESCRIPTOR.fields)
    value = getattr(target, field.name)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        same = [other for other in everything if other.DESCRIPTOR is field.message_type]
        other = type(random.choice(same))() if same else None
        if other is None or random.random() < 0.3:
            target.ClearField(field.name)
            return
        other.CopyFrom(random.choice(same))  # a copy first: it may hold the target
        place = value if isinstance(value, Message) else random.choice([*value, value.add()])
        place.CopyFrom(other)
        return
    names = [node.op_type for node in made.graph.node] + [
        name for node in made.graph.node for name in node.output
    ]
    fresh = {
        FieldDescriptor.TYPE_STRING: random.choice([*names, "", "ai.onnx", "com.microsoft"]),
        FieldDescriptor.TYPE_BYTES: random.randbytes(random.choice([0, 1, 8, 100])),
        FieldDescriptor.TYPE_FLOAT: random.choice([0.0, -1.0, 1e30, float("nan"), float("inf")]),
        FieldDescriptor.TYPE_DOUBLE: float("nan"),
        FieldDescriptor.TYPE_ENUM: random.choice([0, 1, 2, 7, 10]),
        FieldDescriptor.TYPE_INT32: random.choice([0, -1, 1, 16, 2**31 - 1, -(2**31)]),
        FieldDescriptor.TYPE_UINT64: random.choice([0, 1, 2**64 - 1]),
    }.get(field.type, random.choice([0, -1, 1, 3, 10**12, 2**63 - 1, -(2**63)]))
    if isinstance(value, str | bytes | int | float):
        setattr(target, field.name, fresh)
    elif value and random.random() < 0.7:
        value[random.randrange(len(value))] = fresh
    else:
        value.append(fresh)


def constant_sizes(operator: str) -> ModelProto:
    """A tensor of 1e12 elements by an operator that fills one, and something that reads it."""
    bodies = {
        "ConstantOfShape": "k = ConstantOfShape(s)",
        "Expand": "k = Expand(one, s)",
        "Tile": "k = Tile(one, s)",
        "Range": "k = Range(none, many, one)",
    }
    made = model(
        bodies[operator] + " f = Cast<to=1>(k) m = ReduceSum<keepdims=0>(x) y = Add(f, m)",
        s=np.array([10**12], np.int64),
        one=np.array([1] if operator != "Range" else 1, np.int64),
        none=np.array(0, np.int64),
        many=np.array(10**12, np.int64),
    )
    if operator == "ConstantOfShape":
        value = numpy_helper.from_array(np.array([1], np.int64))
        made.graph.node[0].attribute.append(helper.make_attribute("value", value))
    return made


def declared(dims: Sequence[int], **data: Any) -> ModelProto:
    """A weight that says it is large."""
    made = model("y = Add(x, w)")
    tensor = made.graph.initializer.add()
    tensor.name, tensor.data_type = "w", TensorProto.FLOAT
    tensor.dims.extend(dims)
    for field, value in data.items():
        if field == "raw_data":
            tensor.raw_data = value
        else:
            getattr(tensor, field).extend(value)
    return made


BOMBS = {
    **{operator: constant_sizes(operator) for operator in ("ConstantOfShape", "Expand", "Tile")},
    "Range": constant_sizes("Range"),
    "declared without data": declared([10**6, 10**6]),
    "declared with raw data": declared([10**6, 10**6], raw_data=b"1234"),
    "declared with typed data": declared([10**6, 10**6], float_data=[1.0]),
    "declared beyond 64 bits": declared([2**62, 2**62], float_data=[1.0]),
    "input": model("y = Relu(x)", inputs="float[1000000,1000000] x"),
    "long input": model("k = Cast<to=7>(x) y = Cast<to=1>(k)", inputs="float[2000000000] x"),
    "padding": model("y = Pad(x, p)", p=np.array([0] * 7 + [2**40], np.int64)),
}

CHILD = """
import sys
from pathlib import Path
from counterpoint import load
from counterpoint.errors import ModelFileError
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    try:
        load(path)
    except ModelFileError as error:
        print(f"{path.stem}\\t{error}")
    else:
        print(f"{path.stem}\\tread")
"""


def test_nothing_is_allocated_on_a_declared_size(tmp_path: Path) -> None:
    """A process that may have 3 GB reads or refuses files that ask for terabytes."""
    for name, made in BOMBS.items():
        saved(made, tmp_path, name)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES)
        ),
    )
    assert done.returncode == 0, done.stderr
    told = dict(line.split("\t") for line in done.stdout.splitlines())
    assert told.keys() == BOMBS.keys()
    assert {name for name, line in told.items() if line == "read"} <= {"long input"}
    for name in ("ConstantOfShape", "Expand", "Tile", "Range", "input"):
        assert "no machine has that room" in told[name]


def test_deep_chains_in_any_order(tmp_path: Path) -> None:
    """Deeper than Python's stack."""
    count = 5000
    nodes = [
        helper.make_node("Relu", ["x" if i == 0 else f"t{i - 1}"], [f"t{i}"]) for i in range(count)
    ]
    for order in (nodes, nodes[::-1]):
        made = model("y = Relu(x)", outputs=f"float t{count - 1}")
        del made.graph.node[:]
        made.graph.node.extend(order)
        assert len(load(saved(made, tmp_path)).layers) == count


def test_constants_that_every_layer_would_compute_again(tmp_path: Path) -> None:
    count = 1100
    nodes = [
        helper.make_node("Neg", ["w" if i == 0 else f"c{i - 1}"], [f"c{i}"]) for i in range(count)
    ]
    nodes += [
        helper.make_node("Add", ["x" if i == 0 else f"t{i - 1}", f"c{count - 1}"], [f"t{i}"])
        for i in range(count)
    ]
    made = model("y = Relu(x)", outputs=f"float t{count - 1}", w=kernel(1, 4, 6).repeat(4, 0))
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    with pytest.raises(ModelFileError, match="too many nodes"):
        load(saved(made, tmp_path))
