"""The Server scenario's figure: the highest rate at which the test is valid."""

from __future__ import annotations

from collections.abc import Callable

STEPS = 5
"""Halvings of what is not known: of the seven eighths of the throughput above the lowest rate, 1/32
is left."""

LOWEST = 1 / 8
"""Part of the throughput that is tried first. What cannot keep the latency there will hardly do so
below, and trials take ever longer: each needs its number of queries."""


def highest_valid(
    valid: Callable[[float], bool], throughput: float, steps: int = STEPS
) -> float | None:
    """Bisects for the highest rate that is valid, where lower rates are as well.

    Args:
        valid: Tries one.
        throughput: Taken as not valid; nothing above is tried.
        steps: So often is tried, the lowest rate not counted.

    Returns:
        The highest rate that was found valid; ``None``: the lowest is not.
    """
    low, high = LOWEST * throughput, throughput
    if not valid(low):
        return None
    for _ in range(steps):
        middle = (low + high) / 2
        if valid(middle):
            low = middle
        else:
            high = middle
    return low
