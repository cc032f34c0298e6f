"""Which layers without weights go along in int8 with those that were chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from counterpoint.network.graph import Network
from counterpoint.network.precision.layer_form import Int8Form


def with_joined(
    network: Network, chosen: Collection[int], forms: Mapping[int, Int8Form]
) -> frozenset[int]:
    """The chosen layers, and pools, Concats, sums and reshapes between them.

    A layer joins where everything that it reads is made in int8, and somebody reads its result in
    int8: it then moves a quarter of the bytes, and nothing is converted on the way.

    Args:
        network: Whose layers are meant.
        chosen: Indices; each has a form.
        forms: Of every layer that has one.
    """
    able = set(chosen)
    for layer in network.layers:
        form = forms.get(layer.index)
        if form is not None and form.product is None and layer.index not in able:
            makers = [network.producer.get(name) for name in form.sources]
            if makers and all(maker in able for maker in makers):
                able.add(layer.index)
    joined = set(chosen)
    for layer in reversed(network.layers):
        if layer.index in able:
            readers = {r for name in layer.outputs for r in network.consumers.get(name, ())}
            if readers & joined:
                joined.add(layer.index)
    return frozenset(joined)
