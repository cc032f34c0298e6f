"""The parts of a split layer or chain: found backward from its result, written forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import AttributeProto, NodeProto, helper

from counterpoint.network.grouping import MAC_OPERATORS
from counterpoint.network.onnx_graph import OnnxGraph, reads
from counterpoint.network.split_channels import CHANNEL_AXIS, channel_piece
from counterpoint.network.split_channels import POOLS as CHANNEL_POOLS
from counterpoint.network.split_constants import ConstantSlicer
from counterpoint.network.split_piece import ELEMENTWISE, Piece, Span, shape_of
from counterpoint.network.split_rows import POOLS as ROW_POOLS
from counterpoint.network.split_rows import ROW_AXIS, row_piece

PIECE_OF = {CHANNEL_AXIS: channel_piece, ROW_AXIS: row_piece}
FIRST = MAC_OPERATORS | CHANNEL_POOLS | ROW_POOLS
"""Main operators that are worth a split; others may follow in a chain."""


@dataclass(frozen=True, slots=True)
class SplitNodes:
    """The nodes of a layer, or of a chain, that are there once for each part.

    Attributes:
        nodes: Indices in the graph, ascending; those that compute constants or only cut out what
            the others read are not among them.
        main: The main one.
        result: The tensor that they make, whose parts are put together again.
        is_whole: They are all of the layer. Otherwise the rest (a Reshape, say) follows the Concat.
    """

    nodes: tuple[int, ...]
    main: int
    result: str
    is_whole: bool


def split_nodes(
    graph: OnnxGraph, layer_name: str, nodes: Sequence[int], axis: int, *, first: bool
) -> SplitNodes | str:
    """Which of a layer's nodes can be split along an axis, or why none can.

    Args:
        graph: The graph.
        layer_name: Of the layer and of its main node.
        nodes: All of the layer.
        axis: Of the tensors.
        first: The layer is no later one of a chain.
    """
    computing = _without_constants(graph, nodes)
    main = next(index for index in computing if graph.nodes[index].name == layer_name)
    own = [i for i in computing if i == main or graph.nodes[i].op_type != "Slice"]
    if first and graph.nodes[main].op_type not in FIRST:
        return f"{graph.nodes[main].op_type} is neither a convolution, a product nor a pool"
    taken: list[int] = []
    reason = ""
    for index in own:
        piece = _whole_piece(graph, index, axis)
        if isinstance(piece, str):
            reason = piece
            break
        taken.append(index)
    if main not in taken:
        return reason
    result = graph.nodes[taken[-1]].output[0]
    inner = {graph.nodes[index].output[0] for index in taken[:-1]}
    rest = [index for index in own if index not in taken]
    if any(name in inner for index in rest for name in reads(graph.nodes[index])):
        return reason
    return SplitNodes(tuple(taken), main, result, not rest)


def pieces_of(
    graph: OnnxGraph, nodes: Sequence[int], result: str, span: Span
) -> Mapping[int, Piece] | str:
    """What each node does for a span of the result, or why there is no such part."""
    makers = {graph.nodes[index].output[0]: index for index in nodes}
    needed = {result: span}
    found: dict[int, Piece] = {}
    for index in reversed(nodes):
        node = graph.nodes[index]
        piece = PIECE_OF[span.axis](node, graph.specs, needed[node.output[0]])
        if isinstance(piece, str):
            return piece
        found[index] = piece
        for name, take in zip(node.input, piece.takes, strict=True):
            if name not in makers:
                continue
            shape = shape_of(graph.specs, name) or ()
            wanted = take or Span(span.axis, 0, shape[span.axis])
            if needed.setdefault(name, wanted) != wanted:
                return f"two nodes need different pieces of {name!r}"
    return found


class PartWriter:
    """Writes the nodes of parts.

    Args:
        graph: The graph; stays as it is.
        slicer: Makes the pieces of its constants.
    """

    def __init__(self, graph: OnnxGraph, slicer: ConstantSlicer) -> None:
        self._graph = graph
        self._slicer = slicer
        self._frame_tensors = _frame_tensors(graph)

    def write(
        self, parts: Sequence[Mapping[int, Piece]], name: str, result: str, axis: int
    ) -> list[NodeProto]:
        """The nodes of all parts and their Concat.

        Args:
            parts: The pieces of each, by node.
            name: Of the layer whose result is put together.
            result: That tensor.
            axis: Of the result.
        """
        written = [
            node for number, pieces in enumerate(parts) for node in self._part(pieces, number)
        ]
        joined = [f"{result}/part{number}" for number in range(len(parts))]
        return [*written, helper.make_node("Concat", joined, [result], f"{name}/concat", axis=axis)]

    def _part(self, pieces: Mapping[int, Piece], number: int) -> list[NodeProto]:
        suffix = f"/part{number}"
        made = {self._graph.nodes[index].output[0] for index in pieces}
        written: list[NodeProto] = []
        for index in sorted(pieces):
            node, piece = self._graph.nodes[index], pieces[index]
            names: list[str] = []
            for position, (name, take) in enumerate(zip(node.input, piece.takes, strict=True)):
                if name in made:
                    names.append(name + suffix)
                elif take is None or self._is_all(name, take):
                    names.append(name)
                elif name in self._frame_tensors:
                    window = f"{node.name}{suffix}/in{position}"
                    written.append(self._slicer.slice_node(name, take, window))
                    names.append(window)
                else:
                    names.append(self._slicer.sliced(name, take))
            written.append(_copy(node, names, suffix, piece))
        return written

    def _is_all(self, name: str, take: Span) -> bool:
        shape = shape_of(self._graph.specs, name) or ()
        return (take.start, take.stop) == (0, shape[take.axis])


def _copy(node: NodeProto, names: Sequence[str], suffix: str, piece: Piece) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = node.name + suffix
    copy.input[:] = names
    copy.output[:] = [node.output[0] + suffix]
    kept = [attribute for attribute in node.attribute if attribute.name not in piece.attributes]
    made: list[AttributeProto] = [
        helper.make_attribute(key, value)
        for key, value in piece.attributes.items()
        if value is not None
    ]
    del copy.attribute[:]
    copy.attribute.extend([*kept, *made])
    return copy


def _whole_piece(graph: OnnxGraph, index: int, axis: int) -> Piece | str:
    """What the node does for all of its output, or why it cannot be split at all."""
    node = graph.nodes[index]
    if node.domain and node.op_type not in ELEMENTWISE:
        return f"nobody here knows how to split {node.domain}:{node.op_type}"
    if any(node.output[1:]) and _are_read(graph, node.output[1:]):
        return f"{node.op_type} makes more than one tensor"
    shape = shape_of(graph.specs, node.output[0])
    if shape is None or len(shape) <= axis:
        return f"the result of {node.op_type} has no {'rows' if axis == ROW_AXIS else 'channels'}"
    return PIECE_OF[axis](node, graph.specs, Span(axis, 0, shape[axis]))


def _are_read(graph: OnnxGraph, names: Sequence[str]) -> bool:
    used = {*graph.outputs, *graph.readers()}
    return not used.isdisjoint(names)


def _without_constants(graph: OnnxGraph, nodes: Sequence[int]) -> list[int]:
    known: set[str] = set()
    own = []
    for index in nodes:
        node = graph.nodes[index]
        if all(name in known or name in graph.constants for name in reads(node)):
            known.update(node.output)
        else:
            own.append(index)
    return own


def _frame_tensors(graph: OnnxGraph) -> frozenset[str]:
    """Tensors that depend on the frame."""
    found = set(graph.inputs)
    for node in graph.nodes:
        if any(name in found for name in reads(node)):
            found.update(node.output)
    return frozenset(found)
