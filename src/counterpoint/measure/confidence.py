"""What so many images can prove about a difference of accuracy.

Two networks look at the same images, so the images are pairs: those that only the first gets right
are *lost*, those that only the second gets right are *won*, and the drop of accuracy is
``(lost - won) / images``. Its interval is Tango's (*Equivalence test and confidence interval for
the difference in proportions for the paired-sample design*, Statistics in Medicine 17, 1998): all
drops that a score test does not reject. Where nothing is won it is the interval of Wilson (1927),
which, unlike the textbook's normal interval, is not empty for 0 of 32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isclose, sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
"""Of a two-sided interval."""

_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Drop:
    """A measured drop of accuracy and what it proves. Parts of one, not percentage points.

    Attributes:
        lost: Images that were right and are wrong.
        won: Images that were wrong and are right.
        images: Both, and those that did not change; at least 1.
        low: The interval's lower end, at least -1.
        high: Its upper end, at most 1.
        confidence: Of the interval.
    """

    lost: int
    won: int
    images: int
    low: float
    high: float
    confidence: float

    @property
    def value(self) -> float:
        """The drop as counted."""
        return (self.lost - self.won) / self.images

    def proves(self, limit: float) -> bool:
        """No drop beyond the limit is compatible with these images."""
        return self.high <= limit


def drop(lost: int, won: int, images: int, *, confidence: float = CONFIDENCE) -> Drop:
    """The drop of accuracy with its interval.

    Args:
        lost: See :class:`Drop`.
        won: See :class:`Drop`.
        images: At least ``lost + won``, and at least 1.
        confidence: Between 0 and 1.
    """
    if images < 1 or lost < 0 or won < 0 or lost + won > images:
        raise ValueError(f"{lost} lost and {won} won of {images} images")
    score = _quantile(confidence)
    counted = (lost - won) / images

    def excess(value: float) -> float:
        """How far the counts lie from ``value``, in standard errors squared, beyond the limit."""
        distance = lost - won - images * value
        return distance * distance - score * score * images * _variance(value, lost, won, images)

    return Drop(
        lost,
        won,
        images,
        _border(excess, counted, -1.0),
        _border(excess, counted, 1.0),
        confidence,
    )


def images_needed(limit: float, *, confidence: float = CONFIDENCE) -> int:
    """Fewest images that can prove a drop of at most ``limit``, even if none of them changes.

    Solves ``z**2 / (n + z**2) <= limit`` for n: the upper end of :func:`drop` of 0 and 0.

    Args:
        limit: Above 0, as a part of one.
        confidence: Of the interval.
    """
    exact = _quantile(confidence) ** 2 * (1 / limit - 1)
    nearest = round(exact)
    return max(1, nearest if isclose(exact, nearest) else ceil(exact))


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _variance(value: float, lost: int, won: int, images: int) -> float:
    """Of one image's change, for the likeliest shares whose difference is ``value`` (Tango's
    equation 9: ``share`` is that of images won).
    """
    a = 2 * images
    b = (2 * images - lost + won) * value - lost - won
    c = -won * value * (1 - value)
    share = (sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    return max(0.0, 2 * share + value * (1 - value))


def _border(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """Where the excess changes its sign, from a value inside the interval outwards."""
    if excess(outside) <= 0:
        return outside
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if excess(middle) <= 0:
            inside = middle
        else:
            outside = middle
    return inside
