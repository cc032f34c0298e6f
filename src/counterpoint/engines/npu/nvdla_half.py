"""NVDLA in fp16: operands of 16 bits, sums of 32, one rounding where a layer ends.

Source: nvdla.org, hardware architecture, "Precision": the multipliers take fp16, the accumulator
and the post-processor (bias, normalisation, residual, activation) keep more, and what goes to
memory is rounded to fp16. Sums here are float32. The tables by which the hardware approximates
sigmoid, tanh and local response normalisation are the user's to fill: they are exact here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from counterpoint.engines.npu.nodes import Node
from counterpoint.engines.npu.windows import (
    Array,
    averaged,
    convolve,
    pool_window,
    reshaped,
    window_of,
)

Operation = Callable[[Node, Sequence[Array], tuple[int, ...]], Array]
"""A node, its inputs in float32, and the shape of what it makes."""


def rounded(tensor: Array) -> Array:
    """As fp16 holds it, in float32; beyond 65504 it is infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(tensor, np.float32).astype(np.float16).astype(np.float32)


def _conv(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    tensor, weights = inputs[0], rounded(inputs[1])
    size = (weights.shape[2], weights.shape[3])
    window = window_of(node, size, (tensor.shape[2], tensor.shape[3]))
    made = convolve(tensor, weights, window, node.integer("group", 1), np.float32)
    return made if len(inputs) < 3 else made + rounded(inputs[2])[:, None, None]


def _gemm(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    left, right = inputs[0], rounded(inputs[1])
    left = left.T if node.integer("transA", 0) else left
    right = right.T if node.integer("transB", 0) else right
    made = (left @ right) * np.float32(node.number("alpha", 1.0))
    if len(inputs) < 3:
        return np.asarray(made)
    return np.asarray(made + rounded(inputs[2]) * np.float32(node.number("beta", 1.0)))


def _batch_norm(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    scale, bias, mean, variance = (values.astype(np.float64) for values in inputs[1:5])
    factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
    along = (-1, *[1] * (inputs[0].ndim - 2))
    offset = rounded(bias - mean * factor).reshape(along)
    return np.asarray(inputs[0] * rounded(factor).reshape(along) + offset)


def _clip(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    low = inputs[1] if len(inputs) > 1 else np.float32(node.number("min", -np.inf))
    high = inputs[2] if len(inputs) > 2 else np.float32(node.number("max", np.inf))
    return np.asarray(np.minimum(np.maximum(inputs[0], low), high))


def _lrn(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """``x / (bias + alpha / size * sum of squares over the channels around)**beta`` (ONNX, LRN)."""
    size = node.integer("size", 1)
    squares = np.pad(inputs[0] ** 2, ((0, 0), ((size - 1) // 2, size // 2), (0, 0), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(squares, size, axis=1).sum(axis=-1)
    base = node.number("bias", 1.0) + node.number("alpha", 1e-4) / size * around
    return np.asarray(inputs[0] / base ** np.float32(node.number("beta", 0.75)))


def _average(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    total, count = averaged(node, inputs[0], np.float32)
    return np.asarray(total / np.float32(count))


def _max_pool(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    return np.asarray(pool_window(node, inputs[0]).over(inputs[0], -np.inf).max(axis=(4, 5)))


def _leaky(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    slope = inputs[1] if len(inputs) > 1 else np.asarray(node.number("alpha", 0.01))
    return np.where(inputs[0] >= 0, inputs[0], inputs[0] * rounded(slope))


def _reshape(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    return reshaped(node, inputs[0], shape)


def _sum(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    return np.asarray(sum(inputs[1:], start=inputs[0]))


def _concat(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    return np.concatenate(inputs, axis=node.integer("axis", 1))


def _dequantised(node: Node, inputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    zero = inputs[2] if len(inputs) > 2 else np.zeros((), np.float32)
    along = [1] * inputs[0].ndim
    if inputs[1].size > 1:
        along[node.integer("axis", 1)] = -1
    return np.asarray((inputs[0] - zero.reshape(along)) * inputs[1].reshape(along))


def quantised(
    lowest: int, highest: int, node: Node, inputs: Sequence[Array], shape: tuple[int, ...]
) -> Array:
    """QuantizeLinear, by the converter on the way out; to the nearest, halves to the even one."""
    steps = np.rint(inputs[0] / inputs[1]) + inputs[2]
    return np.asarray(np.clip(steps, lowest, highest))


OPERATIONS: Mapping[str, Operation] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "BatchNormalization": _batch_norm,
    "Relu": lambda node, inputs, shape: np.maximum(inputs[0], 0),
    "Clip": _clip,
    "PRelu": _leaky,
    "LeakyRelu": _leaky,
    "Add": _sum,
    "Sum": _sum,
    "Mul": lambda node, inputs, shape: inputs[0] * inputs[1],
    "Min": lambda node, inputs, shape: np.minimum.reduce(list(inputs)),
    "Max": lambda node, inputs, shape: np.maximum.reduce(list(inputs)),
    "Sigmoid": lambda node, inputs, shape: 1 / (1 + np.exp(-inputs[0])),
    "Tanh": lambda node, inputs, shape: np.tanh(inputs[0]),
    "LRN": _lrn,
    "MaxPool": _max_pool,
    "GlobalMaxPool": _max_pool,
    "AveragePool": _average,
    "GlobalAveragePool": _average,
    "Concat": _concat,
    "DequantizeLinear": _dequantised,
    **dict.fromkeys(
        ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Identity"), _reshape
    ),
}
"""What its published compiler has in fp16, by ONNX's names."""
