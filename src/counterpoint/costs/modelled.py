"""Costs that nobody recorded: a unit's cost model asked for each layer of a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from counterpoint.costs.column import Column
from counterpoint.costs.models.protocol import LayerModel, layer_costs
from counterpoint.errors import PlatformFileError
from counterpoint.network.graph import Layer, Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_entries import UnitEntry
from counterpoint.platform.file_faults import first_fault, quoted

MODELS: Mapping[str, tuple[str, str]] = {
    "roofline": ("counterpoint.costs.models.roofline", "Roofline"),
    "nvdla": ("counterpoint.costs.models.nvdla", "Nvdla"),
    "vta": ("counterpoint.costs.models.vta", "Vta"),
    "overlay": ("counterpoint.costs.models.overlay.unit", "OverlayUnit"),
}
"""Module and class of each model that platform files may name; loaded on first use."""


def unit_model(platform: PlatformFile, unit: UnitEntry, network: str | None = None) -> LayerModel:
    """The unit's model with the parameters of the file.

    Args:
        platform: The file.
        unit: One of its units, with a model.
        network: Name of the network that it runs, as some parameters may be for it alone.

    Raises:
        PlatformFileError: There is no such model, or a parameter is missing, unknown or wrong.
    """
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import to_json

    place = f"units.{platform.units.index(unit)}"
    if unit.model is None or unit.model not in MODELS:
        raise PlatformFileError(
            f"{platform.where}: key '{place}.model': no cost model is called "
            f"{quoted(unit.model)}; known are: {', '.join(MODELS)}"
        )
    module, model = MODELS[unit.model]
    kind: Any = getattr(import_module(module), model)
    name, parameters = unit.parameters_of(network)
    key = f"{place}.{name}"
    unknown = sorted(set(parameters) - set(kind.__dataclass_fields__))
    if unknown:
        raise PlatformFileError(
            f"{platform.where}: key {quoted(f'{key}.{unknown[0]}')} is unknown to {unit.model}"
        )
    adapter: TypeAdapter[LayerModel] = TypeAdapter(kind)
    try:
        text = to_json(dict(parameters), inf_nan_mode="constants")
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        raise PlatformFileError(f"{platform.where}: {first_fault(error, 'key', key)}") from None


def unit_models(platform: PlatformFile, network: str | None = None) -> dict[str, LayerModel]:
    """The models of all units that have one, by the units' names with their clock steps.

    Args:
        platform: The file.
        network: As for :func:`unit_model`.

    Raises:
        PlatformFileError: As :func:`unit_model`.
    """
    found: dict[str, LayerModel] = {}
    for entry in platform.units:
        if entry.model is None:
            continue
        model = unit_model(platform, entry, network)
        for unit in platform.platform.units:
            places = tuple(device.name for device in unit.devices)
            is_same = (unit.engine, places) == (entry.engine, entry.devices)
            settings = set(entry.settings.items()) <= set(unit.settings)
            if is_same and settings and unit.precision == entry.precision:
                found[unit.name] = model
    return found


def _precision_refusal(network: Network, unit: UnitEntry, layer: Layer) -> str | None:
    """In a network that is quantised in part, int8 units run what is. One that is not at all stands
    for its int8 form, which costs as much.
    """
    if unit.precision == "int8" and network.is_quantised and not layer.computes_int8:
        return "the layer is not quantised; the network gives no int8 form of it"
    return None


def modelled_column(platform: PlatformFile, unit: UnitEntry, network: Network) -> Column:
    """Costs of the network's layers on a unit that has a model.

    Raises:
        PlatformFileError: As :func:`unit_model`.
    """
    costs = layer_costs(unit_model(platform, unit, network.name), network)
    layer_ns: list[int | None] = []
    energy_pj: list[int | None] = []
    refusals: dict[int, str] = {}
    for layer, cost in zip(network.layers, costs, strict=True):
        answer = unit.refusal(layer) or cost
        if not isinstance(answer, str):
            answer = _precision_refusal(network, unit, layer) or answer
        if isinstance(answer, str):
            refusals[layer.index] = answer
            layer_ns.append(None)
            energy_pj.append(None)
        else:
            layer_ns.append(answer.time_ns)
            energy_pj.append(answer.energy_pj)
    memory_ns = [None if isinstance(cost, str) else cost.memory_ns for cost in costs]
    return Column(layer_ns, energy_pj, refusals, memory_ns=memory_ns)
