"""The lane of least latency for one frame, run one segment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from time import perf_counter_ns

import numpy as np

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import Labelling, label
from counterpoint.planning.problem import (
    FORBIDDEN,
    LabellingProblem,
    crossing_tensors,
    latency_problem,
)
from counterpoint.planning.result import PlannedLane, PlanResult, Segment, Setting, Status


def plan_latency(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Mapping[int, str] | None = None,
) -> PlanResult:
    """The lane of least latency under the cost table, proven best unless the status says less.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit of some layers, by layer index; it need not be among ``units``.

    Raises:
        UserInputError: An unknown unit or layer, or the costs of another network.
    """
    began_ns = perf_counter_ns()
    allowed = _allowed_columns(network, table, units, fixed or {})
    problem = _restricted(latency_problem(network, table), allowed)
    settings: dict[str, Setting] = {}
    if units is not None:
        settings["units"] = tuple(units)
    if fixed:
        settings["fixed"] = tuple(f"{layer}={unit}" for layer, unit in sorted(fixed.items()))
    labelling = label(problem)
    if labelling.labels is None or labelling.cost is None or labelling.lower_bound is None:
        reason = _why_blocked(network, table, labelling, allowed)
        return PlanResult(
            planner="labelling",
            status=Status.INFEASIBLE,
            reason=reason,
            settings=settings,
            time_spent_ns=perf_counter_ns() - began_ns,
        )
    segments = _merged(table, labelling.labels)
    evaluation = evaluate(network, table, segments)
    if evaluation.latency_ns != round(labelling.cost):
        broken = "; ".join(evaluation.violations) or f"{evaluation.latency_ns} ns"
        raise InternalError(f"labelling of {network.name}: {labelling.cost} ns, but {broken}")
    return PlanResult(
        planner="labelling",
        status=labelling.status,
        lanes=(PlannedLane(segments),),
        value=evaluation.latency_ns,
        lower_bound=int(labelling.lower_bound),
        settings=settings,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def single_unit_plan(network: Network, table: CostTable, unit: str) -> PlanResult:
    """The whole network on one unit, which proves nothing about other plans.

    Infeasible when the unit refuses a layer, or cannot be reached.

    Raises:
        UserInputError: The table has no such unit.
    """
    began_ns = perf_counter_ns()
    _column(table, unit)
    segments: tuple[Segment, ...] = ((tuple(range(len(network.layers))), unit),)
    evaluation = evaluate(network, table, segments)
    infeasible = evaluation.latency_ns is None
    return PlanResult(
        planner="single-unit",
        status=Status.INFEASIBLE if infeasible else Status.FEASIBLE,
        lanes=() if infeasible else (PlannedLane(segments),),
        value=evaluation.latency_ns,
        reason=evaluation.violations[0] if infeasible else None,
        settings={"unit": unit},
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _column(table: CostTable, unit: str) -> int:
    if unit not in table.unit_names:
        known = ", ".join(table.unit_names) or "none"
        raise UserInputError(f"unknown compute unit {unit!r}; the costs know: {known}")
    return table.unit_names.index(unit)


def _allowed_columns(
    network: Network,
    table: CostTable,
    units: Iterable[str] | None,
    fixed: Mapping[int, str],
) -> list[list[int]]:
    """The columns that each layer may be given."""
    names = table.unit_names if units is None else units
    columns = sorted({_column(table, name) for name in names})
    allowed = [columns] * len(network.layers)
    for layer, unit in fixed.items():
        if not 0 <= layer < len(network.layers):
            last = len(network.layers) - 1
            raise UserInputError(f"unknown layer {layer}; {network.name} has layers 0 to {last}")
        allowed[layer] = [_column(table, unit)]
    return allowed


def _restricted(problem: LabellingProblem, allowed: Sequence[Sequence[int]]) -> LabellingProblem:
    """The problem in which each layer gets one of its columns."""
    layer_cost = np.full_like(problem.layer_cost, FORBIDDEN)
    for layer, columns in enumerate(allowed):
        layer_cost[layer, columns] = problem.layer_cost[layer, columns]
    return LabellingProblem(layer_cost, problem.entry_cost, problem.tensors)


def _merged(table: CostTable, labels: Iterable[int]) -> tuple[Segment, ...]:
    """Consecutive layers of one unit as one segment: convex, because layers are in run order."""
    runs = groupby(enumerate(labels), key=lambda layer_and_unit: layer_and_unit[1])
    return tuple(
        (tuple(layer for layer, _ in members), table.unit_names[unit]) for unit, members in runs
    )


def _why_blocked(
    network: Network, table: CostTable, labelling: Labelling, allowed: Sequence[Sequence[int]]
) -> str:
    if labelling.blocked_layer is None:
        raise InternalError(f"labelling of {network.name} is infeasible, but nothing blocks it")
    layer = network.layers[labelling.blocked_layer]
    columns = allowed[layer.index]
    times = table.layer_ns[layer.index]
    if all(times[column] is None for column in columns):
        reasons = (
            f"{table.unit_names[column]}: "
            + table.refusals.get((layer.index, column), "its time is not known")
            for column in columns
        )
        return f"no unit can run layer {layer.name!r}: " + ("; ".join(reasons) or "none is allowed")
    if labelling.blocked_tensor is None:
        return f"no unit can run layer {layer.name!r} and get all it reads: links are missing"
    name = crossing_tensors(network)[labelling.blocked_tensor]
    if name in layer.outputs:
        return f"no unit can run layer {layer.name!r} and return {name!r}: a link is missing"
    return f"no unit can run layer {layer.name!r} and get tensor {name!r}: a link is missing"
