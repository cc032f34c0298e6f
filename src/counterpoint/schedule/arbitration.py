"""Who is right where two units do not agree on a segment: a third way to compute it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.engines.agreement import (
    MOST_ERROR,
    ROUNDING_MARGIN,
    relative_error,
    rounded,
)
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit

COARSE = ("fp16", "bf16")
"""Precisions in which a healthy unit may be far from the truth, where a segment is sensitive."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Computes one segment slowly and independently, only when it is asked.

    Attributes:
        network: Whose segment it is.
        part: The segment.
        engine: Computes it; in no plan.
        unit: Of that engine.
    """

    network: Network
    part: Subnetwork
    engine: Engine
    unit: ComputeUnit

    def truth(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The segment's outputs.

        Raises:
            EngineError: The engine cannot compute it.
        """
        return self._run(self.part, inputs)

    def allowance(self, inputs: Sequence[Tensor], truth: Sequence[Tensor], precision: str) -> float:
        """The error that computing these inputs in a coarse precision may make.

        As in :meth:`counterpoint.tuning.reference.Reference.tolerance`: a multiple of what rounding
        each layer's result does; 0 for precisions that are not coarse.

        Raises:
            EngineError: The engine cannot compute a layer.
        """
        if precision not in COARSE:
            return 0.0
        names = (spec.name for spec in self.part.inputs)
        tensors = dict(zip(names, inputs, strict=True))
        for layer in self.part.layers:
            part = self.network.subnetwork([layer.index])
            made = self._run(part, [tensors[spec.name] for spec in part.inputs])
            for spec, tensor in zip(part.outputs, made, strict=True):
                tensors[spec.name] = rounded(tensor, precision)
        errors = [
            relative_error(tensors[spec.name], exact)
            for spec, exact in zip(self.part.outputs, truth, strict=True)
        ]
        worst = max(MOST_ERROR if error is None else error for error in errors)
        return min(MOST_ERROR, ROUNDING_MARGIN * worst)

    def _run(self, part: Subnetwork, inputs: Sequence[Tensor]) -> list[Tensor]:
        compiled = self.engine.compile(part, self.unit, exclusive=False)
        try:
            return [*compiled.run(inputs)]
        finally:
            compiled.close()
