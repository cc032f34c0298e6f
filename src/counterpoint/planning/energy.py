"""The lane of least energy for one frame, run one segment at a time, perhaps within a time.

Without a limit that is one labelling. With one, the limit gets a price: for any price of time the
best weighted sum bounds the energy of every lane that keeps to the limit (Lagrange), and the best
such bound is the height of the hull above the limit. What remains between it and the best lane
found is closed by branching on a layer about whose unit the limit's two neighbours on the hull
disagree (Handler and Zang, *A dual algorithm for the constrained shortest path problem*, Networks
10, 1980; theirs ranks paths where we branch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.restriction import Fixed, allowed_columns, restriction_settings
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.planning.trade_off import Columns, Point, TradeOff, energy_settings

MAX_BRANCHES = 100
"""Each takes some labellings: seconds for a network of a hundred layers."""


def plan_energy(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
    max_latency_ns: int | None = None,
    max_branches: int = MAX_BRANCHES,
) -> PlanResult:
    """The lane of least energy, proven best unless the status says less.

    The energy of a frame is that of the work above idle, and that of the idle machine for as long
    as the frame takes. An idle power or an overhead power that is not known counts as 0.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.
        max_latency_ns: No frame may take longer; ``None``: it may.
        max_branches: So many parts of all lanes are looked at, where the latency is limited.

    Raises:
        UserInputError: An unknown unit or layer, the costs of another network, or costs without
            any energy.
    """
    began_ns = perf_counter_ns()
    allowed = allowed_columns(network, table, units, fixed)
    trade_off = TradeOff(network, table)
    settings = restriction_settings(units, fixed) | energy_settings(table)
    reason = None
    if max_latency_ns is None:
        frugal = trade_off.best(allowed, 0, 1)
        best, bound_pj = (frugal.point, frugal.line.least) if frugal else (None, 0)
    else:
        settings |= {"max_latency_ns": max_latency_ns, "max_branches": max_branches}
        best, bound_pj = _within(trade_off, allowed, max_latency_ns, max_branches)
    if best is None:
        reason = _why_none(trade_off, allowed)
    proven = best is not None and best.energy_pj == bound_pj
    return PlanResult(
        planner="energy",
        status=Status.INFEASIBLE if reason else Status.OPTIMAL if proven else Status.FEASIBLE,
        lanes=() if best is None else (PlannedLane(best.segments),),
        objective=Objective.ENERGY,
        value=None if best is None else best.energy_pj,
        lower_bound=None if best is None else bound_pj,
        reason=reason,
        settings=settings,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _why_none(trade_off: TradeOff, allowed: Columns) -> str:
    quick = trade_off.best(allowed, 1, 0)
    if quick is None:
        return trade_off.why_none(allowed)
    return f"no lane is quick enough: the quickest takes {quick.point.latency_ns} ns a frame"


@dataclass(frozen=True, slots=True, order=True)
class _Branch:
    """A part of all lanes.

    Attributes:
        bound_pj: No lane of it that keeps to the limit takes less energy.
        serial: Tells branches of one bound apart.
        allowed: What each layer may be given.
        quick: The most frugal of the hull's lanes that keep to the limit.
        frugal: The quickest of those that break it, or the most frugal one of all.
    """

    bound_pj: int
    serial: int
    allowed: Columns = field(compare=False)
    quick: Point = field(compare=False)
    frugal: Point = field(compare=False)


def _within(
    trade_off: TradeOff, allowed: Columns, limit_ns: int, max_branches: int
) -> tuple[Point | None, int]:
    """The best lane found that keeps to the limit, and the energy that none of those goes below.

    ``None`` where no lane does.
    """
    best: Point | None = None
    waiting: list[_Branch] = []
    parts: list[Columns] = [allowed]
    looked_at = 0
    while True:
        for part in parts:
            looked_at += 1
            branch = _branch(trade_off, part, limit_ns, looked_at)
            if branch is None:
                continue
            heappush(waiting, branch)
            for point in (branch.quick, branch.frugal):
                if point.latency_ns <= limit_ns and (
                    best is None or point.energy_pj < best.energy_pj
                ):
                    best = point
        if best is not None and (not waiting or waiting[0].bound_pj >= best.energy_pj):
            return best, best.energy_pj
        if not waiting:
            return None, 0
        branch = heappop(waiting)
        parts = _parted(branch, trade_off.table)
        if not parts or looked_at >= max_branches:
            return best, branch.bound_pj


def _branch(trade_off: TradeOff, allowed: Columns, limit_ns: int, serial: int) -> _Branch | None:
    """The best bound that a price of time gives; ``None`` where no lane keeps to the limit."""
    frugal = trade_off.best(allowed, 0, 1)
    if frugal is None:
        return None
    bound_pj = frugal.line.least
    if frugal.point.latency_ns <= limit_ns:
        return _Branch(bound_pj, serial, allowed, frugal.point, frugal.point)
    quick = trade_off.best(allowed, 1, 0)
    if quick is None or quick.line.least > limit_ns:
        return None
    left, right = quick.point, frugal.point
    while left.latency_ns <= limit_ns and left.energy_pj > right.energy_pj:
        time, energy = left.energy_pj - right.energy_pj, right.latency_ns - left.latency_ns
        found = trade_off.best(allowed, time, energy)
        if found is None:
            raise InternalError("energy: a labelling lost its only lane")
        bound_pj = max(bound_pj, found.line.energy_at(limit_ns))
        if found.point.priced(time, energy) >= left.priced(time, energy):
            break
        if found.point.latency_ns <= limit_ns:
            left = found.point
        else:
            right = found.point
    return _Branch(bound_pj, serial, allowed, left, right)


def _parted(branch: _Branch, table: CostTable) -> list[Columns]:
    """Two parts of it, each without one of its two lanes; nothing where the two are one."""
    energies = table.layer_energy_pj or ()

    def difference_pj(layer: int) -> int:
        row = energies[layer]
        return abs((row[branch.quick.labels[layer]] or 0) - (row[branch.frugal.labels[layer]] or 0))

    both = zip(branch.quick.labels, branch.frugal.labels, strict=True)
    disputed = [layer for layer, (one, other) in enumerate(both) if one != other]
    if not disputed:
        return []
    layer = max(disputed, key=difference_pj)
    chosen = branch.quick.labels[layer]
    rest = [column for column in branch.allowed[layer] if column != chosen]
    return [
        [*branch.allowed[:layer], columns, *branch.allowed[layer + 1 :]]
        for columns in ([chosen], rest)
    ]
