"""Compares what a plan computes with a reference; says how much error precisions may make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Platform

TOLERANCE: Mapping[str, float] = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 1e-1, "int8": 1e-1}
"""Greatest relative error (Euclidean norm) of an output, by the coarsest precision in a plan.

A rounding to p bits of fraction is off by 2**-(p+1) at most: fp32 6e-8, fp16 5e-4, bf16 4e-3. Over
a deep network the errors of some tens of layers add up; the limits leave a factor of about twenty
over one rounding (fp32 more: engines sum in other orders, and Winograd transforms cost digits).
``int8`` is for networks that are quantised by their makers: engines round ties differently.
They tell a wrong plan from a coarse one; what accuracy a task needs is the user's to say.
"""


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


def tolerance_of(units: Sequence[ComputeUnit], network: Network) -> float:
    """The widest tolerance among the precisions that compute."""
    widest = max(TOLERANCE.get(unit.precision, TOLERANCE["bf16"]) for unit in units)
    half = any(spec.dtype in ("float16", "bfloat16") for spec in network.tensors.values())
    return max(widest, TOLERANCE["fp16"]) if half else widest


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


class Reference:
    """Outputs of the network at its own precision, computed once, without an engine's fusions.

    ONNX Runtime with its graph optimisations off runs the nodes one by one as the file says; where
    it cannot run the network, the ONNX reference evaluator does.
    """

    def __init__(self, network: Network, platform: Platform, engines: Mapping[str, Engine]) -> None:
        self._network = network
        self._platform = platform
        self._engines = engines

    def outputs(self, frames: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
        """Outputs of each frame.

        Raises:
            EngineError: No engine can compute the reference.
        """
        failure: EngineError | None = None
        for unit, engine in self._oracles():
            try:
                compiled = engine.compile(self._network.whole(), unit)
            except EngineError as error:
                failure = error
                continue
            try:
                return [list(compiled.run(frame)) for frame in frames]
            except EngineError as error:
                failure = error
            finally:
                compiled.close()
        raise EngineError(
            f"no engine computes {self._network.name} to compare with: {failure}"
        ) from failure

    def _oracles(self) -> list[tuple[ComputeUnit, Engine]]:
        precision = "int8" if self._network.is_quantised else "fp32"
        oracles = []
        plain = self._engines.get("onnxruntime")
        if plain is not None:
            for unit in plain.units(self._platform.devices):
                if unit.precision == precision and not unit.settings:
                    settings = (("optimization", "off"),)
                    oracles.append((replace(unit, settings=settings), plain))
                    break
        from counterpoint.engines.reference import ReferenceEngine

        slow = ReferenceEngine()
        oracles += [(unit, slow) for unit in slow.units(self._platform.devices)[:1]]
        return oracles
