"""Which layers of a rewritten network are made of which of the original."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.network.graph import Network


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Layers of an original and of its rewritten form.

    Attributes:
        layers: For each layer of the original the indices in the rewritten network, ascending. A
            layer whose inner results go through int8 is several there; none is empty.
        conversions: Indices of layers that only convert between precisions, where no other layer
            takes the conversion up: what the caller gives, or a float layer that others in float
            read as well.
    """

    layers: tuple[tuple[int, ...], ...]
    conversions: tuple[int, ...]


def correspondence(original: Network, rewritten: Network) -> Correspondence:
    """Matches layers by the names of their nodes, which rewriting keeps."""
    origin: dict[str, int] = {}
    for layer in original.layers:
        for node in layer.nodes:
            origin.setdefault(original.source.node_labels(node)[0], layer.index)
    # A node that makes a constant may be in several layers; a main node is in its own.
    origin |= {layer.name: layer.index for layer in original.layers}
    found: list[list[int]] = [[] for _ in original.layers]
    conversions: list[int] = []
    for layer in rewritten.layers:
        names = [layer.name, *(rewritten.source.node_labels(node)[0] for node in layer.nodes)]
        home = next((origin[name] for name in names if name in origin), None)
        (conversions if home is None else found[home]).append(layer.index)
    return Correspondence(tuple(tuple(indices) for indices in found), tuple(conversions))
