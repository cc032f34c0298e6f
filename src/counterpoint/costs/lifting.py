"""What refused layers would cost on the unit that refuses them: an estimate, never a measurement.

A unit with a cost model is asked for its roofline (``at_best``). A unit that was only measured has
one in its column: the highest rate of multiply-adds and the highest rate of bytes of any of its
layers; a refused layer takes ``max(macs / rate, bytes / rate)``. Both are the unit at its best, so
that what lifting a refusal gains is at most what is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from counterpoint.costs.models.protocol import BestCase, LayerModel
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Layer, Network


@dataclass(frozen=True, slots=True)
class Lift:
    """Refusals of one kind, and what the unit would take without them.

    Attributes:
        unit: Who refuses.
        reason: Why, in the words of the first refusal; ``None``: all that the unit refuses.
        predicted_ns: Time of each of the layers there, by layer index.
    """

    unit: str
    reason: str | None
    predicted_ns: Mapping[int, int]


def lifts(
    network: Network, table: CostTable, models: Mapping[str, LayerModel] | None = None
) -> tuple[Lift, ...]:
    """Every kind of refusal in the table that something is known about, and for units with several
    kinds all of them together.

    Args:
        network: What is run.
        table: What it costs.
        models: Of units, by name; the others go by their column.
    """
    found: list[Lift] = []
    known: set[tuple[str, str, str | None, tuple[int, ...]]] = set()
    for column, costs in enumerate(table.units):
        model = (models or {}).get(costs.unit.name)
        for lift in _of_unit(network, table, column, model):
            # The same processor together with others refuses the same.
            like = (costs.unit.engine, costs.unit.precision, lift.reason, tuple(lift.predicted_ns))
            if like not in known:
                known.add(like)
                found.append(lift)
    return tuple(found)


def _of_unit(
    network: Network, table: CostTable, column: int, model: LayerModel | None
) -> Iterator[Lift]:
    kinds: dict[str, dict[int, int]] = {}
    reasons: dict[str, str] = {}
    for layer in network.layers:
        reason = table.refusals.get((layer.index, column))
        time_ns = None if reason is None else _at_best(network, table, column, layer, model)
        if reason is not None and time_ns is not None:
            kind = re.sub(r"[0-9]+", "#", reason)  # "3 input and 64 output channels" is one kind
            kinds.setdefault(kind, {})[layer.index] = time_ns
            reasons.setdefault(kind, reason)
    unit = table.unit_names[column]
    for kind, times in kinds.items():
        yield Lift(unit, reasons[kind], times)
    if len(kinds) > 1:
        yield Lift(unit, None, {layer: t for times in kinds.values() for layer, t in times.items()})


def lifted(table: CostTable, lift: Lift) -> CostTable:
    """The table in which the unit takes these layers."""
    column = table.unit_names.index(lift.unit)
    cells = {(layer, column): time_ns for layer, time_ns in lift.predicted_ns.items()}
    kept = {cell: reason for cell, reason in table.refusals.items() if cell not in cells}
    return replace(table.with_layer_times(cells), refusals=kept)


def _at_best(
    network: Network, table: CostTable, column: int, layer: Layer, model: LayerModel | None
) -> int | None:
    if model is not None and isinstance(model, BestCase):
        cost = model.at_best(layer)
        return None if cost is None else cost.time_ns
    moved = _moved(layer)
    if moved is None:
        return None
    macs_per_ns = max(_rates(network, table, column, lambda known: known.macs), default=0.0)
    bytes_per_ns = max(_rates(network, table, column, _moved), default=0.0)
    if not bytes_per_ns or (layer.macs and not macs_per_ns):
        return None
    compute_ns = layer.macs / macs_per_ns if layer.macs else 0.0
    return round(max(compute_ns, moved / bytes_per_ns))


def _rates(
    network: Network, table: CostTable, column: int, amount: Callable[[Layer], int | None]
) -> Iterator[float]:
    """Amounts per nanosecond of the layers that the unit runs."""
    for layer in network.layers:
        time_ns, size = table.layer_ns[layer.index][column], amount(layer)
        if time_ns and size:
            yield size / time_ns


def _moved(layer: Layer) -> int | None:
    if layer.input_bytes is None or layer.output_bytes is None:
        return None
    return layer.input_bytes + layer.weight_bytes + layer.output_bytes
