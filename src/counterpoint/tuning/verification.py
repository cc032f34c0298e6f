"""Compares what a plan computes with a reference; says how much error precisions may make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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

SMALL = 1e-3
"""Outputs smaller than this (root mean square) are compared as if they were this large. Sigmoid and
softmax make tiny probabilities out of large negative sums, and engines approximate them to an
absolute 1e-7 (ONNX Runtime's sigmoid, own measurement): of a probability of 1e-6 that is 10 %."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a plan's outputs are from the reference.

    Attributes:
        relative_error: Greatest over outputs and frames of ``|y - reference| / |reference|``;
            ``None`` when an output is not finite or has another shape.
        tolerance: What its precisions may make.
    """

    relative_error: float | None
    tolerance: float

    @property
    def passed(self) -> bool:
        """The error is known and within the tolerance."""
        return self.relative_error is not None and self.relative_error <= self.tolerance


def compare(
    outputs: Sequence[Sequence[Tensor]], reference: Sequence[Sequence[Tensor]], tolerance: float
) -> Verification:
    """Compares outputs of several frames with the reference's."""
    worst = 0.0
    for made, expected in zip(outputs, reference, strict=True):
        for tensor, truth in zip(made, expected, strict=True):
            if tensor.shape != truth.shape:
                return Verification(None, tolerance)
            error = relative_error(tensor, truth)
            if error is None:
                return Verification(None, tolerance)
            worst = max(worst, error)
    return Verification(worst, tolerance)


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
