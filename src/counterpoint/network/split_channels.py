"""Channels of a node: which channels of its inputs and weights some of its output channels need.

Channels are axis 1: of NCHW, and of the result of a matrix product.
"""

from __future__ import annotations

from math import prod

from onnx import NodeProto

from counterpoint.network.onnx_graph import attribute_int
from counterpoint.network.split_piece import (
    CONVOLVED,
    ELEMENTWISE,
    PER_CHANNEL,
    Piece,
    Span,
    Specs,
    elementwise_piece,
    shape_of,
)

CHANNEL_AXIS = 1
POOLS = frozenset({"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})
PRODUCTS = frozenset({"Gemm", "MatMul"})


def channel_piece(node: NodeProto, specs: Specs, span: Span) -> Piece | str:
    """How a node makes some channels of its output, or why it cannot."""
    if node.op_type in ELEMENTWISE:
        return elementwise_piece(node, specs, span)
    if node.op_type in POOLS:
        return Piece((span, *(None for _ in node.input[1:])))
    if node.op_type in PER_CHANNEL:
        return Piece((span, *(Span(0, span.start, span.stop) for _ in node.input[1:])))
    if node.op_type in CONVOLVED:
        return _of_convolution(node, specs, span)
    if node.op_type in PRODUCTS:
        return _of_product(node, specs, span)
    return f"{node.op_type} is not computed channel by channel"


def channels_at_once(node: NodeProto, specs: Specs) -> int:
    """Output channels that stay together: those of a group of a grouped convolution."""
    if node.op_type not in CONVOLVED:
        return 1
    groups = attribute_int(node, "group", 1)
    channels = (shape_of(specs, node.output[0]) or (0, 0))[CHANNEL_AXIS]
    return channels // groups if groups > 1 else 1


def _of_convolution(node: NodeProto, specs: Specs, span: Span) -> Piece | str:
    own = Span(0, span.start, span.stop)  # weights are (out, in / groups, *kernel), biases (out,)
    parameters = tuple(
        own if prod(shape_of(specs, name) or ()) > 1 else None for name in node.input[1:]
    )
    groups = attribute_int(node, "group", 1)
    if groups <= 1:
        return Piece((None, *parameters))
    weights = shape_of(specs, node.input[CONVOLVED[node.op_type]])
    together = channels_at_once(node, specs)
    if not weights or not together or span.start % together or span.stop % together:
        return "a part would have a piece of a group"
    first, last = span.start // together, span.stop // together
    source = Span(CHANNEL_AXIS, first * weights[1], last * weights[1])
    return Piece((source, *parameters), {"group": last - first})


def _of_product(node: NodeProto, specs: Specs, span: Span) -> Piece | str:
    result, right = shape_of(specs, node.output[0]), shape_of(specs, node.input[1])
    if result is None or right is None or len(result) != 2 or len(right) != 2:
        return "it is no product of two matrices"
    transposed = attribute_int(node, "transB", 0) if node.op_type == "Gemm" else 0
    takes: list[Span | None] = [None, Span(0 if transposed else 1, span.start, span.stop)]
    if len(node.input) > 2:
        bias = shape_of(specs, node.input[2]) if node.input[2] else ()
        if bias is None:
            return f"the shape of {node.input[2]!r} is not known"
        whole = not bias or bias[-1] == 1
        takes.append(None if whole else Span(len(bias) - 1, span.start, span.stop))
    return Piece(tuple(takes))
