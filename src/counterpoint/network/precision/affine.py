"""Folds what is linear by channel behind a product into its weights and bias.

Engines do so by themselves in float32; in QDQ form the operator would keep them from seeing a
quantised product.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from counterpoint.network.onnx_graph import OnnxGraph
from counterpoint.network.precision.product import Product
from counterpoint.network.precision.stored import stored_values

FOLDED = frozenset({"BatchNormalization", "Mul", "Div", "Add", "Sub"})

Float64Array = npt.NDArray[np.float64]


def folded(graph: OnnxGraph, node: NodeProto, product: Product) -> Product | None:
    """The product with the node behind it folded in; ``None`` where that cannot be done.

    Args:
        graph: Holds the node's constants.
        node: Reads the product's result.
        product: Before.
    """
    if node.op_type == "BatchNormalization":
        terms = _batch_norm(graph, node)
    else:
        terms = _arithmetic(graph, node, product)
    if terms is None or not product.takes_bias:
        return None
    factor, offset = (np.broadcast_to(term, (product.channels,)) for term in terms)
    along = [1] * product.weights.ndim
    along[product.axis] = -1
    before = np.zeros(product.channels) if product.bias is None else product.bias
    with np.errstate(all="ignore"):  # what is not finite is refused later, by name
        weights = product.weights.astype(np.float64) * factor.reshape(along)
        bias = before.astype(np.float64) * factor + offset
        return replace(product, weights=weights.astype(np.float32), bias=bias.astype(np.float32))


def _batch_norm(graph: OnnxGraph, node: NodeProto) -> tuple[Float64Array, Float64Array] | None:
    """``y = (x - mean) / sqrt(variance + epsilon) * scale + bias`` (ONNX, BatchNormalization)."""
    if len([name for name in node.output if name]) > 1:
        return None
    stored = [stored_values(graph, name) for name in node.input[1:5]]
    scale, bias, mean, variance = (None if v is None else v.astype(np.float64) for v in stored)
    if scale is None or bias is None or mean is None or variance is None:
        return None
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + epsilon)
        return factor, bias - mean * factor


def _arithmetic(
    graph: OnnxGraph, node: NodeProto, product: Product
) -> tuple[Float64Array, Float64Array] | None:
    """``y = x * a`` or ``x + a`` and their inverses, for ``a`` constant by channel."""
    stored = [stored_values(graph, name) for name in node.input]
    if len(stored) != 2 or (stored[0] is None) == (stored[1] is None):
        return None
    left = stored[0] is not None
    values = stored[0] if left else stored[1]
    if values is None or values.dtype != np.float32 or (left and node.op_type in ("Div", "Sub")):
        return None
    operand = values.astype(np.float64)
    if operand.size == 1:
        operand = operand.reshape(1)
    elif operand.size != product.channels or _channel_axis(operand) != product.channel_axis:
        return None
    flat = operand.reshape(-1)
    one, zero = np.ones(1), np.zeros(1)
    if node.op_type == "Mul":
        return flat, zero
    if node.op_type == "Div":
        with np.errstate(all="ignore"):
            return 1 / flat, zero
    return one, flat if node.op_type == "Add" else -flat


def _channel_axis(operand: Float64Array) -> int:
    """The one axis that is not 1 long, counted from the end; 0 where there are several."""
    long = [axis - operand.ndim for axis, size in enumerate(operand.shape) if size > 1]
    return long[0] if len(long) == 1 else 0
