"""The ONNX reference evaluator: slow, written in NumPy, and the oracle of tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from counterpoint.engines.failures import compile_failure, run_failure
from counterpoint.engines.protocol import InstalledStream, NodeProfile, Tensor
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind


class ReferenceEngine:
    """The specification of the operators as an engine.

    It offers a unit only when asked by name: nobody wants its speed in a plan.
    """

    name = "reference"

    def version(self) -> str:
        """Version of the onnx package."""
        import onnx

        return str(onnx.__version__)

    def missing_reason(self) -> str | None:
        """Never missing: the onnx package is a dependency."""
        return None

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """One unit a CPU device; it computes each layer in the layer's own type."""
        return tuple(
            ComputeUnit(self.name, (device,), "fp32")
            for device in devices
            if device.kind is DeviceKind.CPU
        )

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """It has the standard operators only."""
        foreign = [operator for operator in layer.operators if ":" in operator]
        return f"operator {foreign[0]} is not in the ONNX standard" if foreign else None

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> ReferenceSegment:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        from onnx.reference import ReferenceEvaluator

        try:
            return ReferenceSegment(segment, unit, ReferenceEvaluator(str(segment.onnx_path())))
        except Exception as error:
            raise compile_failure(segment, unit, error) from error

    def as_installed(self, network: Network, *, any_precision: bool) -> None:
        """Nobody runs networks by it."""

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        """None."""
        return {}


class ReferenceSegment:
    """A reference evaluator with its names bound."""

    def __init__(self, segment: Subnetwork, unit: ComputeUnit, evaluator: Any) -> None:
        self._segment = segment
        self._unit = unit
        self._evaluator = evaluator
        self._names = [spec.name for spec in segment.inputs]

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        try:
            made = self._evaluator.run(None, dict(zip(self._names, inputs, strict=True)))
        except Exception as error:
            raise run_failure(self._segment, self._unit, error) from error
        if outputs is None:
            return [np.array(output, order="C") for output in made]  # some are views of inputs
        for buffer, output in zip(outputs, made, strict=True):
            buffer[...] = output
        return outputs

    def profile(self) -> NodeProfile | None:
        """It does not time its nodes."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._evaluator = None
