"""Whole shares of lanes whose mix comes close to the one of the linear program.

Frames take lanes in rotation, so shares are whole numbers. A small sum of shares is worth something
in itself: the rotation then repeats soon, and fewer frames under way reach its interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from counterpoint.planning.column_generation import Column, best_mix
from counterpoint.planning.evaluator import interval_ns

MAX_TOTAL_SHARE = 200
"""Of all lanes together. Shares of so many frames are at most half a percent of them off."""

_AS_GOOD = Fraction(2, 1000)
"""Of the best found: a smaller sum of shares is worth that much."""

_FEWER_LANES = 1 + 1e-3
"""A lane is dropped when the mix without it is no worse than that: each lane holds compiled
segments in memory."""

Shares = tuple[tuple[Column, int], ...]
"""Lanes with their shares, from 1."""


def whole_shares(columns: Sequence[Column]) -> Shares:
    """The smallest shares whose interval is within 0.2 % of the best found.

    Every sum of shares up to ``MAX_TOTAL_SHARE`` is tried.

    Args:
        columns: Lanes to mix; at least one.
    """
    alone = least_busy(columns)
    if not alone[0][0].busiest_ns:
        return alone
    lanes, mix = _few_lanes(columns)
    tried = [(_interval(alone), alone)]
    for total in range(1, MAX_TOTAL_SHARE + 1):
        shares = _shares_of(lanes, mix, total)
        tried.append((_interval(shares), shares))
    best = min(interval for interval, _ in tried)
    return next(shares for interval, shares in tried if interval <= best * (1 + _AS_GOOD))


def least_busy(columns: Sequence[Column]) -> Shares:
    """All frames on one lane: that whose busiest resource is least busy, of equals the first."""
    return ((min(columns, key=lambda column: column.busiest_ns), 1),)


def _few_lanes(columns: Sequence[Column]) -> tuple[tuple[Column, ...], tuple[float, ...]]:
    """Lanes of the best mix without those that hardly matter, and the part of frames of each."""
    rates, _ = best_mix(columns)
    goal = sum(rates) / _FEWER_LANES
    lanes, rates = _used(columns, rates)
    while len(lanes) > 1:
        least = min(range(len(lanes)), key=rates.__getitem__)
        fewer = lanes[:least] + lanes[least + 1 :]
        fewer_rates, _ = best_mix(fewer)
        if sum(fewer_rates) < goal:
            break
        lanes, rates = _used(fewer, fewer_rates)
    return lanes, tuple(rate / sum(rates) for rate in rates)


def _used(
    columns: Sequence[Column], rates: Sequence[float]
) -> tuple[tuple[Column, ...], tuple[float, ...]]:
    least = 1e-9 * sum(rates)
    pairs = [pair for pair in zip(columns, rates, strict=True) if pair[1] > least]
    return tuple(column for column, _ in pairs), tuple(rate for _, rate in pairs)


def _shares_of(lanes: Sequence[Column], mix: Sequence[float], total: int) -> Shares:
    """Shares of that sum near the mix: rounded down, then one by one where it costs least."""
    counts = [int(part * total) for part in mix]
    busy_ns: Counter[str] = Counter()
    for lane, count in zip(lanes, counts, strict=True):
        busy_ns.update(_use(lane, count))

    def busiest_with(position: int) -> tuple[int, float]:
        use = lanes[position].evaluation.busy_ns
        busiest_ns = max((busy_ns[name] + time_ns for name, time_ns in use.items()), default=0)
        # Of equals the one that is furthest behind.
        return max(busiest_ns, *busy_ns.values(), 0), counts[position] - mix[position] * total

    for _ in range(total - sum(counts)):
        chosen = min(range(len(lanes)), key=busiest_with)
        counts[chosen] += 1
        busy_ns.update(_use(lanes[chosen], 1))
    return tuple((lane, count) for lane, count in zip(lanes, counts, strict=True) if count)


def _use(lane: Column, count: int) -> dict[str, int]:
    return {name: count * time_ns for name, time_ns in lane.evaluation.busy_ns.items()}


def _interval(shares: Shares) -> Fraction:
    return interval_ns([(lane.evaluation, share) for lane, share in shares])
