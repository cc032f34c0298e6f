"""Multiply-adds of a node.

Additions of biases, activations and pooling count nothing, as in the tables of the literature (one
multiply-add is what Xu et al., NPC 2019, call a flop).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from onnx import NodeProto

from counterpoint.network.graph import TensorSpec

CONVOLUTIONS: Mapping[str, int] = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1}
"""Operators and which of their inputs holds the weights, ``(out, in / groups, *kernel)``."""

MATRIX_PRODUCTS: Mapping[str, int] = {
    "MatMul": 1,
    "MatMulInteger": 1,
    "QLinearMatMul": 3,
    "Gemm": 1,
    "QGemm": 3,
}
"""Operators and which of their inputs is the right-hand matrix."""


def macs(node: NodeProto, specs: Mapping[str, TensorSpec]) -> int:
    """Multiply-adds of one run; 0 for other operators, or where a shape is not known.

    A convolution makes each output element out of ``in / groups * prod(kernel)`` products; a
    transposed one scatters each input element into ``out / groups * prod(kernel)``.
    """
    operator = node.op_type
    if operator in CONVOLUTIONS:
        weights = _shape(specs, node.input[CONVOLUTIONS[operator]])
        output = _shape(specs, node.output[0])
        return prod(output) * prod(weights[1:]) if weights and output else 0
    if operator == "ConvTranspose":
        weights = _shape(specs, node.input[1])
        source = _shape(specs, node.input[0])
        return prod(source) * prod(weights[1:]) if weights and source else 0
    if operator in MATRIX_PRODUCTS:
        output = _shape(specs, node.output[0])
        left = _shape(specs, node.input[0])
        if not output or not left:
            return 0
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return prod(output) * (left[0] if transposed else left[-1])
    return 0


def _shape(specs: Mapping[str, TensorSpec], name: str) -> tuple[int, ...]:
    spec = specs.get(name)
    return spec.shape if spec is not None and spec.shape is not None else ()
