from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.matrix.order_statistics import median_interval


def _enclosing(count: int, low: int, high: int) -> float:
    """Part of all ways in which samples can lie about the median that the ranks enclose it."""
    hits = 0
    for below in product((0, 1), repeat=count):
        smaller = sum(below)
        hits += low <= smaller < high
    return hits / float(2**count)


@given(st.integers(1, 11), st.floats(0.5, 0.995))
def test_the_interval_is_the_narrowest_that_is_sure_enough(count: int, confidence: float) -> None:
    found = median_interval(range(1, count + 1), confidence=confidence)
    sure = [_enclosing(count, rank, count + 1 - rank) for rank in range(1, count // 2 + 1)]
    rank = 0 if found is None else found.low_ns
    if found is not None:
        assert found.high_ns == count + 1 - rank
        assert found.confidence == pytest.approx(sure[rank - 1])
        assert sure[rank - 1] > confidence - 1e-9
    assert all(other < confidence + 1e-9 for other in sure[rank:])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_it_holds_samples_and_the_middle(samples: list[int]) -> None:
    found = median_interval(samples)
    assert (found is None) == (len(samples) < 6)
    if found is not None:
        assert {found.low_ns, found.high_ns} <= set(samples)
        ordered = sorted(samples)
        assert found.low_ns <= ordered[len(ordered) // 2] <= found.high_ns


def test_it_covers_the_median_of_a_skewed_distribution_as_often_as_it_says() -> None:
    source = random.Random(3)
    true_median = round(1e6 * math.log(2))
    hits = 0
    for _ in range(600):
        found = median_interval([round(source.expovariate(1) * 1e6) for _ in range(25)])
        assert found is not None
        hits += found.low_ns <= true_median <= found.high_ns
    assert hits / 600 > 0.93
