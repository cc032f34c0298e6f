"""The lane of least makespan for one frame whose segments may overlap on different devices.

The network is cut into blocks (:mod:`blocks`), each block is solved between given units of its
cuts (:mod:`block_search`), and the best units of the cuts are a shortest path. Only blocks on a
path that may still be the best one are solved (a lazy shortest path: Dellin and Srinivasa, *A
unifying formalism for shortest path problems with expensive edge evaluations*, ICAPS 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.block_search import Passage
from counterpoint.planning.blocks import Block, blocks_of
from counterpoint.planning.branch_solver import Effort
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.lane_moves import Lane
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.restriction import Fixed, allowed_columns
from counterpoint.planning.result import PlannedLane, PlanResult, Segment, Status

MAX_WORKERS = 256
"""Threads of the solver; each holds a copy of the model."""

FIRST_EFFORT_S = 1.0
"""Deterministic seconds of the first search in a block; twice as much each time again."""


def plan_branches(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
    time_limit_s: float = 30.0,
    seed: int = 0,
    workers: int = 1,
) -> PlanResult:
    """The lane of least makespan under the cost table and the dispatcher's rule.

    Never slower than the lane of :func:`plan_latency`. The bound holds for every lane, whatever
    its segments and their order. The dispatcher starts what it can, and the bound holds even for
    schedules that wait on purpose, so the best lane does not always reach it.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.
        time_limit_s: For the search: both by the clock and in the solver's own count of work,
            which as a rule ends it first.
        seed: Of the solver's random choices.
        workers: Threads of the solver. With one the answer is always the same, as long as the
            clock does not end the search.

    Raises:
        UserInputError: An unknown unit or layer, the costs of another network, or a seed or a
            number of workers out of range.
    """
    if not 0 <= seed < 2**31 or not 1 <= workers <= MAX_WORKERS:
        raise UserInputError(
            f"seed {seed} or workers {workers} out of range: a seed is 0 to 2**31 - 1, "
            f"workers are 1 to {MAX_WORKERS}"
        )
    began_ns = perf_counter_ns()
    sequential = plan_latency(network, table, units=units, fixed=fixed)
    settings = dict(sequential.settings) | {"time_limit_s": time_limit_s, "workers": workers}
    if sequential.status is Status.INFEASIBLE:
        return PlanResult(
            planner="branches",
            status=Status.INFEASIBLE,
            reason=sequential.reason,
            settings=settings,
            seed=seed,
            time_spent_ns=perf_counter_ns() - began_ns,
        )
    allowed = allowed_columns(network, table, units, fixed)
    blocks = blocks_of(network, table)
    search = _Search([_Crossing(block, allowed) for block in blocks])
    search.run(Effort(time_limit_s, time_limit_s, seed, workers), began_ns)
    segments = sequential.segments
    value = evaluate(network, table, segments).makespan_ns
    found = search.shortest(_upper)
    if found is not None:
        joined = _joined(found.passages)
        joined_ns = evaluate(network, table, joined).makespan_ns
        if value is None or (joined_ns is not None and joined_ns <= value):
            segments, value = joined, joined_ns
    if value is None:
        raise InternalError(f"branches of {network.name}: no lane, but one can run")
    least = search.shortest(_lower)
    bound = value if least is None else min(value, least.total_ns)
    return PlanResult(
        planner="branches",
        status=Status.OPTIMAL if bound == value else Status.FEASIBLE,
        lanes=(PlannedLane(segments),),
        value=value,
        lower_bound=bound,
        settings=settings,
        seed=seed,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


class _Crossing:
    """All ways through a block.

    Attributes:
        passages: By the units of the cuts that open and close it; ``None`` without one.
        free: With the cuts on any unit: its bound holds for all.
    """

    def __init__(self, block: Block, allowed: Sequence[Sequence[int]]) -> None:
        here = [
            [unit for unit in allowed[block.first + layer] if row[unit] is not None]
            for layer, row in enumerate(block.table.layer_ns)
        ]
        self.free = Passage(block, here)
        self.passages: dict[tuple[int | None, int | None], Passage] = {}
        for opening in here[0] if block.opened else [None]:
            for closing in here[-1] if block.closed else [None]:
                columns = list(here)
                if opening is not None:
                    columns[0] = [opening]
                if closing is not None:
                    columns[-1] = [closing]
                self.passages[opening, closing] = Passage(block, columns)

    def search_free(self, effort: Effort) -> float:
        """A bound for all passages, and a lane for one; returns the deterministic seconds spent."""
        self.free.visit()
        spent_s = self.free.search(effort)
        for passage in self.passages.values():
            passage.lower_ns = max(passage.lower_ns, self.free.lower_ns)
            passage.offer(self.free.lane)
        return spent_s


@dataclass(frozen=True, slots=True)
class _Path:
    """One passage through each block, and the sum of what was asked of them."""

    total_ns: int
    passages: tuple[Passage, ...]

    @property
    def is_settled(self) -> bool:
        """More search changes nothing along it."""
        return all(passage.settled for passage in self.passages)


def _lower(passage: Passage) -> int | None:
    """The bound; ``None`` where there is no way through."""
    return None if passage.visited and not passage.lane else passage.lower_ns


def _upper(passage: Passage) -> int | None:
    return passage.upper_ns


def _prospect(passage: Passage) -> int | None:
    """What it may still come to: the best lane found where the search is over, else the bound."""
    return passage.upper_ns if passage.settled else passage.lower_ns


class _Search:
    """Passages through all blocks, looked at where the best lane may still go."""

    def __init__(self, crossings: Sequence[_Crossing]) -> None:
        self.crossings = crossings

    def shortest(self, length: Callable[[Passage], int | None]) -> _Path | None:
        """The path of least length; ``None`` where there is none."""
        reached: dict[int | None, _Path] = {None: _Path(0, ())}
        for crossing in self.crossings:
            behind: dict[int | None, _Path] = {}
            for (opening, closing), passage in crossing.passages.items():
                own_ns = length(passage)
                if own_ns is None or opening not in reached:
                    continue
                before = reached[opening]
                total_ns = before.total_ns + own_ns
                if closing not in behind or total_ns < behind[closing].total_ns:
                    behind[closing] = _Path(total_ns, (*before.passages, passage))
            reached = behind
        return reached.get(None)

    def run(self, effort: Effort, began_ns: int) -> None:
        """Until nothing better can be found or proven, or the effort is spent."""
        left_s = effort.deterministic_s
        while True:
            paths = [path for path in map(self.shortest, (_prospect, _lower)) if path is not None]
            fresh = {id(one): one for path in paths for one in path.passages if not one.visited}
            for passage in fresh.values():
                passage.visit()
            if fresh:
                continue
            best = self.shortest(_upper)
            if best is None or best.total_ns <= paths[-1].total_ns:
                return
            path = next((path for path in paths if not path.is_settled), None)
            wall_s = effort.wall_s - (perf_counter_ns() - began_ns) / 1e9
            if path is None or left_s <= 0 or wall_s <= 0:
                return
            open_ = [passage for passage in path.passages if not passage.settled]
            passage = min(open_, key=lambda one: (one.searches, one.lower_ns - (one.upper_ns or 0)))
            share_s = min(left_s, FIRST_EFFORT_S * 2**passage.searches)
            share = Effort(share_s, wall_s, effort.seed, effort.workers)
            crossing = self.crossings[path.passages.index(passage)]
            if len(crossing.passages) > 1 and not crossing.free.visited:
                left_s -= crossing.search_free(share)
            else:
                left_s -= passage.search(share)


def _joined(passages: Sequence[Passage]) -> Lane:
    """The ways through all blocks as one lane: neighbours share the segment of their cut."""
    lane: list[Segment] = []
    for passage in passages:
        first = passage.block.first
        part = [(tuple(first + layer for layer in layers), unit) for layers, unit in passage.lane]
        if lane and passage.block.opened:
            before, unit = lane.pop()
            part[0] = (tuple(sorted({*before, *part[0][0]})), unit)
        lane += part
    return tuple(lane)
