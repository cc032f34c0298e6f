"""What one part of a split node reads: a span of some inputs, all of others, other attributes.

A split follows the axis backward from the layer's result: a part makes a span of that axis, and
each node says which span of which input it needs for it. Operators that compute every element out
of the elements in the same place are here; windows and products are in the modules of their axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from onnx import NodeProto

from counterpoint.network.graph import TensorSpec
from counterpoint.network.grouping import ACTIVATIONS, SCALES, SUMS

Specs = Mapping[str, TensorSpec]
Attribute = int | list[int] | None
"""A value that an attribute of the part has; ``None`` takes the attribute away."""

QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
ELEMENTWISE = ACTIVATIONS | SCALES | SUMS | QUANTISERS | {"Max", "Min", "Identity", "Dropout"}
CONVOLVED: Mapping[str, int] = {"Conv": 1, "QLinearConv": 3}
"""Convolutions and which of their inputs holds the weights."""
PER_CHANNEL = frozenset({"BatchNormalization"})


@dataclass(frozen=True, slots=True)
class Span:
    """Elements ``start`` to ``stop - 1`` of one axis of a tensor."""

    axis: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many elements of the axis."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Piece:
    """How a node makes a span of its output.

    Attributes:
        takes: For each input what of it is read; ``None``: all, whatever its shape.
        attributes: Those that the part has otherwise than the node.
    """

    takes: tuple[Span | None, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def elementwise_piece(node: NodeProto, specs: Specs, span: Span) -> Piece | str:
    """The piece of an operator that broadcasts its inputs, or why there is none.

    Args:
        node: Of an operator in :data:`ELEMENTWISE`.
        specs: Shapes of all tensors.
        span: Of its first output.
    """
    shape = shape_of(specs, node.output[0])
    takes: list[Span | None] = []
    for position, name in enumerate(node.input):
        if not name:
            takes.append(None)
            continue
        given = shape_of(specs, name)
        if not shape or given is None:
            return f"the shape of {name!r} is not known"
        if node.op_type in QUANTISERS and position > 0:
            if prod(given) != 1:
                return "it is quantised with a scale for each channel"
            takes.append(None)
            continue
        axis = span.axis - (len(shape) - len(given))
        if axis < 0 or given[axis] == 1:
            takes.append(None)  # the same for every part
        elif given[axis] == shape[span.axis]:
            takes.append(Span(axis, span.start, span.stop))
        else:
            return f"{name!r} does not fit its result"
    return Piece(tuple(takes))


def shape_of(specs: Specs, name: str) -> tuple[int, ...] | None:
    """A tensor's shape, where it is known."""
    spec = specs.get(name)
    return None if spec is None else spec.shape
