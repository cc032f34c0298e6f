"""What a network computes at its own precision, and how far a coarser one is from it by nature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from counterpoint.engines.agreement import (
    MOST_ERROR,
    ROUNDING_MARGIN,
    TOLERANCE,
    relative_error,
    rounded,
)
from counterpoint.engines.protocol import CompiledSegment, Engine, Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.tuning.verification import Verification, compare


class Reference:
    """The network's outputs on some frames, computed without an engine's fusions.

    ONNX Runtime with its graph optimisations off runs the nodes one by one as the file says; where
    it cannot run the network, the ONNX reference evaluator does.

    Args:
        network: What runs.
        platform: Where.
        engines: By name.
        frames: Inputs, in the network's order.
    """

    def __init__(
        self,
        network: Network,
        platform: Platform,
        engines: Mapping[str, Engine],
        frames: Sequence[Sequence[Tensor]],
    ) -> None:
        self._network = network
        self._platform = platform
        self._engines = engines
        self._frames = frames
        self._rounding_errors: dict[str, float] = {}

    def verify(
        self, outputs: Sequence[Sequence[Tensor]], units: Sequence[ComputeUnit]
    ) -> Verification:
        """Compares a plan's outputs on the frames with the reference's.

        Raises:
            EngineError: No engine can compute the reference.
        """
        return compare(outputs, self.expected, self.tolerance(units))

    @cached_property
    def expected(self) -> list[list[Tensor]]:
        """Outputs of each frame.

        Raises:
            EngineError: No engine can compute the reference.
        """
        segment = self._network.whole()
        compiled = self._compile(segment)
        try:
            return [list(compiled.run(frame)) for frame in self._frames]
        finally:
            compiled.close()

    def tolerance(self, units: Sequence[ComputeUnit]) -> float:
        """The error that the coarsest of the units may make.

        It is the precision's own tolerance, or more where this network on these frames is so
        sensitive that rounding alone makes more.
        """
        dtypes = {spec.dtype for spec in self._network.tensors.values()}
        stored = {"float16": "fp16", "bfloat16": "bf16"}
        precisions = {unit.precision for unit in units} | {stored[d] for d in dtypes & set(stored)}
        if self._network.is_quantised:
            precisions.add("int8")
        return max(self._tolerance(precision) for precision in precisions)

    def _tolerance(self, precision: str) -> float:
        least = TOLERANCE.get(precision, TOLERANCE["bf16"])
        if precision == "fp32":
            return least
        if precision not in self._rounding_errors:
            self._rounding_errors[precision] = self._rounding_error(precision)
        return max(least, min(MOST_ERROR, ROUNDING_MARGIN * self._rounding_errors[precision]))

    def _rounding_error(self, precision: str) -> float:
        """Error of the outputs when each layer's result is rounded to that precision."""
        network = self._network
        frames = [dict(self._named(frame)) for frame in self._frames]
        last_reader = {name: readers[-1] for name, readers in network.consumers.items()}
        for layer in network.layers:
            part = network.subnetwork([layer.index])
            compiled = self._compile(part)
            try:
                for tensors in frames:
                    made = compiled.run([tensors[spec.name] for spec in part.inputs])
                    for spec, tensor in zip(part.outputs, made, strict=True):
                        tensors[spec.name] = rounded(tensor, precision)
            finally:
                compiled.close()
            for name in layer.inputs:
                if last_reader[name] == layer.index and name not in self._returned:
                    for tensors in frames:
                        tensors.pop(name, None)
        errors = [
            relative_error(tensors[spec.name], truth)
            for tensors, truths in zip(frames, self.expected, strict=True)
            for spec, truth in zip(network.outputs, truths, strict=True)
        ]
        return max(MOST_ERROR if error is None else error for error in errors)

    @cached_property
    def _returned(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self._network.outputs)

    def _named(self, frame: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
        names = [spec.name for spec in self._network.inputs]
        return list(zip(names, frame, strict=True))

    def _compile(self, segment: Subnetwork) -> CompiledSegment:
        failure: EngineError | None = None
        for unit, engine in self._oracles:
            try:
                return engine.compile(segment, unit)
            except EngineError as error:
                failure = error
        raise EngineError(
            f"no engine computes {self._network.name} to compare with: {failure}"
        ) from failure

    @cached_property
    def _oracles(self) -> list[tuple[ComputeUnit, Engine]]:
        precision = "int8" if self._network.is_quantised else "fp32"
        oracles: list[tuple[ComputeUnit, Engine]] = []
        plain = self._engines.get("onnxruntime")
        if plain is not None:
            for unit in plain.units(self._platform.devices):
                if unit.precision == precision and not unit.settings:
                    settings = (("optimization", "off"),)
                    oracles.append((replace(unit, settings=settings), plain))
                    break
        slow = ReferenceEngine()
        oracles += [(unit, slow) for unit in slow.units(self._platform.devices)[:1]]
        return oracles
