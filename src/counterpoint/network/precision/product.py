"""Weights and bias of a convolution or matrix product."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto

from counterpoint.network.onnx_graph import OnnxGraph, attribute_int
from counterpoint.network.precision.steps import FloatArray
from counterpoint.network.precision.stored import stored_values

PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})


@dataclass(frozen=True, slots=True)
class Product:
    """``x * weights + bias``.

    Attributes:
        weights: As the node reads them.
        bias: ``(channels,)``; ``None`` where there is none.
        axis: Of the output channels in the weights.
        channel_axis: Of the channels in the result, counted from its end.
        takes_bias: There is an operator that adds one.
    """

    weights: FloatArray
    bias: FloatArray | None
    axis: int
    channel_axis: int
    takes_bias: bool = True

    @property
    def channels(self) -> int:
        """Output channels."""
        return int(self.weights.shape[self.axis])

    @property
    def is_finite(self) -> bool:
        """All weights and biases are."""
        arrays = (self.weights, self.weights if self.bias is None else self.bias)
        return all(bool(np.isfinite(array).all()) for array in arrays)


def product_of(graph: OnnxGraph, node: NodeProto, constant: Collection[str]) -> Product | str:
    """The product that a node computes, or why it has no int8 form."""
    operator = node.op_type
    if operator not in PRODUCTS:
        return f"no engine here runs {operator} in int8"
    if node.input[0] in constant or node.input[1] not in constant:
        return f"{operator} does not multiply what it is given with weights"
    weights = stored_values(graph, node.input[1])
    if weights is None:
        return "its weights are computed by nodes; fold them first"
    if weights.dtype != np.float32 or not weights.size:
        return f"its weights are {weights.dtype}, not float32"
    axis, rank = 0, weights.ndim
    if operator == "Gemm":
        factors = {a.name: a.f for a in node.attribute if a.name in ("alpha", "beta")}
        if attribute_int(node, "transA", 0) or set(factors.values()) - {1.0}:
            return "Gemm of this form (transA, alpha, beta) has no int8 form"
        axis = 0 if attribute_int(node, "transB", 0) else 1
    elif operator == "MatMul":
        if rank != 2:
            return f"MatMul with weights of {rank} dimensions has no int8 form"
        axis = 1
    channel_axis = -(rank - 1) if operator == "Conv" else -1
    bias: FloatArray | None = None
    if operator != "MatMul" and len(node.input) > 2 and node.input[2]:
        values = stored_values(graph, node.input[2])
        if values is None or values.dtype != np.float32 or values.size != weights.shape[axis]:
            return "its bias is not one stored number for each channel"
        bias = values.reshape(-1).astype(np.float32)
    source = graph.specs[node.input[0]].shape
    takes_bias = operator != "MatMul" or (source is not None and len(source) == 2)
    return Product(weights.astype(np.float32), bias, axis, channel_axis, takes_bias)
