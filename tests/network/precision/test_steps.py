"""Scales, zero points and int8 weights against loops over single numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.network.precision.ranges import Ranges, TensorRange
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.precision.steps import (
    MOST_BIAS,
    Step,
    activation_step,
    int8_weights,
)

SCHEMES = [
    Scheme(activations=activations, clipping="min_max", power_of_two=power_of_two)
    for activations in ("asymmetric", "symmetric", "signed")
    for power_of_two in (False, True)
]
FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


def kept(value: float, step: Step) -> float:
    """The value after int8 and back, number by number."""
    low, high = step.bounds
    whole = round(Fraction(value) / Fraction(step.scale)) + step.zero_point
    return (min(high, max(low, whole)) - step.zero_point) * step.scale


@given(FINITE, FINITE, st.sampled_from(SCHEMES), st.floats(0, 1))
def test_what_lies_in_the_range_is_off_by_little(
    one: float, other: float, scheme: Scheme, where: float
) -> None:
    low, high = min(one, other), max(one, other)
    step = activation_step(TensorRange(low, high, low, high), scheme)
    least, most = step.bounds
    assert least <= step.zero_point <= most
    assert kept(0.0, step) == 0.0
    # The zero point is rounded as well, so the end of an asymmetric range may lie half a step out.
    value = low + (high - low) * where
    assert abs(kept(value, step) - value) <= 1.001 * step.scale
    if scheme.power_of_two:
        assert math.frexp(step.scale)[0] == 0.5


@pytest.mark.parametrize(
    ("activations", "low", "high", "expected"),
    [
        ("asymmetric", -1.0, 1.55, Step(0.01, 100, "uint8")),
        ("asymmetric", 0.5, 2.55, Step(0.01, 0, "uint8")),
        ("asymmetric", -2.55, -1.0, Step(0.01, 255, "uint8")),
        ("symmetric", 0.0, 2.55, Step(0.01, 0, "uint8")),
        ("symmetric", -1.27, 0.3, Step(0.01, 0, "int8")),
        ("signed", 0.0, 1.27, Step(0.01, 0, "int8")),
        ("signed", 0.0, 0.0, Step(1.0, 0, "int8")),
    ],
)
def test_steps_by_hand(activations: Any, low: float, high: float, expected: Step) -> None:
    scheme = Scheme(activations=activations)
    step = activation_step(TensorRange(low, high, low, high), scheme)
    assert (step.zero_point, step.dtype) == (expected.zero_point, expected.dtype)
    assert step.scale == pytest.approx(expected.scale, rel=1e-6)


def test_clipping_is_the_schemes_to_choose() -> None:
    values = TensorRange(-10.0, 100.0, -1.0, 2.55)
    assert activation_step(values, Scheme(clipping="min_max")).scale == pytest.approx(110 / 255)
    assert activation_step(values, Scheme()).scale == pytest.approx(3.55 / 255)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1]), st.booleans(), st.booleans())
def test_weights_against_loops(seed: int, axis: int, per_channel: bool, power_of_two: bool) -> None:
    random = np.random.default_rng(seed)
    weights = (
        random.standard_normal((3, 3, 2)) * random.choice([1e-3, 1.0, 50.0], (3, 3, 1))
    ).astype(np.float32)
    bias = (random.standard_normal(3) * 10).astype(np.float32)
    source = Step(0.02, 3, "uint8")
    scheme = Scheme(
        weights="per_channel" if per_channel else "per_tensor", power_of_two=power_of_two
    )
    made = int8_weights(weights, bias, axis, source, scheme)
    assert made.scale.shape == ((3,) if per_channel else ())
    assert np.abs(made.values).max() <= 127
    for place in np.ndindex(*weights.shape):
        scale = float(made.scale[place[axis]] if per_channel else made.scale)
        exact = float(weights[place])
        assert abs(int(made.values[place]) * scale - exact) <= 0.50001 * scale
        if power_of_two:
            assert math.frexp(scale)[0] == 0.5
    assert made.bias is not None
    for channel in range(3):
        step = float(made.bias_scale[channel] if per_channel else made.bias_scale)
        assert abs(int(made.bias[channel]) * step - float(bias[channel])) <= 0.501 * step


def test_the_bias_of_a_dead_channel_fits() -> None:
    weights = np.zeros((2, 1, 1, 1), np.float32)
    weights[0] = 1.0
    bias = np.array([0.5, 1e6], np.float32)
    made = int8_weights(weights, bias, 0, Step(1e-6, 0, "uint8"), Scheme())
    assert made.bias is not None
    assert np.abs(made.bias.astype(np.int64)).max() <= MOST_BIAS
    assert made.bias * made.bias_scale.astype(np.float64) == pytest.approx(bias, rel=1e-5)
    assert made.values.reshape(-1).tolist() == [127, 0]


@pytest.mark.parametrize(
    "values", [(1.0, 0.0, 0.0, 1.0), (0.0, 1.0, -1.0, 1.0), (0.0, 1.0, 0.8, 0.2), (0.0, 1e39, 0, 1)]
)
def test_ranges_that_are_none(values: tuple[float, float, float, float]) -> None:
    minimum, maximum, low, high = values
    with pytest.raises(ValueError, match=r"a range is not within|<= maximum does not hold"):
        TensorRange(minimum, maximum, low, high)


def test_the_digest_follows_the_values() -> None:
    ranges = Ranges(2, {"a": TensorRange(0.0, 1.0, 0.0, 1.0), "b": TensorRange(0.0, 2.0, 0.0, 1.0)})
    other = Ranges(2, {name: ranges.tensors[name] for name in ("b", "a")})
    assert ranges.digest() == other.digest()
    assert ranges.digest() != ranges.only(["a"]).digest()
    assert ranges.only(["a", "c"]).tensors.keys() == {"a"}


def test_a_scheme_knows_its_words() -> None:
    with pytest.raises(ValueError, match="'int4' is none of per_channel, per_tensor"):
        Scheme(weights="int4")  # type: ignore[arg-type]
