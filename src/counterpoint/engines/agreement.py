"""How far two results may be apart and still be the same, by what they were computed in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from counterpoint.engines.protocol import Tensor

TOLERANCE: Mapping[str, float] = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 8e-2, "int8": 1e-1}
"""Relative error (Euclidean norm) of an output that a precision may always make.

Rounding to p bits of fraction is off by 2**-(p+1) at most: fp32 6e-8, fp16 5e-4, bf16 4e-3. The
limits for fp16 and bf16 are twenty such roundings; a network that is more sensitive is allowed more
by :meth:`counterpoint.tuning.reference.Reference.tolerance`. In fp32 engines sum in other orders
and transform (Winograd), which costs some digits. ``int8`` is for networks that are quantised by
their makers: engines round ties differently.
These limits tell a wrong plan from a coarse one; what accuracy a task needs is the user's to say.
"""

MOST_ERROR = 0.7
"""No plan may be off by more: outputs that have nothing to do with each other are off by 1.4."""

ROUNDING_MARGIN = 3.0
"""An engine may err by so many times what rounding each layer's result does. It rounds the weights
too, which by itself makes 1.4 times the error, and it may keep sums in the coarse type."""

SMALL = 1e-3
"""Outputs smaller than this (root mean square) are compared as if they were this large. Sigmoid and
softmax make tiny probabilities out of large negative sums, and engines approximate them to an
absolute 1e-7 (ONNX Runtime's sigmoid, own measurement): of a probability of 1e-6 that is 10 %."""


def relative_error(tensor: Tensor, truth: Tensor) -> float | None:
    """``|tensor - truth| / |truth|`` in the Euclidean norm; ``None`` when not finite.

    A truth whose root mean square is below ``SMALL`` counts as that large: see there.
    """
    a = np.asarray(tensor, dtype=np.float64)
    b = np.asarray(truth, dtype=np.float64)
    if not np.isfinite(a).all():
        # The reference may itself be infinite there (a log of zero); then the same is right.
        return 0.0 if np.array_equal(a, b, equal_nan=True) else None
    difference = float(np.linalg.norm(a - b))
    return difference / max(float(np.linalg.norm(b)), SMALL * math.sqrt(b.size or 1))


def rounded(tensor: Tensor, precision: str) -> Tensor:
    """A float32 tensor rounded to ``fp16`` or ``bf16`` and back, or integers of 8 bits rounded
    otherwise for ``int8``; others as they are.
    """
    if precision == "int8":
        return rounded_otherwise(tensor) if tensor.dtype in (np.int8, np.uint8) else tensor
    if tensor.dtype != np.float32:
        return tensor
    if precision == "fp16":
        with np.errstate(over="ignore"):  # infinity is what the coarse type makes of it, too
            return tensor.astype(np.float16).astype(np.float32)
    import ml_dtypes

    return tensor.astype(ml_dtypes.bfloat16).astype(np.float32)


def rounded_otherwise(tensor: Tensor) -> Tensor:
    """Integers of 8 bits, moved by as much as another way of rounding moves them.

    Engines keep some results exact that the network has rounded, in sums above all. A rounding is
    off by 1/12 of a squared step in the mean; so one value in 24 goes up by a step, one down. The
    same tensor always gives the same.
    """
    least, most = (0, 255) if tensor.dtype == np.uint8 else (-128, 127)
    chance = np.random.default_rng(tensor.size).random(tensor.shape)
    moved = tensor.astype(np.int16) + (chance < 1 / 24) - (chance > 23 / 24)
    return np.clip(moved, least, most).astype(tensor.dtype)
