"""The most frames a second within an error budget: a row of the linear program over lanes.

Over many frames the noise that counts is the mean of the lanes', each as often as it is taken. With
``x[l]`` frames a nanosecond on lane ``l`` that is one more row,

    sum over l of x[l] * (noise[l] - budget) <= 0

of the form that a limit on latency has (:mod:`counterpoint.planning.column_generation`). So the
noise of a lane stands there in the place of its latency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import (
    EXACT,
    LATE,
    MAX_PRICINGS,
    Column,
    Pricing,
    best_mix,
    relax,
)
from counterpoint.planning.evaluator import evaluate, interval_ns
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import merged
from counterpoint.planning.limited import Columns
from counterpoint.planning.problem import Weights, weighted_problem
from counterpoint.planning.restriction import restricted
from counterpoint.planning.result import PlannedLane, Segment
from counterpoint.planning.share_rounding import MAX_TOTAL_SHARE, Shares

_NEAR = 1e-9
"""Of the frames: lanes that get less are in a mix by rounding alone."""

_ONE = 1
"""Added to each noise and to the budget: the program takes a lane of latency 0 for one that uses
nothing at all."""


def mixed_lanes(
    network: Network,
    table: CostTable,
    allowed: Columns,
    max_error_ppb: int,
    start: tuple[Segment, ...],
) -> tuple[tuple[PlannedLane, ...], int]:
    """Lanes in whole shares whose mean noise keeps to the budget.

    Args:
        network: What is run.
        table: What it costs; the error of a layer is known wherever its time is.
        allowed: For each layer the columns that it may be given.
        max_error_ppb: The budget, in parts per billion.
        start: A lane that keeps to it.

    Returns:
        The lanes, and a time in nanoseconds: no mix within the budget has a smaller mean interval.
    """

    def column(segments: tuple[Segment, ...]) -> Column:
        found = evaluate(network, table, segments)
        if found.error_ppb is None:
            raise InternalError(f"{network.name}: {'; '.join(found.violations)}")
        return Column(segments, replace(found, latency_ns=found.error_ppb + _ONE))

    def price(weights: Mapping[str, int]) -> Pricing:
        error = weights.get(LATE, 0)
        prices = {name: float(weight) for name, weight in weights.items() if name != LATE}
        asked = Weights(device=prices, link=prices, error=float(error))
        found = label(restricted(weighted_problem(network, table, asked), allowed))
        if found.labels is None or found.lower_bound is None:
            raise InternalError(f"{network.name} has a lane, but no labelling")
        bound = Fraction(0)  # of rounded sums nothing is proven
        if found.lower_bound < EXACT:
            total = sum(weight for name, weight in weights.items() if name != LATE)
            least = int(found.lower_bound) - error * max_error_ppb
            bound = Fraction(max(0, least), max(1, total))
        return Pricing((column(merged(table, found.labels)),), bound)

    first = column(start)
    limit = max_error_ppb + _ONE
    found = relax([first], price, max_pricings=MAX_PRICINGS, max_latency_ns=limit)
    best = min(_roundings(found.columns, limit, first), key=_interval)
    return tuple(PlannedLane(lane.segments, share) for lane, share in best), int(found.bound_ns)


def _roundings(columns: Sequence[Column], limit: int, start: Column) -> Iterator[Shares]:
    """Whole shares within the limit, of every small sum, near the best mix; the fewest first."""
    yield ((start, 1),)
    if not start.busiest_ns:
        return
    rates, _ = best_mix(columns, limit)
    lanes = [
        (lane, rate / sum(rates))
        for lane, rate in zip(columns, rates, strict=True)
        if rate > _NEAR * sum(rates)
    ]
    # The noisiest lanes are rounded down first, so that the mean keeps to the limit.
    lanes.sort(key=lambda pair: -pair[0].latency_ns)
    for total in range(1, MAX_TOTAL_SHARE + 1):
        counts = [int(part * total + _NEAR) for _, part in lanes[:-1]]
        counts.append(total - sum(counts))
        shares = tuple(
            (lane, count) for (lane, _), count in zip(lanes, counts, strict=True) if count > 0
        )
        if sum((lane.latency_ns - limit) * share for lane, share in shares) <= 0:
            yield shares


def _interval(shares: Shares) -> Fraction:
    return interval_ns([(lane.evaluation, share) for lane, share in shares])
