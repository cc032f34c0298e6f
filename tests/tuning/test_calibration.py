"""Ranges of real values: measured on frames, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto

from counterpoint.errors import FrameError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.tuning.calibration import calibrate, warnings
from counterpoint.tuning.histogram import BINS, LEVELS, NORM, Histogram
from tests.engine_runs import random_frame
from tests.network.split_runs import network_in_memory
from tests.onnx_models import kernel, model

W = kernel(8, 8)


def network_of(body: str, **constants: Any) -> Network:
    made: ModelProto = model(body, inputs="float[1,8,6,6] x", w=W, **constants)
    return network_in_memory(made)


class Steps:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.done = 0

    def begin(self, title: str, total: int) -> None:
        self.stages.append((title, total))

    def step(self, done: str) -> None:
        self.done += 1


def test_ends_are_those_of_all_frames() -> None:
    network = network_of(
        "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Conv<pads=[1,1,1,1]>(b, w)"
    )
    frames = [random_frame(network, scale, seed) for seed, scale in enumerate((1.0, 3.0, 0.2))]
    steps = Steps()
    ranges = calibrate(network, frames, progress=steps)
    assert steps.stages == [("calibration: ranges", 3), ("calibration: histograms", 3)]
    assert steps.done == 6
    assert ranges.frames == 3
    assert set(ranges.tensors) == {"x", "b", "y"}
    values = np.concatenate([frame["x"].ravel() for frame in frames])
    assert ranges.tensors["x"].minimum == float(values.min())
    assert ranges.tensors["x"].maximum == float(values.max())
    assert ranges.tensors["b"].minimum == 0
    assert calibrate(network, frames) == ranges
    assert calibrate(network, frames[1:2]).tensors["x"].maximum == ranges.tensors["x"].maximum
    assert calibrate(network, frames[2:]).tensors["x"].maximum < ranges.tensors["x"].maximum


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(bad: float) -> None:
    network = network_of("a = Conv<pads=[1,1,1,1]>(x, w) y = Sigmoid(a)")
    frames = [random_frame(network, 1.0, seed) for seed in range(2)]
    frames[1]["x"][0, 3, 2, 2] = bad
    with pytest.raises(
        UserInputError, match="input 'x' of model is not finite on calibration frame 2"
    ):
        calibrate(network, frames)
    network = network_of("l = Log(x) y = Conv<pads=[1,1,1,1]>(l, w)")
    with pytest.raises(UserInputError, match="tensor 'l' of layer 'Log0' of model is not finite"):
        calibrate(network, [{"x": np.zeros((1, 8, 6, 6), np.float32)}])


def test_a_layer_that_is_always_the_same_is_told() -> None:
    network = network_of(
        "a = Conv<pads=[1,1,1,1]>(x, w, b) c = Relu(a) y = Conv(c, w)",
        b=np.full(8, -1e3, np.float32),
    )
    ranges = calibrate(network, [random_frame(network)])
    assert ranges.constant == ("c", "y")
    assert warnings(network, ranges)[0] == (
        "tensor 'c' of layer 'Conv0' has the value 0 everywhere, on all of 1 calibration frames: "
        "are they blank, or is the layer dead?"
    )


def test_frames_that_do_not_fit() -> None:
    network = network_of("y = Conv(x, w)")
    good = random_frame(network)
    with pytest.raises(UserInputError, match="there is no calibration frame"):
        calibrate(network, [])
    with pytest.raises(FrameError, match="calibration frame 2 has no input 'x'"):
        calibrate(network, [good, {"data": good["x"]}])
    with pytest.raises(FrameError, match=r"frame 1: input 'x' is float32 \(1, 8, 5, 6\)"):
        calibrate(network, [{"x": good["x"][:, :, 1:]}])
    with pytest.raises(FrameError, match="float64"):
        calibrate(network, [{"x": good["x"].astype(np.float64)}])


def error_of(values: Any, low: float, high: float) -> float:
    """What values lose when so many levels between the ends hold them; zeros lose nothing."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (LEVELS - 1)
    zero = np.rint(-low / scale)
    whole = np.clip(np.rint(values / scale) + zero, 0, LEVELS - 1)
    return float((np.abs((whole - zero) * scale - values) ** NORM).sum())


@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "laplace", "relu", "outlier", "away"]))
def test_no_other_part_of_the_range_does_much_better(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, 20_000)
    if kind == "laplace":
        values = random.laplace(0, 1, 20_000)
    elif kind == "relu":
        values = np.maximum(values, 0)
    elif kind == "outlier":
        values[0] = 40
    elif kind == "away":
        values = values + 20
    low, high = float(values.min()), float(values.max())
    histogram = Histogram(low, high)
    histogram.add(values.astype(np.float32))
    found = histogram.least_error()
    assert low <= found[0] <= found[1] <= high
    best = min(
        error_of(values, min(low, 0) * part, max(high, 0) * part)
        for part in np.linspace(1, 0.2, 33)
    )
    # bins stand for the values in them
    assert error_of(values, *found) <= 1.05 * best + len(values) * ((high - low) / BINS) ** NORM


def test_a_histogram_of_nothing_and_of_one_value() -> None:
    for low, high in ((0.0, 0.0), (3.0, 3.0)):
        histogram = Histogram(low, high)
        histogram.add(np.full(10, low, np.float32))
        assert histogram.least_error() == (low, high)
    histogram = Histogram(0.0, 1.0)
    histogram.add(np.zeros(10, np.float32))
    assert histogram.least_error() == (0.0, 1.0)
