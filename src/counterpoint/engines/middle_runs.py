"""Which of several profiled runs stand for all.

Medians of nodes do not add up to the median of runs where single nodes are disturbed now and then:
their sum falls short. Means over the same runs do add up; over those that took neither long nor
short they are as hard to disturb as a median.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def middle_runs(times_ns: Sequence[float]) -> list[int]:
    """Positions of the middle half of the runs by time, ascending; all of fewer than four."""
    order = sorted(range(len(times_ns)), key=lambda run: times_ns[run])
    quarter = len(order) // 4
    return sorted(order[quarter : len(order) - quarter])


def mean_over(values: Sequence[float], runs: Sequence[int]) -> int:
    """Mean of those runs' values, rounded."""
    return round(statistics.fmean(values[run] for run in runs))


def midmean(times_ns: Sequence[float]) -> int:
    """Mean of the middle half, rounded."""
    return mean_over(times_ns, middle_runs(times_ns))
