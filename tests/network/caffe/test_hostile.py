"""Files from strangers: each gives one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe import read_caffe
from counterpoint.network.caffe.caffemodel import read_caffemodel
from counterpoint.network.caffe.prototxt import parse_prototxt
from counterpoint.network.caffe.schema import caffe_pb2 as pb

HEAD = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
CONV = (
    'layer { name: "c" type: "Convolution" bottom: "data" top: "c"\n'
    "  convolution_param { num_output: 4 kernel_size: 3 } }\n"
)


def refused(folder: Path, text: str, weights: bytes | None = None) -> str:
    """The one line that reading gives."""
    path = folder / "net.prototxt"
    path.write_text(text, encoding="utf-8")
    model = None
    if weights is not None:
        model = folder / "net.caffemodel"
        model.write_bytes(weights)
    with pytest.raises(ModelFileError) as caught:
        read_caffe(path, model, batch=None, input_shapes=None, seed=None if model else 0)
    message = str(caught.value)
    assert "\n" not in message
    assert "net." in message
    return message


def weights_of(**blobs: tuple[tuple[int, ...], bytes]) -> bytes:
    net = pb.NetWeights()
    layer = net.layer.add(name="c")
    for shape, data in blobs.values():
        blob = layer.blobs.add()
        blob.shape.dim.extend(shape)
        blob.data.append(data)
    serialised: bytes = net.SerializeToString()
    return serialised


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no layers"),
        ("layer {", "truncated"),
        ("layer { } }", "a bracket too many"),
        ("a { " * 100_000, "nested deeper"),
        ('layer { x: "' + '\\"' * 300_000, "truncated"),
        (HEAD + 'layer { name: "x" type: "Warp" bottom: "data" top: "x" }', "known: AbsVal"),
        (HEAD + CONV.replace("kernel_size", "kernel_sice"), 'no field named "kernel_sice"'),
        (HEAD + CONV.replace("kernel_size: 3", "kernel_size: 9"), "larger than its input"),
        (HEAD + CONV.replace("kernel_size: 3", "kernel_size: 0"), "must be 1 or more"),
        (HEAD + CONV.replace('"data"', '"date"'), "which no layer makes"),
        (HEAD + CONV.replace('bottom: "data"', 'bottom: "c"'), "without a cycle"),
        (HEAD + CONV.replace("num_output: 4", "num_output: 4000000000"), "seeded weights above"),
        (HEAD.replace("input_dim: 8", "input_dim: 4000000") + CONV, "tensor"),
        (HEAD.replace("input_dim: 8", "input_dim: -1") + CONV, "leaves dimensions open"),
        (HEAD + CONV.replace('name: "c"', 'name: "c\\n"'), "control characters"),
        (HEAD + CONV + CONV, "made twice"),
        (CONV, "no input"),
        ('input: "data"' + CONV, "does not say the shape"),
        (HEAD + CONV.replace("} }", "} include { phase: TRAIN } }"), "nothing to compute"),
    ],
)
def test_bad_text_gives_one_line(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_missing_weights_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(HEAD + CONV, encoding="utf-8")
    with pytest.raises(ModelFileError, match="--weights"):
        read_caffe(path, None, batch=None, input_shapes=None, seed=None)


def test_bad_weights_give_one_line(tmp_path: Path) -> None:
    kernel = np.zeros((4, 3, 3, 3), np.float32).tobytes()
    bias = np.zeros(4, np.float32).tobytes()
    whole = weights_of(a=((4, 3, 3, 3), kernel), b=((4,), bias))
    cases = [
        (b"", "no layer in it has weights"),
        (b"\xff" * 1000, "no caffemodel"),
        (whole[: len(whole) // 2], "truncated"),
        (weights_of(a=((4, 3, 3, 3), kernel)), "needs 2 or more"),
        (weights_of(a=((4, 3, 3, 3), kernel[:-4]), b=((4,), bias)), "has 107"),
        (weights_of(a=((4, 3, 3, 3), kernel[:-1]), b=((4,), bias)), "inside a number"),
        (weights_of(a=((4, 3, 5, 5), kernel), b=((4,), bias)), "4x3x5x5 in the weights"),
        (weights_of(a=((1 << 40, 1 << 40), b""), b=((4,), bias)), "different networks"),
        (weights_of(a=((-4, 3, 3, 3), kernel), b=((4,), bias)), "absurd shape"),
    ]
    for data, says in cases:
        assert says in refused(tmp_path, HEAD + CONV, data)


def test_declared_sizes_take_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    tracemalloc.start()
    refused(tmp_path, HEAD + CONV.replace("num_output: 4", "num_output: 4000000000"))
    refused(
        tmp_path,
        HEAD + CONV.replace("num_output: 4", "num_output: 400000"),
        weights_of(a=((400_000, 3, 3, 3), b"")),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


WORDS = st.sampled_from(
    [
        *("layer", "layers", "{", "}", "<", ">", ":", '"', "'", "#", "\n", "\\", "-1", "0", "3"),
        *("name", "type", "bottom", "top", '"data"', '"c"', '"Convolution"', '"Pooling"', "input"),
        *("input_dim", "convolution_param", "num_output", "kernel_size", "1e999", "nan", "TEST"),
        *("pooling_param", "CONVOLUTION", "include", "phase", "99999999999999999999", '"Reshape"'),
        *("reshape_param", "shape", "dim", '"Concat"', '"Eltwise"', '"BatchNorm"', '"Slice"'),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60))
def test_random_words_are_a_network_or_refused(words: list[str]) -> None:
    try:
        parse_prototxt(" ".join(words))
    except ModelFileError as error:
        assert "\n" not in str(error)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 600), st.binary(max_size=6), st.integers(0, 600))
def test_damaged_weights_are_read_or_refused(
    tmp_path: Path, at: int, bytes_in: bytes, cut: int
) -> None:
    kernel = np.ones((4, 3, 3, 3), np.float32).tobytes()
    bias = np.zeros(4, np.float32).tobytes()
    data = bytearray(weights_of(a=((4, 3, 3, 3), kernel), b=((4,), bias)))
    data[at : at + len(bytes_in)] = bytes_in
    weights = tmp_path / "net.caffemodel"
    weights.write_bytes(bytes(data[: max(1, len(data) - cut)]))
    prototxt = tmp_path / "net.prototxt"
    prototxt.write_text(HEAD + CONV, encoding="utf-8")
    try:
        read_caffe(prototxt, weights, batch=None, input_shapes=None, seed=None)
    except ModelFileError as error:
        assert "\n" not in str(error)


def test_numbers_that_were_not_packed_are_read(tmp_path: Path) -> None:
    loose = pb.LooseBlob(data=[1.0, 2.0, 3.0])
    field = loose.DESCRIPTOR.fields_by_name["data"].number
    unpacked = b"".join(
        bytes([field << 3 | 5]) + np.float32(value).tobytes() for value in loose.data
    )
    blob = bytes([7 << 3 | 2, 3, 1 << 3 | 2, 1, 3]) + unpacked  # shape { dim: 3 }
    layer = bytes([1 << 3 | 2, 1]) + b"c" + bytes([7 << 3 | 2, len(blob)]) + blob
    path = tmp_path / "net.caffemodel"
    path.write_bytes(bytes([100 << 3 & 0x7F | 0x80 | 2, 100 << 3 >> 7, len(layer)]) + layer)
    assert read_caffemodel(path).values("c", 0).tolist() == [1.0, 2.0, 3.0]
