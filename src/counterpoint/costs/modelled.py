"""Costs that nobody recorded: a unit's cost model asked for each layer of a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from counterpoint.costs.column import Column
from counterpoint.costs.models.protocol import LayerModel, layer_costs
from counterpoint.errors import PlatformFileError
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_entries import UnitEntry

MODELS: Mapping[str, tuple[str, str]] = {
    "roofline": ("counterpoint.costs.models.roofline", "Roofline"),
    "nvdla": ("counterpoint.costs.models.nvdla", "Nvdla"),
    "vta": ("counterpoint.costs.models.vta", "Vta"),
}
"""Module and class of each model that platform files may name; loaded on first use."""


def unit_model(platform: PlatformFile, unit: UnitEntry) -> LayerModel:
    """The unit's model with the parameters of the file.

    Raises:
        PlatformFileError: There is no such model, or a parameter is missing, unknown or wrong.
    """
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import to_json

    where = f"platform {platform.name}, unit {unit.name}"
    if unit.model is None or unit.model not in MODELS:
        raise PlatformFileError(
            f"{where}: no cost model {str(unit.model)[:40]!r}; known are: {', '.join(MODELS)}"
        )
    module, name = MODELS[unit.model]
    kind: Any = getattr(import_module(module), name)
    unknown = sorted(set(unit.parameters) - set(kind.__dataclass_fields__))
    if unknown:
        raise PlatformFileError(f"{where}: parameters.{unknown[0][:40]} is unknown to {unit.model}")
    adapter: TypeAdapter[LayerModel] = TypeAdapter(kind)
    try:
        return adapter.validate_json(to_json(dict(unit.parameters), inf_nan_mode="constants"))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(["parameters", *(str(step) for step in fault["loc"])])
        raise PlatformFileError(f"{where}: key {key[:80]}: {fault['msg']}") from None


def modelled_column(platform: PlatformFile, unit: UnitEntry, network: Network) -> Column:
    """Costs of the network's layers on a unit that has a model.

    Raises:
        PlatformFileError: As :func:`unit_model`.
    """
    costs = layer_costs(unit_model(platform, unit), network)
    layer_ns: list[int | None] = []
    energy_pj: list[int | None] = []
    refusals: dict[int, str] = {}
    for layer, cost in zip(network.layers, costs, strict=True):
        answer = unit.refusal(layer) or cost
        if isinstance(answer, str):
            refusals[layer.index] = answer
            layer_ns.append(None)
            energy_pj.append(None)
        else:
            layer_ns.append(answer.time_ns)
            energy_pj.append(answer.energy_pj)
    return Column(layer_ns, energy_pj, refusals)
