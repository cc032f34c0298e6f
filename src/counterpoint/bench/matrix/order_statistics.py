"""How well a median is known, whatever the distribution.

Of independent samples the number that lies below the true median is binomial with one half, so that
two of the ordered samples enclose it with a probability that needs no assumption (David and
Nagaraja, *Order Statistics*, 3rd edition, section 7.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

CONFIDENCE = 0.95
"""Of a two-sided interval."""


@dataclass(frozen=True, slots=True)
class MedianInterval:
    """Where the true median lies.

    Attributes:
        low_ns: One of the samples.
        high_ns: Another, or the same.
        confidence: Probability that they enclose it; at least what was asked for.
    """

    low_ns: int
    high_ns: int
    confidence: float


def median_interval(
    samples_ns: Sequence[int], *, confidence: float = CONFIDENCE
) -> MedianInterval | None:
    """The narrowest pair of samples, as far from one end as from the other, that encloses the
    median.

    Args:
        samples_ns: Independent, in any order.
        confidence: Between 0 and 1.

    Returns:
        ``None`` for fewer samples than can prove anything: below 6 for 95 %.
    """
    count = len(samples_ns)
    ordered = sorted(samples_ns)
    best: MedianInterval | None = None
    tail = 0.0  # probability of fewer than `rank` samples below the median
    for rank in range(1, count // 2 + 1):
        tail += _half_binomial(count, rank - 1)
        covered = 1 - 2 * tail
        if covered < confidence:
            break
        best = MedianInterval(ordered[rank - 1], ordered[count - rank], covered)
    return best


def _half_binomial(count: int, successes: int) -> float:
    """Probability of that many heads in ``count`` tosses of a fair coin."""
    chosen = lgamma(count + 1) - lgamma(successes + 1) - lgamma(count - successes + 1)
    return exp(chosen - count * log(2))
