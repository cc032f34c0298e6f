"""The verb ``profile``."""

from __future__ import annotations

from counterpoint.cli.options import (
    Json,
    LayerLimit,
    MachineOptions,
    NetworkOptions,
    Precision,
    StoreOptions,
)
from counterpoint.cli.output import show


def profile(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    store: StoreOptions,
    precision: Precision = None,
    layers: LayerLimit = None,
    json: Json = False,
) -> None:
    """What each layer costs on each unit.

    Layers are measured inside large segments, as they run. What was measured before comes from
    the store.

    Example:
      counterpoint profile model.onnx --precision any -d openvino
    """
    from counterpoint.cli.costing import cost_table
    from counterpoint.report.costs import costs_document, costs_tables

    loaded = network.load()
    costs = cost_table(loaded, machine.machine(), store, precision)
    show(
        json,
        lambda: costs_document(loaded, costs),
        lambda: costs_tables(loaded, costs, layers),
    )
