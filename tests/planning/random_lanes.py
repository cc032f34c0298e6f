"""Random lanes: any convex segments on any units, in any order that the network allows."""

from __future__ import annotations

from random import Random

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.result import Segment


def random_lane(rng: Random, network: Network, table: CostTable) -> tuple[Segment, ...]:
    """Cuts a random order of the layers anywhere, so that each piece is convex."""
    left = set(range(len(network.layers)))
    lane: list[tuple[list[int], str]] = []
    while left:
        free = [
            layer
            for layer in sorted(left)
            if not left & {network.producer.get(name) for name in network.layers[layer].inputs}
        ]
        layer = rng.choice(free)
        left.remove(layer)
        if not lane or rng.random() < 0.7 or _refuses(table, layer, lane[-1][1]):
            able = [name for name in table.unit_names if not _refuses(table, layer, name)]
            lane.append(([], rng.choice(able)))
        lane[-1][0].append(layer)
    return tuple((tuple(sorted(layers)), unit) for layers, unit in lane)


def _refuses(table: CostTable, layer: int, unit: str) -> bool:
    return table.layer_ns[layer][table.unit_names.index(unit)] is None
