"""Intervals of a drop of accuracy: against Wilson's formula, a grid, and full enumeration."""

from __future__ import annotations

from math import comb, log, sqrt
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.measure.confidence import _variance, drop, images_needed

Z = NormalDist().inv_cdf(0.975)


def wilson_high(count: int, images: int) -> float:
    share = count / images
    centre = share + Z * Z / (2 * images)
    spread = Z * sqrt(share * (1 - share) / images + Z * Z / (4 * images * images))
    return (centre + spread) / (1 + Z * Z / images)


@pytest.mark.parametrize("images", [1, 5, 32, 400])
def test_without_wins_the_upper_end_is_wilsons(images: int) -> None:
    for lost in {0, 1, images // 2, images}:
        assert drop(lost, 0, images).high == pytest.approx(wilson_high(lost, images), abs=1e-9)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    images = draw(st.integers(1, 300))
    lost = draw(st.integers(0, images))
    return lost, draw(st.integers(0, images - lost)), images


@given(counts())
def test_the_interval_holds_the_count_and_turns_around(case: tuple[int, int, int]) -> None:
    lost, won, images = case
    found = drop(lost, won, images)
    assert -1 <= found.low <= found.value <= found.high <= 1
    mirrored = drop(won, lost, images)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    wider = drop(lost, won, images, confidence=0.99)
    assert wider.low <= found.low + 1e-12
    assert wider.high >= found.high - 1e-12


@settings(max_examples=60)
@given(counts(), st.floats(-0.9, 0.9))
def test_the_variance_is_that_of_the_likeliest_shares(
    case: tuple[int, int, int], value: float
) -> None:
    """Oracle: the likelihood of all shares of images won on a fine grid."""
    lost, won, images = case
    low, high = max(0.0, -value), (1 - value) / 2

    def likelihood(share: float) -> float:
        terms = (
            (won, share),
            (lost, share + value),
            (images - lost - won, 1 - 2 * share - value),
        )
        if any(count and part <= 0 for count, part in terms):
            return float("-inf")
        return sum(count * log(part) for count, part in terms if count)

    chosen = (_variance(value, lost, won, images) - value * (1 - value)) / 2
    steps = 400
    best = max(likelihood(low + (high - low) * step / steps) for step in range(steps + 1))
    assert likelihood(min(max(chosen, low), high)) >= best - 1e-6 * max(1.0, abs(best))


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Oracle: all outcomes of 40 images with their probabilities, for many true shares."""
    images = 40
    covered = []
    found = {
        (lost, won): drop(lost, won, images)
        for lost in range(images + 1)
        for won in range(images + 1 - lost)
    }
    for p_lost, p_won in [(0.0, 0.0), (0.02, 0.0), (0.05, 0.02), (0.1, 0.1), (0.2, 0.05)]:
        stay = 1 - p_lost - p_won
        inside = 0.0
        for (lost, won), interval in found.items():
            ways = comb(images, lost) * comb(images - lost, won)
            chance = ways * p_lost**lost * p_won**won * stay ** (images - lost - won)
            if interval.low <= p_lost - p_won <= interval.high:
                inside += chance
        covered.append(inside)
    assert min(covered) >= 0.93  # a score interval is near its level, not above it
    assert sum(covered) / len(covered) >= 0.95


@pytest.mark.parametrize("limit", [0.5, 0.1, 0.05, 0.01, 0.005])
def test_so_many_images_are_just_enough(limit: float) -> None:
    needed = images_needed(limit)
    assert drop(0, 0, needed).proves(limit)
    assert needed == 1 or not drop(0, 0, needed - 1).proves(limit)


def test_a_point_takes_some_hundred_images() -> None:
    assert images_needed(0.01) == 381  # 1.96**2 * 99, rounded up
    assert not drop(0, 0, 32).proves(0.01)


@pytest.mark.parametrize("case", [(0, 0, 0), (-1, 0, 3), (2, 2, 3)])
def test_impossible_counts(case: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="images"):
        drop(*case)
