"""The lane of least energy times delay for one frame, run one segment at a time.

The product is quasi-concave where both are at least 0, so over a polygon it is least at a corner
(Bazaraa, Sherali and Shetty, *Nonlinear Programming*, 2006, section 3.5): the best lane is a
corner of the lower-left hull of all lanes' latency and energy, which labellings find.

The proof is in whole numbers: between the corners of the lines that nobody lies below, the least
product on a line is again at its ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from math import inf
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.restriction import Fixed, allowed_columns, restriction_settings
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.planning.trade_off import (
    EXACT,
    Columns,
    Line,
    Point,
    Support,
    TradeOff,
    energy_settings,
)

_STEPS = 64
"""Latencies tried one by one at a corner, where rounding leaves some product in doubt."""


def plan_energy_delay(
    network: Network,
    table: CostTable,
    *,
    units: Sequence[str] | None = None,
    fixed: Fixed | None = None,
) -> PlanResult:
    """The lane of least energy times latency, proven best unless the status says less.

    Energy is that of the work above idle, and that of the idle machine for as long as the frame
    takes. An idle power or an overhead power that is not known counts as 0.

    Args:
        network: What is run.
        table: What it costs.
        units: Names of the units that may be used; ``None``: all of the table.
        fixed: Unit or units of some layers, by layer index; they need not be among ``units``.

    Raises:
        UserInputError: An unknown unit or layer, the costs of another network, or costs without
            any energy.
    """
    began_ns = perf_counter_ns()
    allowed = allowed_columns(network, table, units, fixed)
    trade_off = TradeOff(network, table)
    best, lines = _search(trade_off, allowed)
    bound = None if best is None else least_product(lines, best.energy_delay)
    reason = trade_off.why_none(allowed) if best is None else None
    proven = best is not None and bound == best.energy_delay
    return PlanResult(
        planner="energy-delay",
        status=Status.INFEASIBLE if reason else Status.OPTIMAL if proven else Status.FEASIBLE,
        lanes=() if best is None else (PlannedLane(best.segments),),
        objective=Objective.ENERGY_DELAY,
        value=None if best is None else best.energy_delay,
        lower_bound=bound,
        reason=reason,
        settings=restriction_settings(units, fixed) | energy_settings(table),
        time_spent_ns=perf_counter_ns() - began_ns,
    )


def _search(trade_off: TradeOff, allowed: Columns) -> tuple[Point | None, list[Line]]:
    """The best corner of the hull (``None``: there is no lane), and lines that nobody is below."""
    best: Point | None = None
    lines: list[Line] = []

    def needless(left: Support, right: Support) -> bool:
        return best is not None and _cannot_beat(best.energy_delay, left.line, right.line)

    for support in trade_off.hull(allowed, needless):
        lines.append(support.line)
        if best is None or support.point.energy_delay < best.energy_delay:
            best = support.point
    if best is not None and 2 * best.energy_delay >= EXACT:
        # The other lines are blurred by rounding. One along the product's contour has small enough
        # whole numbers to be exact, and excludes what is just below the best lane.
        shift = (2 * best.energy_delay).bit_length() - EXACT.bit_length() + 1
        contour = trade_off.best(allowed, best.energy_pj >> shift, best.latency_ns >> shift)
        if contour is not None and contour.line.energy:
            lines.append(contour.line)
            best = min(best, contour.point, key=lambda point: point.energy_delay)
    return best, lines


def _cannot_beat(answer: int, left: Line, right: Line) -> bool:
    """The product at the corner of two lines, the first one the steeper, is no less."""
    area = left.time * right.energy - right.time * left.energy
    latency = left.least * right.energy - right.least * left.energy
    energy = left.time * right.least - right.time * left.least
    return area <= 0 or latency * energy >= answer * area * area


def least_product(lines: Sequence[Line], answer: int) -> int:
    """No lane has less energy times latency; at most ``answer``.

    Args:
        lines: That no lane lies below; among them one of latency alone and one of energy alone.
        answer: The product of some lane.
    """
    least = answer
    for line, first, last in _cells(lines, answer):
        # On a line the product is concave: once it is no less at both ends, it is nowhere.
        for latencies in (range(first, last + 1), range(last, first - 1, -1)):
            for step, latency_ns in enumerate(latencies):
                if latency_ns * (line.least - line.time * latency_ns) >= answer * line.energy:
                    break
                if step == _STEPS:
                    product = latency_ns * (line.least - line.time * latency_ns) // line.energy
                    least = min(least, product)
                    break
                energy_pj = max(other.energy_at(latency_ns) for other in lines)
                least = min(least, latency_ns * energy_pj)
    return least


def _cells(lines: Iterable[Line], answer: int) -> Iterator[tuple[Line, int, int]]:
    """Parts of all latencies, first and last one in nanoseconds, each with a line for it.

    The lines by slope, each as far as the next one; the last one until the product is above
    ``answer`` in any case.
    """
    upright, *sloped = sorted(set(lines), key=_slope, reverse=True)
    first = upright.least
    for line, flatter in zip_longest(sloped, sloped[1:]):
        if flatter is None:
            last = answer // max(line.least, 1) + 1
        else:
            area = line.time * flatter.energy - flatter.time * line.energy
            height = line.least * flatter.energy - flatter.least * line.energy
            last = height // area if area else first - 1
        if last >= first:
            yield line, first, last
            first = last + 1


def _slope(line: Line) -> Fraction | float:
    return Fraction(line.time, line.energy) if line.energy else inf
