"""The verb ``inspect``."""

from __future__ import annotations

from counterpoint.cli.options import Json, LayerLimit, NetworkOptions
from counterpoint.cli.output import show


def inspect(network: NetworkOptions, layers: LayerLimit = None, json: Json = False) -> None:
    """What a network consists of, layer by layer.

    Example:
      counterpoint inspect zoo:mobilenet_v2 --layers 10
    """
    from counterpoint.report.layers import network_document, network_tables

    loaded = network.load()
    show(json, lambda: network_document(loaded), lambda: network_tables(loaded, layers))
