"""Which units a layer may be given: what the user fixed, as part of the problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.problem import FORBIDDEN, LabellingProblem
from counterpoint.planning.result import Setting

Fixed = Mapping[int, str | tuple[str, ...]]
"""Layers (by index) that have to run on a unit, or on one of several (by name)."""


def named_units(fixed: Fixed | None) -> tuple[str, ...]:
    """Names of all units that some layer may or must be given, each once."""
    several = [(units,) if isinstance(units, str) else units for units in (fixed or {}).values()]
    return tuple(dict.fromkeys(name for names in several for name in names))


def column_of(table: CostTable, unit: str) -> int:
    """The unit's column.

    Raises:
        UserInputError: The table has no such unit.
    """
    if unit not in table.unit_names:
        known = ", ".join(table.unit_names) or "none"
        raise UserInputError(f"unknown compute unit {unit!r}; the costs know: {known}")
    return table.unit_names.index(unit)


def allowed_columns(
    network: Network, table: CostTable, units: Iterable[str] | None, fixed: Fixed | None
) -> list[list[int]]:
    """For each layer the columns that it may be given.

    Args:
        network: What is planned.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: What has to run where; those units need not be among ``units``.

    Raises:
        UserInputError: An unknown unit or layer.
    """
    names = table.unit_names if units is None else units
    columns = sorted({column_of(table, name) for name in names})
    allowed = [columns] * len(network.layers)
    for layer, chosen in (fixed or {}).items():
        if not 0 <= layer < len(network.layers):
            last = len(network.layers) - 1
            raise UserInputError(f"unknown layer {layer}; {network.name} has layers 0 to {last}")
        several = (chosen,) if isinstance(chosen, str) else chosen
        allowed[layer] = sorted({column_of(table, name) for name in several})
    return allowed


def restricted(problem: LabellingProblem, allowed: Sequence[Sequence[int]]) -> LabellingProblem:
    """The problem in which each layer gets one of its columns."""
    layer_cost = np.full_like(problem.layer_cost, FORBIDDEN)
    for layer, columns in enumerate(allowed):
        layer_cost[layer, columns] = problem.layer_cost[layer, columns]
    return LabellingProblem(layer_cost, problem.entry_cost, problem.tensors, problem.calls)


def restriction_settings(units: Sequence[str] | None, fixed: Fixed | None) -> dict[str, Setting]:
    """What was restricted, for a planner's answer."""
    settings: dict[str, Setting] = {}
    if units is not None:
        settings["units"] = tuple(units)
    if fixed:
        settings["fixed"] = tuple(
            f"{layer}={chosen if isinstance(chosen, str) else '|'.join(chosen)}"
            for layer, chosen in sorted(fixed.items())
        )
    return settings
