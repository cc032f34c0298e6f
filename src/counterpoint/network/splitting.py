"""Splits layers: a layer becomes part-layers, which other units can run at once, and a Concat.

By output channels, each part has its share of the weights and reads the whole input. By rows, each
part has all weights and reads its rows with what the windows reach beyond them. A chain of layers
that is split by rows stays split in between: each part computes what its later layers reach over,
some rows twice, and there is one Concat at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from onnx import NodeProto, TensorProto

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Layer, Network
from counterpoint.network.inference import graph_of
from counterpoint.network.layering import network_of
from counterpoint.network.node_order import sorted_nodes
from counterpoint.network.onnx_graph import OnnxGraph, graph_behind
from counterpoint.network.split import Axis, Split
from counterpoint.network.split_channels import CHANNEL_AXIS, channels_at_once
from counterpoint.network.split_constants import ConstantSlicer
from counterpoint.network.split_parts import PartWriter, SplitNodes, pieces_of, split_nodes
from counterpoint.network.split_piece import Piece, Span
from counterpoint.network.split_rows import ROW_AXIS

AXIS_NUMBER: Mapping[Axis, int] = {"channels": CHANNEL_AXIS, "rows": ROW_AXIS}


def split(network: Network, splits: Sequence[Split]) -> Network:
    """The network with those layers split; it computes the same but for the order of sums.

    Part ``i`` of layer ``a`` is called ``a/part<i>``, its Concat ``a/concat``. All other layers
    and tensors keep their names; weights stay in the file of the given network.

    Args:
        network: Stays as it is.
        splits: Of different layers. To split a part again, split the result.

    Raises:
        UserInputError: A layer is not there or cannot be split that way; says why.
    """
    graph = graph_behind(network)
    slicer = ConstantSlicer(graph)
    writer = PartWriter(graph, slicer)
    written: dict[int, list[NodeProto]] = {}  # by the node in whose place they stand
    for wanted in splits:
        chain = [_layer_called(network, name) for name in wanted.layers]
        parts = _parts(graph, chain, wanted.axis, wanted.parts)
        if isinstance(parts, str):
            raise UserInputError(
                f"{' + '.join(map(repr, wanted.layers))} of {network.name} cannot be split by "
                f"{wanted.axis}: {parts}"
            )
        for node in parts.pieces[0]:
            if node in written:
                raise UserInputError(f"{wanted.layers[0]!r} of {network.name} is split twice")
            written[node] = []
        axis = AXIS_NUMBER[wanted.axis]
        written[min(parts.pieces[0])] = writer.write(
            parts.pieces, chain[-1].name, parts.result, axis
        )
    nodes = [*slicer.nodes]
    for index, node in enumerate(graph.nodes):
        nodes += written.get(index, [node])
    return network_of(_with_nodes(graph, nodes, slicer.constants), network.name)


def split_reason(network: Network, layer_index: int, axis: Axis) -> str | None:
    """Why a layer cannot be split in two along an axis; ``None`` if it can."""
    try:
        graph = graph_behind(network)
    except UserInputError as error:
        return str(error)
    plan = _parts(graph, [network.layers[layer_index]], axis, (1, 1))
    return plan if isinstance(plan, str) else None


def part_borders(count: int, parts: Sequence[int]) -> tuple[int, ...]:
    """Where parts begin and end: as near to proportional as whole numbers allow, none empty.

    Args:
        count: What is shared out; at least ``len(parts)``.
        parts: Relative sizes.

    Returns:
        0, the ends of the parts in ascending order, the last ``count``.
    """
    total, ahead = sum(parts), 0
    borders = [0]
    for number, part in enumerate(parts, start=1):
        ahead += part
        nearest = (2 * count * ahead + total) // (2 * total)
        borders.append(min(max(nearest, borders[-1] + 1), count - (len(parts) - number)))
    return tuple(borders)


def _layer_called(network: Network, name: str) -> Layer:
    found = next((layer for layer in network.layers if layer.name == name), None)
    if found is None:
        raise UserInputError(
            f"{network.name} has no layer {name!r}: counterpoint inspect lists its layers"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """Pieces of each part by node, and the tensor that they are pieces of."""

    pieces: tuple[Mapping[int, Piece], ...]
    result: str


def _parts(
    graph: OnnxGraph, chain: Sequence[Layer], axis: Axis, parts: Sequence[int]
) -> _Parts | str:
    """The parts of a chain, or why it cannot be split."""
    number = AXIS_NUMBER[axis]
    links: list[SplitNodes] = []
    for position, layer in enumerate(chain):
        link = split_nodes(graph, layer.name, layer.nodes, number, first=position == 0)
        if isinstance(link, str):
            return link if len(chain) == 1 else f"{layer.name!r}: {link}"
        links.append(link)
    readers = graph.readers()
    for position, (link, after) in enumerate(pairwise(links)):
        own = set(readers.get(link.result, ())) <= set(after.nodes)
        if not link.is_whole or not own or link.result in graph.outputs:
            before, behind = chain[position].name, chain[position + 1].name
            return f"{behind!r} is not the only reader of {before!r}"
    last = links[-1]
    count = (graph.specs[last.result].shape or ())[number]
    together = channels_at_once(graph.nodes[last.main], graph.specs) if axis == "channels" else 1
    if count // together < len(parts):
        return f"it has {count // together} {axis} to share out, too few for {len(parts)} parts"
    nodes = [node for link in links for node in link.nodes]
    pieces: list[Mapping[int, Piece]] = []
    for start, stop in pairwise(part_borders(count // together, parts)):
        span = Span(number, start * together, stop * together)
        piece = pieces_of(graph, nodes, last.result, span)
        if isinstance(piece, str):
            return piece
        pieces.append(piece)
    return _Parts(tuple(pieces), last.result)


def _with_nodes(
    graph: OnnxGraph, nodes: Sequence[NodeProto], constants: Sequence[TensorProto]
) -> OnnxGraph:
    """The graph with other nodes, in topological order again."""
    model = graph.whole_model()
    known = {*graph.inputs, *graph.constants, *(tensor.name for tensor in constants)}
    del model.graph.node[:]
    model.graph.node.extend(sorted_nodes(nodes, known))
    model.graph.initializer.extend(constants)
    return graph_of(model, graph.weights)
