"""Costs of a network whose layers may each be in int8 or not: a column for either, of each unit.

Times of layers in int8 come from the network that is in int8 wherever it can be, profiled as a
whole, so in context. Within a unit's call a layer in int8 is a *variant* of that unit: going to and
fro is no new entry, only a conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.network.precision.correspondence import correspondence
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.budget import PPB
from counterpoint.tuning.sensitivity import LayerNoise

VARIANT = ("layers", "int8")
"""Setting that tells a variant from its unit."""


@dataclass(frozen=True, slots=True)
class MixedUnit:
    """A unit that runs networks part of whose layers are in int8.

    Attributes:
        unit: What runs them.
        floats: The unit whose times its layers have that are not in int8: itself, or, for an
            ``@int8`` unit, the ``@fp32`` one beside it.
    """

    unit: ComputeUnit
    floats: ComputeUnit

    @property
    def variant(self) -> ComputeUnit:
        """The same unit as it runs a layer in int8."""
        return replace(self.unit, settings=(*self.unit.settings, VARIANT))


def mixed_units(
    units: Sequence[ComputeUnit], wanted: Sequence[str], takes_int8: Mapping[ComputeUnit, bool]
) -> tuple[MixedUnit, ...]:
    """Those that run mixes.

    Args:
        units: Of the platform.
        wanted: Precisions that units may compute in.
        takes_int8: Whether each runs layers that a network quantises.
    """
    found = []
    for unit in units:
        if not takes_int8.get(unit, False) or unit.precision not in wanted:
            continue
        precision = "fp32" if unit.precision == "int8" else unit.precision
        beside = replace(unit, precision=precision)
        if beside in units:
            found.append(MixedUnit(unit, beside))
    return tuple(found)


def precision_table(
    network: Network,
    floats: CostTable,
    quantised: Network,
    int8: CostTable,
    mixed: Sequence[MixedUnit],
    *,
    refused: Mapping[int, str],
    int8_noise: Mapping[int, LayerNoise],
    unit_noise: Mapping[str, Mapping[int, LayerNoise]],
) -> CostTable:
    """The joint table.

    Args:
        network: As it is loaded.
        floats: Its costs, with a column for ``floats`` of each mixed unit.
        quantised: The network with all layers in int8 that can be.
        int8: The costs of that one, with a column for each mixed unit.
        mixed: Which units.
        refused: Why layers have no int8 form.
        int8_noise: Of layers with arithmetic. Layers without go along, and make none of their own.
        unit_noise: Of layers on units of half precision, by the unit's name; a unit that is not
            there makes none.
    """
    parts = correspondence(network, quantised).layers
    columns: list[UnitCosts] = []
    times: list[list[int | None]] = [[] for _ in network.layers]
    errors: list[list[int | None]] = [[] for _ in network.layers]
    refusals: dict[tuple[int, int], str] = {}
    for pair in mixed:
        own = floats.unit_names.index(pair.floats.name)
        coarse = int8.unit_names.index(pair.unit.name)
        costs = floats.units[own]
        each_way = (costs.read.ns_per_byte + costs.write.ns_per_byte) / 2
        columns += [
            replace(costs, unit=pair.unit),
            # One pass over the tensor; bringing it into a layout and back takes two.
            replace(
                costs,
                unit=pair.variant,
                variant_of=pair.unit.name,
                convert=LinearCost(0.0, each_way),
            ),
        ]
        noise = unit_noise.get(pair.unit.name)
        for layer in network.layers:
            index = layer.index
            cells = [int8.layer_ns[part][coarse] for part in parts[index]]
            known = [cell for cell in cells if cell is not None]
            if index in refused or len(known) < len(cells):
                reason = refused.get(index, "the unit refuses its int8 form")
                refusals[index, len(columns) - 1] = reason
                times[index] += [floats.layer_ns[index][own], None]
            else:
                times[index] += [floats.layer_ns[index][own], sum(known)]
            if (index, own) in floats.refusals:
                refusals[index, len(columns) - 2] = floats.refusals[index, own]
            alone = 0 if noise is None else _ppb(noise.get(index))
            errors[index] += [alone, _ppb(int8_noise.get(index)) if layer.macs else 0]
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint=floats.platform_fingerprint,
        layer_names=floats.layer_names,
        units=tuple(columns),
        layer_ns=tuple(tuple(row) for row in times),
        refusals=refusals,
        links=floats.links,
        layer_error_ppb=tuple(tuple(row) for row in errors),
    )


def int8_layers(table: CostTable, segments: Sequence[tuple[tuple[int, ...], str]]) -> list[int]:
    """Layers that a plan by such a table has in int8, ascending."""
    variants = {costs.unit.name for costs in table.units if costs.variant_of is not None}
    return sorted(layer for layers, unit in segments if unit in variants for layer in layers)


def _ppb(noise: LayerNoise | None) -> int | None:
    return None if noise is None else round(noise.noise * PPB)
