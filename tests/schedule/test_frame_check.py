from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from counterpoint.errors import FrameError
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.schedule.frame_check import FrameCheck
from tests.fake_engine import fake_network

SHAPE = (1, 3, 224, 224)
ONE = FrameCheck(fake_network([["data"]], inputs=["data"], shape=SHAPE))
TWO = FrameCheck(fake_network([["a", "b"]], inputs=["a", "b"], shape=(2,)))
GOOD = np.zeros(SHAPE, np.float32)


def network_of(spec: TensorSpec) -> Network:
    whole = fake_network([["data"]], inputs=["data"])
    return Network(whole.name, (spec,), whole.outputs, (), {}, "", whole.source)


def test_good_arrays_are_taken_as_they_are() -> None:
    (array,) = ONE.inputs({"data": GOOD})
    assert array is GOOD


def test_order_is_the_network_s() -> None:
    a, b = np.zeros(2, np.float32), np.ones(2, np.float32)
    assert [id(array) for array in TWO.inputs({"b": b, "a": a})] == [id(a), id(b)]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"data": np.zeros((1, 3, 227, 227), np.uint8)},
            "input 'data' is 1x3x227x227 uint8, network wants 1x3x224x224 float32",
        ),
        (
            {"data": GOOD.astype(np.float64)},
            "input 'data' is 1x3x224x224 float64, network wants 1x3x224x224 float32",
        ),
        (
            {"data": GOOD.astype(">f4")},
            "input 'data' is 1x3x224x224 >f4, network wants 1x3x224x224 float32",
        ),
        ({"data": np.float32(1)}, "input 'data' is a float32, network wants 1x3x224x224 float32"),
        ({"data": [1.0]}, "input 'data' is a list, network wants 1x3x224x224 float32"),
        ({"data": np.array(1, np.float32)}, "input 'data' is scalar float32"),
        ({}, "missing input 'data'; the network has 'data'"),
        ({"image": GOOD}, "missing input 'data', unknown input 'image'; the network has 'data'"),
        ({"data": GOOD, "image": GOOD}, "unknown input 'image'; the network has 'data'"),
        (GOOD, "inputs are a ndarray, the network wants a mapping of names to arrays, for 'data'"),
        (None, "inputs are a NoneType"),
    ],
)
def test_names_the_fault(inputs: object, message: str) -> None:
    with pytest.raises(FrameError, match=re.escape(message)):
        ONE.inputs(inputs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(150528, dtype=np.float32).reshape(1, 224, 224, 3).transpose(0, 3, 1, 2),
        np.zeros((1, 3, 224, 448), np.float32)[..., ::2],
        np.asfortranarray(np.random.default_rng(1).random(SHAPE, np.float32)),
    ],
)
def test_other_strides_are_made_contiguous(array: np.ndarray[Any, Any]) -> None:
    assert not array.flags.c_contiguous
    (made,) = ONE.inputs({"data": array})
    assert made.flags.c_contiguous
    assert np.array_equal(made, array)


def test_other_mappings_and_arrays() -> None:
    (array,) = ONE.inputs(OrderedDict(data=GOOD.view(np.recarray)))
    assert type(array) is np.ndarray


def test_single_input_needs_no_name() -> None:
    (array,) = ONE.only_input(GOOD)
    assert array is GOOD
    with pytest.raises(FrameError, match="2 inputs: give arrays by name, for 'a', 'b'"):
        TWO.only_input(GOOD)


def test_bfloat16_and_scalars() -> None:
    check = FrameCheck(network_of(TensorSpec("data", "bfloat16", ())))
    (array,) = check.inputs({"data": np.array(1, ml_dtypes.bfloat16)})
    assert array.shape == ()
    with pytest.raises(FrameError, match="network wants scalar bfloat16"):
        check.inputs({"data": np.array(1, np.float16)})


def test_shape_that_nobody_knows() -> None:
    check = FrameCheck(network_of(TensorSpec("data", "int8", None)))
    assert check.inputs({"data": np.zeros((7, 1), np.int8)})[0].shape == (7, 1)


def test_outputs_by_name() -> None:
    check = FrameCheck(fake_network([["x"], ["x"]]))
    first, second = np.zeros(1), np.ones(1)
    assert check.select(None, [first, second]) == [first, second]
    assert check.select([], [first, second]) == [first, second]
    assert check.select(["t1", "t1"], [first, second]) == [second, second]
    with pytest.raises(FrameError, match="no output 'prob', 'x'; it has 't0', 't1'"):
        check.check_names(["prob", "t0", "x"])
