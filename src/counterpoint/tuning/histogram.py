"""How often a tensor takes which values, and which of them 8 bits should spare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BINS = 4096
"""Sixteen in each step of 8 bits: fine enough to tell what rounding makes of the values."""

CANDIDATES = np.linspace(1.0, 0.2, 33)
"""Parts of the whole range that are tried. Even of a Laplace distribution, which is wide, 8 bits
take 9.9 scales best (Banner et al., "Post training 4-bit quantization of convolutional networks for
rapid-deployment", NeurIPS 2019, section 3), and a million values reach 14."""

NORM = 2.4
"""The error is the sum of this power of its magnitude, as in the code that Li et al. published with
"BRECQ: Pushing the Limit of Post-Training Quantization by Block Reconstruction", ICLR 2021. With
squares (2) the many small values outvote the few large ones, which carry what a network found."""

LEVELS = 256

MOST_VALUES = 32_768
"""Of one tensor of one frame; from larger ones every k-th value is taken, ``k`` odd."""


class Histogram:
    """Counts values between two ends.

    Args:
        low: Least value that will come.
        high: Greatest value that will come.
    """

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        self._high = high
        self._width = (high - low) / BINS
        self._counts = np.zeros(BINS, np.int64)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Counts a sample of them, but for zeros, which int8 keeps exactly."""
        if not self._width > 0:
            return
        flat = values.reshape(-1)
        flat = flat[:: (flat.size // MOST_VALUES) | 1].astype(np.float64)
        places = ((flat[flat != 0] - self._low) / self._width).astype(np.int64)
        # the greatest value of all lies on the last bin's upper end
        self._counts += np.bincount(np.minimum(places, BINS - 1), minlength=BINS)

    def least_error(self) -> tuple[float, float]:
        """The part of the range which, in 256 levels, makes the least error.

        Both ends are drawn towards zero by the same factor; what lies beyond is clipped. An end on
        zero's other side stays.
        """
        if not self._counts.any():
            return self._low, self._high
        centres = (self._low + (np.arange(BINS) + 0.5) * self._width).astype(np.float64)
        low, high = min(self._low, 0.0), max(self._high, 0.0)
        errors = [_error(centres, self._counts, low * part, high * part) for part in CANDIDATES]
        part = float(CANDIDATES[int(np.argmin(errors))])
        return (
            self._low * part if self._low < 0 <= self._high else self._low,
            self._high * part if self._low <= 0 < self._high else self._high,
        )


def _error(
    centres: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], low: float, high: float
) -> float:
    """What the values are off by when 256 levels from ``low`` to ``high`` hold them."""
    scale = (high - low) / (LEVELS - 1)
    zero = np.rint(-low / scale)
    whole = np.clip(np.rint(centres / scale) + zero, 0, LEVELS - 1)
    return float(np.sum(counts * np.abs((whole - zero) * scale - centres) ** NORM))
