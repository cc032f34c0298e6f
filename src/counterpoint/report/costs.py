"""What each layer costs on each unit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.costs.table import CostTable, LinearCost
from counterpoint.network.graph import Network
from counterpoint.planning.latency import single_unit_plan
from counterpoint.report.document import Document, document
from counterpoint.report.quantities import UNKNOWN, duration, milliseconds
from counterpoint.report.tables import add_row, table

NOT_RUN = "-"
"""Shown where a unit refuses a layer."""


def costs_document(network: Network, costs: CostTable) -> Document:
    """For programs."""
    return document(
        "costs",
        {
            "network": network.name,
            "network_hash": costs.network_hash,
            "platform_fingerprint": costs.platform_fingerprint,
            "units": [
                {
                    "name": unit.unit.name,
                    "entry_ns": unit.entry_ns,
                    "read": _linear(unit.read),
                    "write": _linear(unit.write),
                    "whole_network_ns": whole_ns(network, costs, unit.unit.name),
                }
                for unit in costs.units
            ],
            "layers": [
                {"index": index, "name": name, "time_ns": list(row)}
                for index, (name, row) in enumerate(
                    zip(costs.layer_names, costs.layer_ns, strict=True)
                )
            ],
            "refusals": [
                {"layer": layer, "unit": costs.unit_names[column], "reason": reason}
                for (layer, column), reason in sorted(costs.refusals.items())
            ],
        },
    )


def costs_tables(
    network: Network, costs: CostTable, limit: int | None = None
) -> list[RenderableType]:
    """For people.

    Args:
        network: What was measured.
        costs: Its costs.
        limit: Show at most so many layers.
    """
    rows = table(
        f"{network.name}: time of each layer, ms", ["#", "layer", "kind"], costs.unit_names
    )
    for layer in network.layers[:limit]:
        cells = [cell_text(costs, layer.index, column) for column in range(len(costs.units))]
        add_row(rows, layer.index, layer.name, layer.kind, *cells)
    hidden = len(network.layers) - len(network.layers[:limit])
    units = table("Units", ["unit"], ["whole network", "entry", "read 1 MiB", "write 1 MiB"])
    for unit in costs.units:
        add_row(
            units,
            unit.unit.name,
            duration(whole_ns(network, costs, unit.unit.name)),
            duration(unit.entry_ns),
            duration(unit.read.at(2**20)),
            duration(unit.write.at(2**20)),
        )
    note = [f"and {hidden} more"] if hidden else []
    return [rows, *note, "", units, *_refusals(costs)]


def whole_ns(network: Network, costs: CostTable, unit: str) -> int | None:
    """Time of the whole network on one unit; ``None`` where it cannot run all of it."""
    return single_unit_plan(network, costs, unit).value


def cell_text(costs: CostTable, layer: int, column: int) -> str:
    """Milliseconds of one layer on one unit, or why there are none."""
    time_ns = costs.layer_ns[layer][column]
    if time_ns is not None:
        return milliseconds(time_ns)
    return NOT_RUN if (layer, column) in costs.refusals else UNKNOWN


def refusal_lines(costs: CostTable, columns: Sequence[int]) -> list[str]:
    """One line for each reason: who refuses which layers."""
    layers: dict[tuple[int, str], list[str]] = {}
    for (layer, column), reason in sorted(costs.refusals.items()):
        if column in columns:
            layers.setdefault((column, reason), []).append(costs.layer_names[layer])
    return [
        f"{costs.unit_names[column]} refuses {_several(names)}: {reason}"
        for (column, reason), names in layers.items()
    ]


def _refusals(costs: CostTable) -> list[RenderableType]:
    lines = refusal_lines(costs, range(len(costs.units)))
    return ["", *lines] if lines else []


def _several(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more layers"


def _linear(cost: LinearCost) -> Document:
    return {"fixed_ns": cost.fixed_ns, "ns_per_byte": cost.ns_per_byte}
