"""A network cut where everything passes through one layer.

A layer is a *cut* when all layers before it lead to it, all layers behind it depend on it, and
only what it makes is handed across. Its segment is a barrier then, whatever else is in it: segments
are convex, so each other segment holds layers before it, which have to end before it
starts, or layers behind it, which start after it ended. Given the unit of each cut, the makespan
of a lane is therefore a sum with one term for each *block*, the layers from one cut to the next,
and each term can be made least by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Layer, Network


@dataclass(frozen=True, slots=True)
class Block:
    """Layers from one cut to the next, both among them, as a network of their own.

    Attributes:
        first: Index of its first layer in the whole network. All others count from there.
        network: Its layers. A cut that opens it reads nothing, one that closes it returns nothing.
        table: Their costs. A cut that opens it takes no time: the block before pays for that.
        opened: It begins with a cut.
        closed: It ends with a cut.
        is_chain: Each layer feeds only the next one, so that nothing can overlap.
    """

    first: int
    network: Network
    table: CostTable
    opened: bool
    closed: bool
    is_chain: bool


def blocks_of(network: Network, table: CostTable) -> tuple[Block, ...]:
    """The blocks of a network in run order; neighbours share a cut. Chains of cuts are one block.

    A network without a layer has no block.
    """
    if not network.layers:
        return ()
    last = len(network.layers) - 1
    cuts = _cuts(network)
    borders = sorted({0, *cuts, last})
    spans: list[tuple[int, int]] = []
    for first, behind in pairwise(borders):
        if spans and behind == first + 1 and _is_chain(cuts, *spans[-1]):
            spans[-1] = (spans[-1][0], behind)
        else:
            spans.append((first, behind))
    return tuple(
        _block(network, table, cuts, first, behind) for first, behind in spans or [(0, last)]
    )


def _cuts(network: Network) -> frozenset[int]:
    """All cuts but the last layer, which has nothing behind it."""
    last = len(network.layers) - 1
    reach = [-1] * len(network.layers)  # the last reader of what the layer makes
    input_reach = max(
        (max(network.consumers.get(spec.name, (-1,))) for spec in network.inputs), default=-1
    )
    rootless = max((layer.index for layer in network.layers if not layer.inputs), default=-1)
    for name, readers in network.consumers.items():
        if name in network.producer:
            maker = network.producer[name]
            reach[maker] = max(reach[maker], *readers)
    for spec in network.outputs:
        if spec.name in network.producer:
            reach[network.producer[spec.name]] = last + 1  # on its way until the end
    cuts = set()
    crossing = max(input_reach, rootless)
    for layer in range(last):
        # A layer that nobody reads leads nowhere, so nothing behind it is a cut.
        if crossing <= layer < reach[layer] <= last:
            cuts.add(layer)
        crossing = max(crossing, reach[layer] if reach[layer] > layer else last + 1)
    return frozenset(cuts)


def _is_chain(cuts: frozenset[int], first: int, last: int) -> bool:
    return all(layer in cuts for layer in range(first, last))


def _block(
    network: Network, table: CostTable, cuts: frozenset[int], first: int, last: int
) -> Block:
    opened, closed = first in cuts and first > 0, last in cuts
    layers = tuple(_layers(network, first, last, opened))
    inner = replace(
        network,
        inputs=() if opened else network.inputs,
        outputs=() if closed else network.outputs,
        layers=layers,
        content_hash=f"{network.content_hash} {first} {last}",
    )
    rows = list(table.layer_ns[first : last + 1])
    if opened:
        rows[0] = tuple(None if cell is None else 0 for cell in rows[0])
    costs = replace(
        table,
        network_hash=inner.content_hash,
        layer_names=table.layer_names[first : last + 1],
        layer_ns=tuple(rows),
        refusals={},
        layer_energy_pj=None,
    )
    return Block(first, inner, costs, opened, closed, _is_chain(cuts, first, last))


def _layers(network: Network, first: int, last: int, opened: bool) -> Iterator[Layer]:
    for layer in network.layers[first : last + 1]:
        inputs = () if opened and layer.index == first else layer.inputs
        yield replace(layer, index=layer.index - first, inputs=inputs)
