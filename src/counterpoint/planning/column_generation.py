"""The linear program over lanes, solved without listing them all.

With ``x[l]`` frames a nanosecond on lane ``l``, and ``busy[l][r]`` the time for which such a frame
keeps resource ``r`` (a device or a link) busy:

    max sum over l of x[l]   so that   sum over l of x[l] * busy[l][r] <= 1   for each r;   x >= 0

No schedule gets more than its optimum. Lanes are too many to list, so the program has some, and the
prices of its resources (the dual values) ask for another: the lane that costs least under them
(Gilmore and Gomory 1961). Whatever prices ``w >= 0``, the answer also bounds the optimum: a frame
has to use at least ``min over l of sum over r of w[r] * busy[l][r]``, and in a
nanosecond no more than ``sum(w)`` can be used. So the mean interval between frames is at least

    min over l of sum over r of w[r] * busy[l][r] / sum(w)

(Farley 1990). Prices are whole numbers, so that this bound is exact and not a rounded one.

A limit on latency is one more row: ``sum over l of x[l] * (latency[l] - limit) <= 0``. It limits
the mean only, so its optimum also bounds mixes of lanes that all keep to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from counterpoint.errors import InternalError
from counterpoint.planning.evaluator import Evaluation
from counterpoint.planning.result import Segment

TOLERANCE = 1e-5
"""The search ends when the bound is that close to the optimum over the lanes found."""

COARSE_TOLERANCE = 1e-3
"""The same where a lane takes long to price. The last lanes bring little and are most of the work;
whole shares lose more."""

MAX_PRICINGS = 300
"""The search ends after so many questions for a lane. The bound holds wherever it ends."""

_SMOOTHING = 0.7
"""How far the prices that are asked for stay with the best ones so far: a program of few lanes has
wild prices (smoothing of Wentges 1997)."""

LATE = "latency beyond the limit"
"""What the row of the latency limit is called among the resources."""

EXACT = 2**53
"""Whole numbers up to this are exact in double precision."""

_SPARE_BITS = 4
"""The price of latency may be so much higher than those of all resources."""

_MOST_PRICE_BITS = 30
"""Finer prices than a billionth change nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """A lane and what one frame on it uses.

    Attributes:
        segments: In run order.
        evaluation: By the evaluator, without violations.
    """

    segments: tuple[Segment, ...]
    evaluation: Evaluation

    @property
    def latency_ns(self) -> int:
        """Of one frame alone."""
        if self.evaluation.latency_ns is None:
            raise InternalError("; ".join(self.evaluation.violations))
        return self.evaluation.latency_ns

    @property
    def busiest_ns(self) -> int:
        """Interval between frames when all take this lane."""
        return max(self.evaluation.busy_ns.values(), default=0)

    def price(self, weights: Mapping[str, int]) -> int:
        """Sum over devices and links of use times weight."""
        return sum(
            time_ns * weights.get(name, 0) for name, time_ns in self.evaluation.busy_ns.items()
        )


@dataclass(frozen=True, slots=True)
class Pricing:
    """The answer to some prices.

    Attributes:
        columns: Cheap lanes; the cheapest one, where nothing else limits the choice.
        bound_ns: No mix of allowed lanes has a smaller mean interval between frames.
    """

    columns: tuple[Column, ...]
    bound_ns: Fraction


PriceLanes = Callable[[Mapping[str, int]], Pricing]
"""Cheap lanes under whole prices, not negative, of all devices and links and of ``LATE``."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The linear program's answer.

    Attributes:
        columns: All lanes found.
        bound_ns: No mix of allowed lanes has a smaller mean interval between frames.
        pricings: How many times a lane was asked for.
    """

    columns: tuple[Column, ...]
    bound_ns: Fraction
    pricings: int


def relax(
    start: Sequence[Column],
    price: PriceLanes,
    *,
    max_pricings: int,
    max_latency_ns: int | None = None,
    tolerance: float = TOLERANCE,
) -> Relaxation:
    """The best mix of lanes and a bound on any mix.

    Args:
        start: Lanes to begin with; at least one within the limit on latency.
        price: Finds more.
        max_pricings: Asks it so many times at most.
        max_latency_ns: Of a frame alone, in the mean of the mix; ``None``: no limit.
        tolerance: Ends when the bound is that close.
    """
    columns = {column.segments: column for column in start}
    quickest = min(start, key=lambda column: column.latency_ns)
    if not quickest.latency_ns:  # such a frame uses nothing
        return Relaxation((quickest,), Fraction(0), 0)
    spare = EXACT.bit_length() - _SPARE_BITS - quickest.latency_ns.bit_length()
    precision = 2 ** max(1, min(_MOST_PRICE_BITS, spare))
    bound_ns = Fraction(0)
    trusted: Mapping[str, float] | None = None
    smooth = True
    pricings = 0
    rates, prices = best_mix(tuple(columns.values()), max_latency_ns)
    while pricings < max_pricings and bound_ns * sum(rates) < 1 - tolerance:
        asked = prices if trusted is None or not smooth else _between(trusted, prices)
        answer = price({name: int(value * precision) for name, value in asked.items()})
        pricings += 1
        if answer.bound_ns > bound_ns:
            bound_ns, trusted = answer.bound_ns, asked
        found = {column.segments: column for column in answer.columns} | columns
        if len(found) > len(columns):
            columns, smooth = found, True
            rates, prices = best_mix(tuple(columns.values()), max_latency_ns)
        elif asked is prices:
            break  # prices are fair for all lanes, within rounding
        else:
            smooth = False
    return Relaxation(tuple(columns.values()), bound_ns, pricings)


def _between(trusted: Mapping[str, float], prices: Mapping[str, float]) -> dict[str, float]:
    return {
        name: _SMOOTHING * trusted.get(name, 0.0) + (1 - _SMOOTHING) * prices.get(name, 0.0)
        for name in {**trusted, **prices}
    }


def best_mix(
    columns: Sequence[Column], max_latency_ns: int | None = None
) -> tuple[tuple[float, ...], dict[str, float]]:
    """The linear program over these lanes alone; each has to use something.

    Returns:
        Frames a nanosecond on each lane, and the prices: of devices and links, which add up to 1,
        and of ``LATE`` where latency is limited.
    """
    # OR-Tools loads its libraries, which takes longer than planning a small network.
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("GLOP")
    if solver is None:
        raise InternalError("OR-Tools has no GLOP")
    # Rates in frames per this time are near 1, as the solver's tolerances expect.
    scale_ns = min(column.busiest_ns for column in columns)
    endless = solver.infinity()
    names = dict.fromkeys(name for column in columns for name in column.evaluation.busy_ns)
    rows = {name: solver.Constraint(-endless, 1.0) for name in names}
    late = None if max_latency_ns is None else solver.Constraint(-endless, 0.0)
    objective = solver.Objective()
    objective.SetMaximization()
    rates = []
    for column in columns:
        rate = solver.NumVar(0.0, endless, "")
        rates.append(rate)
        objective.SetCoefficient(rate, 1.0)
        for name, time_ns in column.evaluation.busy_ns.items():
            rows[name].SetCoefficient(rate, time_ns / scale_ns)
        if late is not None and max_latency_ns is not None:
            late.SetCoefficient(rate, (column.latency_ns - max_latency_ns) / scale_ns)
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        raise InternalError(f"no optimal mix of {len(columns)} lanes")
    prices = {name: max(0.0, row.dual_value()) for name, row in rows.items()}
    total = sum(prices.values())
    if late is not None:
        prices[LATE] = max(0.0, late.dual_value())
    return (
        tuple(max(0.0, rate.solution_value()) / scale_ns for rate in rates),
        {name: value / total for name, value in prices.items()},
    )
