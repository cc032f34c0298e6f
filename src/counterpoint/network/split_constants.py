"""Pieces of constants, without a copy where the piece is in one place of the weight file."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from counterpoint.network.onnx_graph import OnnxGraph, attribute_int
from counterpoint.network.split_piece import Span
from counterpoint.network.weights import SUB_BYTE_BITS, is_inline, tensor_bytes

SLICE_BY_INPUTS = 10
"""From this version of the operator set on Slice takes its bounds as inputs."""


class ConstantSlicer:
    """Makes pieces of a graph's constants, each once.

    Attributes:
        constants: Those made so far.
        nodes: What computes those that are not stored, in run order.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.constants: list[TensorProto] = []
        self.nodes: list[NodeProto] = []
        self._graph = graph
        self._producers = graph.producers()
        self._made: set[str] = set()

    def sliced(self, name: str, span: Span) -> str:
        """Name of the constant that is that span of another one.

        Rows of a matrix, and output channels of convolution weights, lie together, so the piece
        refers to a part of the same bytes. Others are left to a Slice node, which engines compute
        when they compile. Of weights that a DequantizeLinear makes the int8 values are cut, so
        that engines still recognise its form.
        """
        piece = f"{name}/{span.axis}.{span.start}.{span.stop}"
        if piece in self._made:
            return piece
        self._made.add(piece)
        stored = self._graph.constants.get(name)
        maker = self._producers.get(name)
        if stored is not None and is_inline(stored):
            values = numpy_helper.to_array(stored)
            window = [slice(None)] * values.ndim
            window[span.axis] = slice(span.start, span.stop)
            self.constants.append(numpy_helper.from_array(values[tuple(window)].copy(), piece))
        elif stored is not None and _lies_together(stored, span):
            self.constants.append(_reference(stored, span, piece))
        elif maker is not None and self._cut_before(self._graph.nodes[maker], span, piece):
            pass
        else:
            self.nodes.append(self.slice_node(name, span, piece))
        return piece

    def slice_node(self, name: str, span: Span, output: str) -> NodeProto:
        """A Slice node, whose bounds join :attr:`constants`; its name is its output's."""
        bounds = {"starts": [span.start], "ends": [span.stop], "axes": [span.axis]}
        if self._graph.opsets.get("", SLICE_BY_INPUTS) < SLICE_BY_INPUTS:
            return helper.make_node("Slice", [name], [output], output, **bounds)  # type: ignore[arg-type]
        self.constants += [
            numpy_helper.from_array(np.array(value, np.int64), f"{output}/{key}")
            for key, value in bounds.items()
        ]
        return helper.make_node(
            "Slice", [name, *(f"{output}/{key}" for key in bounds)], [output], output
        )

    def _cut_before(self, maker: NodeProto, span: Span, piece: str) -> bool:
        """Dequantises a piece of the values, if that is how the constant is made."""
        if maker.op_type != "DequantizeLinear" or attribute_int(maker, "block_size", 0):
            return False
        values, *parameters = maker.input
        rank = len(self._graph.specs[values].shape or ())
        axis = attribute_int(maker, "axis", 1)
        names = [self.sliced(values, span)]
        for name in parameters:
            per_slice = bool(name) and prod(self._graph.specs[name].shape or ()) > 1
            if per_slice and axis % rank == span.axis:
                names.append(self.sliced(name, Span(0, span.start, span.stop)))
            else:
                names.append(name)
        copy = NodeProto()
        copy.CopyFrom(maker)
        copy.name = piece
        copy.input[:] = names
        copy.output[:] = [piece]
        self.nodes.append(copy)
        return True


def _lies_together(tensor: TensorProto, span: Span) -> bool:
    whole_bytes = TensorProto.DataType.Name(tensor.data_type) not in SUB_BYTE_BITS
    return whole_bytes and prod(tensor.dims[: span.axis]) == 1


def _reference(tensor: TensorProto, span: Span, name: str) -> TensorProto:
    """The span as a tensor of its own that refers to its part of the stored bytes."""
    dims = [*tensor.dims]
    step = tensor_bytes(tensor) // dims[span.axis]
    dims[span.axis] = span.size
    where = {entry.key: entry.value for entry in tensor.external_data}
    where["offset"] = str(int(where["offset"]) + span.start * step)
    where["length"] = str(span.size * step)
    piece = TensorProto(
        name=name, data_type=tensor.data_type, dims=dims, data_location=TensorProto.EXTERNAL
    )
    for key, value in where.items():
        piece.external_data.add(key=key, value=value)
    return piece
