"""The lane of least energy for one frame, run one segment at a time, perhaps within a time.

Without a limit that is one labelling; with one, see :mod:`counterpoint.planning.limited`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.limited import (
    MAX_BRANCHES,
    Cheapest,
    Columns,
    TwoCosts,
    Within,
    cheapest_within,
)
from counterpoint.planning.restriction import Fixed, allowed_columns, restriction_settings
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.planning.trade_off import TradeOff, energy_settings


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
    lanes = _ByTime(trade_off)
    if max_latency_ns is None:
        frugal = lanes.cheapest(allowed, 1, 0)
        found = Within(frugal.point, frugal.least) if frugal else Within(None, 0)
    else:
        settings |= {"max_latency_ns": max_latency_ns, "max_branches": max_branches}
        found = cheapest_within(lanes, allowed, max_latency_ns, max_branches=max_branches)
    best = found.best
    if best is None:
        reason = _why_none(trade_off, allowed)
    proven = best is not None and best.cost == found.bound
    return PlanResult(
        planner="energy",
        status=Status.INFEASIBLE if reason else Status.OPTIMAL if proven else Status.FEASIBLE,
        lanes=() if best is None else (PlannedLane(best.segments),),
        objective=Objective.ENERGY,
        value=None if best is None else best.cost,
        lower_bound=None if best is None else found.bound,
        reason=reason,
        settings=settings,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _why_none(trade_off: TradeOff, allowed: Columns) -> str:
    quick = trade_off.best(allowed, 1, 0)
    if quick is None:
        return trade_off.why_none(allowed)
    return f"no lane is quick enough: the quickest takes {quick.point.latency_ns} ns a frame"


@dataclass(frozen=True, slots=True)
class _ByTime:
    """Energy as the cost, latency as what is limited."""

    trade_off: TradeOff

    def cheapest(self, allowed: Columns, cost: int, limited: int) -> Cheapest | None:
        """See :class:`counterpoint.planning.limited.Priced`."""
        found = self.trade_off.best(allowed, limited, cost)
        if found is None:
            return None
        point, line = found.point, found.line
        # The trade-off cancels what both prices have in common.
        scale = cost // line.energy if line.energy else limited // line.time if line.time else 1
        return Cheapest(
            TwoCosts(point.labels, point.segments, point.energy_pj, point.latency_ns),
            line.least * scale,
        )

    def layer_cost(self, layer: int, column: int) -> int:
        """See :class:`counterpoint.planning.limited.Priced`."""
        return (self.trade_off.table.layer_energy_pj or ())[layer][column] or 0
