"""Compares what a plan computes with a reference; says how much error precisions may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.engines.agreement import relative_error
from counterpoint.engines.protocol import Tensor


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
