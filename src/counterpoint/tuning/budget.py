"""How much accuracy a plan may cost, as a user says it and as a planner needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import UserInputError
from counterpoint.measure.confidence import CONFIDENCE, images_needed
from counterpoint.tuning.accuracy import Accuracy, Judge, LabelledFrames

PPB = 10**9
"""Planners count noise in whole parts per billion of the signal's power: 90 dB down to one."""

HELD_BACK = 0.5
"""Part of the images that calibration does not see, unless the user says otherwise."""

_BISECTIONS = 50
_LEAST_NOISE, _MOST_NOISE = 1e-10, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyBudget:
    """What a plan may lose.

    Attributes:
        max_drop: Percentage points of top-1; ``None``: no limit.
        min_sqnr_db: Least ratio of the outputs' power to the noise in them; ``None``: no limit.

    Raises:
        UserInputError: Neither is given, or one is out of range.
    """

    max_drop: float | None = None
    min_sqnr_db: float | None = None

    def __post_init__(self) -> None:
        if self.max_drop is None and self.min_sqnr_db is None:
            raise UserInputError("no accuracy budget: give --max-drop or --min-sqnr-db")
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise UserInputError(f"a drop of {self.max_drop:g} points is not between 0 and 100")
        if self.min_sqnr_db is not None and not 0 <= self.min_sqnr_db <= 90:
            raise UserInputError(f"an SQNR of {self.min_sqnr_db:g} dB is not between 0 and 90")

    @property
    def text(self) -> str:
        """For people."""
        parts = []
        if self.max_drop is not None:
            points = "point" if self.max_drop == 1 else "points"
            parts.append(f"a drop of at most {self.max_drop:g} {points}")
        if self.min_sqnr_db is not None:
            parts.append(f"an SQNR of at least {self.min_sqnr_db:g} dB")
        return " and ".join(parts)

    def broken_by(self, accuracy: Accuracy) -> str | None:
        """How a measured accuracy breaks the budget, in words; ``None``: it keeps it."""
        drop, db = accuracy.drop, accuracy.sqnr_db
        if self.max_drop is not None and drop is not None and 100 * drop.value > self.max_drop:
            return (
                f"it loses {100 * drop.value:.1f} points of top-1 on {drop.images} images, "
                f"{self.max_drop:g} are allowed"
            )
        if self.min_sqnr_db is not None and db is not None and db < self.min_sqnr_db:
            return f"its SQNR is {db:.1f} dB, {self.min_sqnr_db:g} dB is wanted"
        return None

    def proven_by(self, accuracy: Accuracy) -> bool:
        """The images prove that the drop is within the budget, at the interval's confidence."""
        if self.max_drop is None or accuracy.drop is None:
            return self.broken_by(accuracy) is None
        return accuracy.drop.proves(self.max_drop / 100)

    def images_needed(self, confidence: float = CONFIDENCE) -> int | None:
        """Fewest images that can prove the drop, even if none changes; ``None``: no number can
        prove a drop of nothing, or none is asked for.
        """
        return images_needed(self.max_drop / 100, confidence=confidence) if self.max_drop else None

    def max_noise(self, judge: Judge) -> float:
        """The noise at which the budget is expected to be used up.

        Noise of power ``v`` in each logit moves the difference of two by a normal deviate of
        variance ``2 v`` (many small errors add up in each), so the best class of an image whose
        margin over the second is ``m`` is lost with probability ``Phi(-m / sqrt(2 v))``; the drop
        is the mean of that over the images. Wins are not counted on.

        Args:
            judge: Of the calibration images.

        Raises:
            UserInputError: The network has no scores, but points of top-1 are asked for.
        """
        limits = [_MOST_NOISE]
        if self.min_sqnr_db is not None:
            limits.append(10 ** (-self.min_sqnr_db / 10))
        if self.max_drop is not None:
            margins, power = judge.margins()
            limits.append(_noise_of_drop(margins.tolist(), power, self.max_drop / 100))
        return min(limits)


def _noise_of_drop(margins: Sequence[float], power: float, limit: float) -> float:
    """The largest noise, relative to ``power``, whose expected drop is within the limit."""
    normal = NormalDist()

    def expected(noise: float) -> float:
        deviation = sqrt(2 * noise * power) or 1e-300
        return float(np.mean([normal.cdf(-margin / deviation) for margin in margins]))

    low, high = _LEAST_NOISE, _MOST_NOISE
    if expected(high) <= limit:
        return high
    for _ in range(_BISECTIONS):
        middle = sqrt(low * high)
        if expected(middle) <= limit:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class SplitImages:
    """Images in two parts that have none in common.

    Attributes:
        calibration: What ranges, sensitivities and the noise budget are measured on.
        held_back: What plans are verified on, and nothing else.
    """

    calibration: LabelledFrames
    held_back: LabelledFrames


def split_images(images: LabelledFrames, held_back: float = HELD_BACK) -> SplitImages:
    """Parts the images by their content: always alike, whatever their names and order.

    An image that is there twice comes into one part, so that none is judged by itself.

    Args:
        images: All of them.
        held_back: Part to hold back, between 0 and 1.

    Raises:
        UserInputError: The part is out of range, or there are not two different images.
    """
    if not 0 < held_back < 1:
        raise UserInputError(f"--held-back {held_back:g} is not between 0 and 1")
    digests = [frame_digest(frame) for frame in images.frames]
    distinct = sorted(set(digests))
    if len(distinct) < 2:
        raise UserInputError(
            "an accuracy budget takes at least two different images: one to calibrate and one to "
            "verify with"
        )
    count = min(len(distinct) - 1, max(1, round(held_back * len(distinct))))
    chosen = set(distinct[:count])
    return SplitImages(
        images.only([i for i, digest in enumerate(digests) if digest not in chosen]),
        images.only([i for i, digest in enumerate(digests) if digest in chosen]),
    )


def frame_digest(frame: Mapping[str, Tensor]) -> str:
    """Hash of a frame's values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(frame.items()):
        digest.update(f"{name}:{tensor.dtype}:{tensor.shape};".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
