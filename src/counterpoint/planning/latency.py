"""The lane of least latency for one frame, run one segment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from time import perf_counter_ns

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import Labelling, label
from counterpoint.planning.problem import crossing_tensors, latency_problem
from counterpoint.planning.restriction import (
    Fixed,
    allowed_columns,
    column_of,
    restricted,
    restriction_settings,
)
from counterpoint.planning.result import PlannedLane, PlanResult, Segment, Status


def plan_latency(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
) -> PlanResult:
    """The lane of least latency under the cost table, proven best unless the status says less.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.

    Raises:
        UserInputError: An unknown unit or layer, or the costs of another network.
    """
    began_ns = perf_counter_ns()
    allowed = allowed_columns(network, table, units, fixed)
    problem = restricted(latency_problem(network, table), allowed)
    settings = restriction_settings(units, fixed)
    labelling = label(problem)
    if labelling.labels is None or labelling.cost is None or labelling.lower_bound is None:
        reason = why_blocked(network, table, labelling, allowed)
        return PlanResult(
            planner="labelling",
            status=Status.INFEASIBLE,
            reason=reason,
            settings=settings,
            time_spent_ns=perf_counter_ns() - began_ns,
        )
    segments = merged(table, labelling.labels)
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
    column_of(table, unit)
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


def merged(table: CostTable, labels: Iterable[int]) -> tuple[Segment, ...]:
    """Consecutive layers of one unit as one segment: convex, because layers are in run order."""
    runs = groupby(enumerate(labels), key=lambda layer_and_unit: layer_and_unit[1])
    return tuple(
        (tuple(layer for layer, _ in members), table.unit_names[unit]) for unit, members in runs
    )


def why_blocked(
    network: Network, table: CostTable, labelling: Labelling, allowed: Sequence[Sequence[int]]
) -> str:
    """Why an infeasible labelling is so, in one line."""
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
