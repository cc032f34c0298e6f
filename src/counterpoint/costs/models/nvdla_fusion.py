"""Which layers NVDLA runs as one: pooling behind a convolution, 1 x 1 convolutions of one tensor.

The spreadsheet does both by hand: its rows carry the size after pooling, and an inception module's
1 x 1 convolutions stand in one row ("combined").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from counterpoint.network.graph import Layer, LoopNest, Network

_POOLS = frozenset({"Pool", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"})


@dataclass(frozen=True, slots=True)
class Fused:
    """A layer and what it shares with its neighbours.

    Attributes:
        layer: The layer.
        wide: The convolution of all that run as one; ``None``: the layer's own.
        share: The layer's part of it, by output channels.
        output_pixels: Written for each channel when pooling follows; ``None``: all.
    """

    layer: Layer
    wide: LoopNest | None = None
    share: float = 1.0
    output_pixels: int | None = None

    @property
    def nest(self) -> LoopNest | None:
        """What runs."""
        return self.wide or self.layer.loops


def fused_layers(network: Network, refusal: Callable[[Layer], str | None]) -> tuple[Fused, ...]:
    """Each layer with what it shares; layers that are refused share nothing."""
    taken = [layer for layer in network.layers if refusal(layer) is None]
    names = {layer.index for layer in taken}
    twins: dict[tuple[tuple[str, ...], LoopNest], list[Layer]] = {}
    for layer in taken:
        nest = layer.loops
        if nest is not None and nest.groups == 1 and nest.kernel == (1, 1):
            like = (layer.inputs, replace(nest, out_channels=1))
            twins.setdefault(like, []).append(layer)
    found = {layer.index: Fused(layer) for layer in network.layers}
    for (_, alike), members in twins.items():
        together = sum(layer.loops.out_channels for layer in members if layer.loops)
        for layer in members:
            if layer.loops is not None and len(members) > 1:
                wide = replace(alike, out_channels=together)
                found[layer.index] = Fused(layer, wide, layer.loops.out_channels / together)
    for layer in taken:
        pixels = _pooled_pixels(network, layer, names)
        if layer.loops is not None and pixels is not None and found[layer.index].wide is None:
            found[layer.index] = Fused(layer, output_pixels=pixels)
    return tuple(found[layer.index] for layer in network.layers)


def _pooled_pixels(network: Network, layer: Layer, taken: set[int]) -> int | None:
    """Pixels that are left of the layer's one output when only pooling reads it."""
    if len(layer.outputs) != 1:
        return None
    name = layer.outputs[0]
    readers = network.consumers.get(name, ())
    if len(readers) != 1 or any(spec.name == name for spec in network.outputs):
        return None
    reader = network.layers[readers[0]]
    if reader.kind not in _POOLS or reader.index not in taken or len(reader.outputs) != 1:
        return None
    before, after = network.tensors[name].shape, network.tensors[reader.outputs[0]].shape
    if before is None or after is None or len(before) != 4 or not layer.loops:
        return None
    # items over channels, not the last two sizes: a reshape behind the pooling may be in the layer
    return prod(after) // (before[0] * before[1])
