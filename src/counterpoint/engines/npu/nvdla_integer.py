"""NVDLA in int8: integer sums, and a multiplication and a shift where they become int8 again.

Source: nvdla.org, hardware architecture, "Precision preservation": between formats stands a
converter, ``y = saturate(round((x * scale) >> shift))`` with a signed 16-bit scale, here one for
each output channel and one shift for all. Halves are rounded away from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from counterpoint.engines.npu.nodes import Node
from counterpoint.engines.npu.windows import (
    Array,
    averaged,
    convolve,
    pool_window,
    reshaped,
    window_of,
)

SCALE_BITS = 15
"""Of a converter's scale, beside its sign."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Integers, and what a step of them stands for.

    Attributes:
        values: Any integers.
        scale: ``()``, or one for each channel (axis 1).
    """

    values: Integers
    scale: npt.NDArray[np.float64]

    def along(self, numbers: Array) -> Array:
        """Numbers of channels in a form that goes with :attr:`values`."""
        return numbers if not numbers.ndim else numbers.reshape(-1, *[1] * (self.values.ndim - 2))


Operation = Callable[[Node, Sequence[Scaled], tuple[int, ...]], Scaled]
"""A node, its inputs, and the shape of what it makes."""


def converted(tensor: Scaled, scale: float) -> npt.NDArray[np.int8]:
    """To int8 in steps of ``scale``, by a converter."""
    values = _multiplied(tensor, np.float64(scale), SCALE_BITS)
    return np.clip(values, -128, 127).astype(np.int8)


def _multiplied(tensor: Scaled, scale: np.float64, bits: int) -> Integers:
    """In steps of ``scale``: ``round(x * factor / 2**shift)`` with factors below ``2**bits``."""
    ratio = tensor.scale / scale
    shift = bits - 1 - int(np.floor(np.log2(ratio.max())))
    factor = np.rint(ratio * 2.0**shift).astype(np.int64)
    product = tensor.values * tensor.along(factor)
    if shift <= 0:
        return np.asarray(product << -shift)
    half = np.int64(1) << (shift - 1)
    return np.asarray(np.sign(product) * ((np.abs(product) + half) >> shift))


def _conv(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    tensor, weights = inputs[0], inputs[1]
    size = (weights.values.shape[2], weights.values.shape[3])
    window = window_of(node, size, (tensor.values.shape[2], tensor.values.shape[3]))
    sums = convolve(
        tensor.values, weights.values, window, node.integer("group", 1), np.float64
    ).astype(np.int64)
    return _with_bias(Scaled(sums, tensor.scale * weights.scale), inputs)


def _gemm(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    left, right = inputs[0], inputs[1]
    if node.integer("transA", 0) or node.number("alpha", 1) != 1 or node.number("beta", 1) != 1:
        raise ValueError(f"{node.name} is transposed or scaled")
    matrix = right.values.T if node.integer("transB", 0) else right.values
    sums = (left.values.astype(np.float64) @ matrix.astype(np.float64)).astype(np.int64)
    return _with_bias(Scaled(sums, left.scale * right.scale), inputs)


def _with_bias(sums: Scaled, inputs: Sequence[Scaled]) -> Scaled:
    if len(inputs) < 3:
        return sums
    exact = inputs[2].values * inputs[2].scale
    bias = np.rint(exact / sums.scale).astype(np.int64)
    return replace(sums, values=sums.values + sums.along(bias))


def _add(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    """Both operands go through a converter into common steps, fine enough for 16-bit scales."""
    largest = max(float(tensor.scale.max()) for tensor in inputs)
    scale = np.float64(largest / 2 ** (SCALE_BITS - 1))
    parts = [_multiplied(tensor, scale, SCALE_BITS) for tensor in inputs]
    return Scaled(np.asarray(sum(parts[1:], start=parts[0])), np.asarray(scale))


def _relu(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    return replace(inputs[0], values=np.maximum(inputs[0].values, 0))


def _clip(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    values = inputs[0].values
    for bound, choose in zip(inputs[1:3], (np.maximum, np.minimum), strict=False):
        limit = np.rint(bound.values * bound.scale / inputs[0].scale).astype(np.int64)
        values = choose(values, inputs[0].along(limit))
    return replace(inputs[0], values=values)


def _max_pool(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    values = inputs[0].values
    least = np.iinfo(np.int64).min
    return replace(inputs[0], values=pool_window(node, values).over(values, least).max(axis=(4, 5)))


def _average(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    total, count = averaged(node, inputs[0].values, np.int64)
    return Scaled(total, inputs[0].scale / count)


def _concat(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    first = inputs[0]
    if any((tensor.scale != first.scale).any() for tensor in inputs):
        raise ValueError(f"{node.name} joins tensors of unlike scales")
    values = [tensor.values for tensor in inputs]
    return replace(first, values=np.concatenate(values, axis=node.integer("axis", 1)))


def _reshape(node: Node, inputs: Sequence[Scaled], shape: tuple[int, ...]) -> Scaled:
    return replace(inputs[0], values=reshaped(node, inputs[0].values, shape))


OPERATIONS: Mapping[str, Operation] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "Add": _add,
    "Sum": _add,
    "Relu": _relu,
    "Clip": _clip,
    "MaxPool": _max_pool,
    "GlobalMaxPool": _max_pool,
    "AveragePool": _average,
    "GlobalAveragePool": _average,
    "Concat": _concat,
    **dict.fromkeys(
        ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Identity"), _reshape
    ),
}
"""What its published compiler has in int8, by ONNX's names."""
