"""A real engine that a test may slow down, spoil, or make refuse layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import CompiledSegment, InstalledStream, NodeProfile, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform


@dataclass
class WrappedSegment:
    """Runs its layers one by one, each as often as the engine says."""

    engine: WrappedEngine
    segment: Subnetwork
    parts: list[tuple[Subnetwork, CompiledSegment]]

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        self.engine.before()
        names = [spec.name for spec in self.segment.inputs]
        tensors = dict(zip(names, inputs, strict=True))
        for part, compiled in self.parts:
            given = [tensors[spec.name] for spec in part.inputs]
            for _ in range(self.engine.repeats(part.layers[0])):
                made = compiled.run(given)
            tensors.update(zip([spec.name for spec in part.outputs], made, strict=True))
        results = [self.engine.spoil(tensors[spec.name]) for spec in self.segment.outputs]
        if outputs is None:
            return results
        for buffer, result in zip(outputs, results, strict=True):
            buffer[...] = result
        return outputs

    def profile(self) -> NodeProfile | None:
        layers = self.segment.layers
        return NodeProfile({x.index: 1000 * self.engine.repeats(x) for x in layers}, 0)

    def close(self) -> None:
        for _, compiled in self.parts:
            compiled.close()


@dataclass
class WrappedEngine:
    """ONNX Runtime under another name.

    Attributes:
        refuse: Layer to the reason why it is refused.
        breaks_on: A segment with a layer of this name does not compile.
        repeats: How often each layer is run: a way to be slow at some.
        spoil: What becomes of each output.
        before: Called before each run.
        compiled: Layers of every segment compiled, in order.
    """

    name: str
    refuse: Callable[[Layer], str | None] = lambda _layer: None
    breaks_on: str | None = None
    repeats: Callable[[Layer], int] = lambda _layer: 1
    spoil: Callable[[Tensor], Tensor] = lambda tensor: tensor
    before: Callable[[], None] = lambda: None
    compiled: list[tuple[str, ...]] = field(default_factory=list)
    base: OnnxRuntimeEngine = field(default_factory=OnnxRuntimeEngine)

    def version(self) -> str:
        return "1"

    def missing_reason(self) -> str | None:
        return None

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return tuple(ComputeUnit(self.name, (device,), "fp32") for device in devices)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        return self.refuse(layer)

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> WrappedSegment:
        names = tuple(layer.name for layer in segment.layers)
        self.compiled.append(names)
        if self.breaks_on in names:
            raise EngineError(f"{unit.name} chokes on {self.breaks_on}", unit=unit.name)
        # One thread: five sessions whose threads spin for each other's cores tell no time.
        plain = replace(unit, engine="onnxruntime", settings=(("threads", "1"),))
        parts = [segment.network.subnetwork([layer.index]) for layer in segment.layers]
        return WrappedSegment(
            self,
            segment,
            [(part, self.base.compile(part, plain, exclusive=exclusive)) for part in parts],
        )

    def as_installed(self, network: Network, *, any_precision: bool) -> None:
        return None

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        return {}


CPU = Device("CPU", DeviceKind.CPU)


def machine(*engines: WrappedEngine) -> tuple[Platform, dict[str, WrappedEngine]]:
    """One CPU with a unit of each engine."""
    units = tuple(unit for engine in engines for unit in engine.units([CPU]))
    return Platform("test", "test", (CPU,), units), {engine.name: engine for engine in engines}
