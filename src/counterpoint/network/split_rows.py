"""Rows of a node: which rows of its inputs some rows of its output need, and the padding left.

Rows are the first axis behind the channels (height of NCHW). A window of ``k`` elements at distance
``d`` reaches over ``e = d * (k - 1) + 1`` rows; output row ``o`` reads the input rows from
``o * stride - pad`` on (ONNX's operator definitions of Conv, MaxPool and AveragePool). So output
rows ``a`` to ``b - 1`` read input rows ``a * stride - pad`` to ``(b - 1) * stride - pad + e - 1``;
what of that lies outside the input is the padding of the part.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto

from counterpoint.network.onnx_graph import attribute_int, attribute_ints
from counterpoint.network.split_piece import (
    CONVOLVED,
    ELEMENTWISE,
    PER_CHANNEL,
    Attribute,
    Piece,
    Span,
    Specs,
    elementwise_piece,
    shape_of,
)

ROW_AXIS = 2
POOLS = frozenset({"MaxPool", "AveragePool"})
ROWWISE = frozenset({"LRN"})
"""Reach over channels, never over rows."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A node's window along one axis.

    Attributes:
        size: Of the input.
        count: Of the output: how many windows.
        reach: Elements from a window's first to its last.
        before: Padding in front.
        after: Padding behind, as the node declares it.
    """

    size: int
    count: int
    reach: int
    stride: int
    before: int
    after: int

    @property
    def overhang(self) -> int:
        """How far the last window ends behind the input; negative where it ends inside."""
        return (self.count - 1) * self.stride - self.before + self.reach - self.size

    @property
    def end(self) -> int:
        """Padding behind with which as many windows fit without rounding up."""
        return max(self.after, self.overhang)


def row_piece(node: NodeProto, specs: Specs, span: Span) -> Piece | str:
    """How a node makes some rows of its output, or why it cannot."""
    if node.op_type in ELEMENTWISE:
        return elementwise_piece(node, specs, span)
    if node.op_type in PER_CHANNEL or node.op_type in ROWWISE:
        return Piece((span, *(None for _ in node.input[1:])))
    if node.op_type not in CONVOLVED and node.op_type not in POOLS:
        return f"{node.op_type} is not computed row by row"
    windows = _windows(node, specs)
    if isinstance(windows, str):
        return windows
    rows, *others = windows
    start = span.start * rows.stride - rows.before
    stop = (span.stop - 1) * rows.stride - rows.before + rows.reach
    first, last = max(start, 0), min(stop, rows.size)
    pads = [
        *(first - start, *(window.before for window in others)),
        *(stop - last, *(window.end for window in others)),
    ]
    is_pool = node.op_type in POOLS
    reaches = [window.reach for window in windows] * 2
    if last <= first or (is_pool and any(p >= r for p, r in zip(pads, reaches, strict=True))):
        return "a part would read padding alone"
    attributes: dict[str, Attribute] = {"pads": pads, "auto_pad": None}
    if is_pool:
        attributes["ceil_mode"] = None
    takes = (Span(ROW_AXIS, first, last), *(None for _ in node.input[1:]))
    return Piece(takes, attributes)


def _windows(node: NodeProto, specs: Specs) -> list[_Window] | str:
    """The windows along the spatial axes, rows first, or why they are not known."""
    source, result = (shape_of(specs, name) for name in (node.input[0], node.output[0]))
    if source is None or result is None or len(source) < ROW_AXIS + 1:
        return "it has no rows of known number"
    rank = len(source) - ROW_AXIS
    kernel = attribute_ints(node, "kernel_shape")
    if kernel is None and node.op_type in CONVOLVED:
        kernel = list((shape_of(specs, node.input[CONVOLVED[node.op_type]]) or ())[ROW_AXIS:])
    strides = attribute_ints(node, "strides") or [1] * rank
    dilations = attribute_ints(node, "dilations") or [1] * rank
    pads = attribute_ints(node, "pads") or [0] * 2 * rank
    if kernel is None or {len(kernel), len(strides), len(dilations), len(pads) // 2} != {rank}:
        return "its window does not fit its input"
    auto_pad = next((a.s.decode() for a in node.attribute if a.name == "auto_pad"), "NOTSET")
    windows = []
    for axis in range(rank):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        size, count = source[ROW_AXIS + axis], result[ROW_AXIS + axis]
        total = max(0, (count - 1) * strides[axis] + reach - size)
        before, after = {
            "SAME_UPPER": (total // 2, total - total // 2),
            "SAME_LOWER": (total - total // 2, total // 2),
            "VALID": (0, 0),
        }.get(auto_pad, (pads[axis], pads[rank + axis]))
        if before < 0 or after < 0:
            return "its padding is negative"
        windows.append(_Window(size, count, reach, strides[axis], before, after))
    counts_padding = node.op_type == "AveragePool" and attribute_int(node, "count_include_pad", 0)
    if counts_padding and any(window.overhang > window.after for window in windows):
        return "it rounds up and averages over padding, which engines count in different ways"
    return windows
