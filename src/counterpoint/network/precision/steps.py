"""Scales and zero points, and weights and biases in int8."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.network.precision.ranges import TensorRange
from counterpoint.network.precision.scheme import Scheme

FloatArray = npt.NDArray[np.float32]

MOST_WEIGHT = 127
"""Weights are symmetric: -128 is not used, so that a product with -1 never overflows."""

MOST_BIAS = 2**30
"""A bias is an int32 beside a sum of products, which needs room as well."""

LEAST_SCALE = 2.0**-100
"""Values whose steps would be finer than this are zero for any arithmetic in float32."""


@dataclass(frozen=True, slots=True)
class Step:
    """How a tensor's values become integers: ``clip(round(x / scale) + zero_point)``.

    Attributes:
        scale: Distance of two neighbours; finite and positive.
        zero_point: The integer that stands for 0.
        dtype: ``uint8`` or ``int8``.
    """

    scale: float
    zero_point: int
    dtype: str

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest integer."""
        return (0, 255) if self.dtype == "uint8" else (-128, 127)


def activation_step(values: TensorRange, scheme: Scheme) -> Step:
    """The step of a tensor of activations.

    Zero is always among the values that are kept exactly: convolutions pad with it. Formulas:
    Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, equation 1 and section 3.
    """
    low, high = min(values.minimum, 0.0), max(values.maximum, 0.0)
    if scheme.clipping == "least_noise":
        low, high = min(values.low, 0.0), max(values.high, 0.0)
    if scheme.activations == "asymmetric":
        scale = _scale((high - low) / 255, scheme)
        return Step(scale, min(255, max(0, round(-low / scale))), "uint8")
    if scheme.activations == "symmetric" and values.minimum >= 0:
        return Step(_scale(high / 255, scheme), 0, "uint8")
    return Step(_scale(max(-low, high) / 127, scheme), 0, "int8")


def _scale(exact: float, scheme: Scheme) -> float:
    """The scale as float32 holds it; 1 for a tensor of nothing but zeros."""
    if exact < LEAST_SCALE:
        return 1.0
    if scheme.power_of_two:
        return 2.0 ** math.ceil(math.log2(exact))
    return float(np.float32(exact))


@dataclass(frozen=True, slots=True)
class Int8Weights:
    """Weights and bias of a layer.

    Attributes:
        values: int8, of the weights' shape.
        scale: float32, ``()`` for one of all, else ``(channels,)``.
        bias: int32 ``(channels,)`` in steps of ``bias_scale``; ``None`` where there is none.
        bias_scale: float32, of the shape of ``scale``: the product of the input's and the weights'.
    """

    values: npt.NDArray[np.int8]
    scale: FloatArray
    bias: npt.NDArray[np.int32] | None
    bias_scale: FloatArray


def int8_weights(
    weights: FloatArray, bias: FloatArray | None, axis: int, source: Step, scheme: Scheme
) -> Int8Weights:
    """Weights and bias in integers.

    Args:
        weights: Finite.
        bias: ``(channels,)``, finite.
        axis: Of the output channels in the weights.
        source: Of what the layer reads: the bias is added to products of both.
        scheme: How.
    """
    others = tuple(index for index in range(weights.ndim) if index != axis)
    exact = np.abs(weights).max(axis=others).astype(np.float64) / MOST_WEIGHT
    if bias is not None:
        # A dead channel has tiny weights and any bias; its bias must still fit an int32.
        exact = np.maximum(exact, np.abs(bias) / (source.scale * MOST_BIAS))
    if scheme.weights == "per_tensor":
        exact = exact.max()
    scale = np.vectorize(lambda value: _scale(float(value), scheme), otypes=[np.float32])(exact)
    along = [1] * weights.ndim
    if scale.ndim:
        along[axis] = -1
    whole = np.rint(weights / scale.reshape(along).astype(np.float64))
    values = np.clip(whole, -MOST_WEIGHT, MOST_WEIGHT).astype(np.int8)
    bias_scale = (np.float32(source.scale) * scale).astype(np.float32)
    steps = None
    if bias is not None:
        steps = np.rint(bias / bias_scale.astype(np.float64)).astype(np.int32)
    return Int8Weights(values, np.asarray(scale), steps, np.asarray(bias_scale))
