"""Searches the constraint program of a frame, from a lane on, with a bound for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.branch_model import BranchModel, Leaders
from counterpoint.planning.result import Segment

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


@dataclass(frozen=True, slots=True)
class Effort:
    """How long the solver may search.

    Attributes:
        deterministic_s: In the solver's own count of work, about a second each.
        wall_s: By the clock, for machines on which that count runs slowly.
        seed: Of its random choices.
        workers: Threads.
    """

    deterministic_s: float
    wall_s: float
    seed: int
    workers: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver found.

    Attributes:
        lanes: Of each schedule found, its segments in the order in which they start; the best
            comes last.
        lower_bound_ns: No lane that the model describes is quicker.
        finished: The search is over: more time would change nothing.
        spent_s: Of the deterministic time.
    """

    lanes: tuple[tuple[Segment, ...], ...]
    lower_bound_ns: int
    finished: bool
    spent_s: float


def solve_branches(
    network: Network,
    table: CostTable,
    allowed: Sequence[Sequence[int]],
    leaders: Leaders,
    *,
    start: Sequence[Segment],
    limit_ns: int,
    effort: Effort,
) -> Answer:
    """Searches for the quickest schedule of one frame.

    Args:
        network: What is run.
        table: What it costs.
        allowed: Columns that each layer may be given, cells without a time excepted.
        leaders: Which segments are looked at.
        start: A lane to start from.
        limit_ns: Makespan of a lane that can run; nothing slower is looked at.
        effort: How long.

    Raises:
        InternalError: The model has no solution, though there is such a lane.
    """
    from ortools.sat.python import cp_model

    model = BranchModel(network, table, allowed, leaders, limit_ns)
    _hint(model, start)
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = effort.deterministic_s
    solver.parameters.max_time_in_seconds = effort.wall_s
    solver.parameters.random_seed = effort.seed
    solver.parameters.num_workers = effort.workers
    # Propagation alone is quickest here: three times quicker than with linear programs.
    solver.parameters.linearization_level = 0
    solver.parameters.cp_model_probing_level = 0
    solver.parameters.symmetry_level = 0
    lanes: list[tuple[Segment, ...]] = []

    class Collector(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            lanes.append(_lane(model, self))

    status = solver.solve(model.model, Collector())
    spent_s = solver.response_proto.deterministic_time
    if status in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID):
        name = solver.status_name(status)
        raise InternalError(f"{network.name}: a lane can run, but its model is {name}")
    bound_ns = ceil(max(0.0, solver.best_objective_bound) - 1e-6)
    return Answer(tuple(lanes), bound_ns, status == cp_model.OPTIMAL, spent_s)


def _hint(model: BranchModel, start: Sequence[Segment]) -> None:
    placed = {
        (layer, min(layers), model.table.unit_names.index(unit))
        for layers, unit in start
        for layer in layers
    }
    for key, flag in model.member.items():
        model.model.add_hint(flag, key in placed)


def _lane(model: BranchModel, solution: cp_model.CpSolverSolutionCallback) -> tuple[Segment, ...]:
    """The segments of a solution in the order in which they start."""
    members: dict[tuple[int, int], list[int]] = {}
    for (layer, leader, unit), flag in model.member.items():
        if solution.value(flag):
            members.setdefault((leader, unit), []).append(layer)
    begin = {key: solution.value(model.starts[key[0]]) for key in members}
    segment_of = {layer: key for key, layers in members.items() for layer in layers}
    waits: dict[tuple[int, int], set[tuple[int, int]]] = {key: set() for key in members}
    for maker, reader in model.edges():
        if segment_of[maker] != segment_of[reader]:
            waits[segment_of[reader]].add(segment_of[maker])
    ordered: list[tuple[int, int]] = []
    left = sorted(members, key=lambda key: (begin[key], key))
    while left:  # those that take no time may start together: makers first
        first = next(key for key in left if waits[key] <= set(ordered))
        ordered.append(first)
        left.remove(first)
    return tuple((tuple(members[key]), model.table.unit_names[key[1]]) for key in ordered)
