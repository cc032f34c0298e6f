"""Engines of machines that are not here: the true numbers, computed on this host.

How long the other machine would take is not an engine's business: a session that is given a
:class:`counterpoint.schedule.pace.Pace` holds every segment back until its predicted time has
passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from counterpoint.engines.failures import compile_failure, run_failure
from counterpoint.engines.npu.arithmetic import Arithmetic
from counterpoint.engines.protocol import (
    CompiledSegment,
    Engine,
    InstalledStream,
    NodeProfile,
    Tensor,
)
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Network, Subnetwork, TensorSpec
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform

_HOST_CPU = Device("CPU", DeviceKind.CPU)

_ONE_THREAD = (("threads", "1"),)
"""Emulated units run side by side on one host: none may take the processors of the others."""


def emulated_engines(
    platform: Platform,
    base: Engine | None,
    arithmetic: Mapping[str, Arithmetic] | None = None,
) -> dict[str, EmulatedEngine]:
    """An engine for each name that the platform's units have.

    Args:
        platform: Any machine.
        base: Computes on this host; see :class:`EmulatedEngine`.
        arithmetic: See :class:`EmulatedEngine`.
    """
    names = dict.fromkeys(unit.engine for unit in platform.units)
    return {
        name: EmulatedEngine(
            name,
            [unit for unit in platform.units if unit.engine == name],
            base=base,
            arithmetic=arithmetic,
        )
        for name in names
    }


class EmulatedEngine:
    """Stands in for an engine of another machine.

    Its numbers are the host's: what a unit of another precision would round, it does not. Units
    whose arithmetic is known compute as they would there, bit by bit.

    Args:
        name: Of the engine that it stands in for.
        units: What that engine offers on its machine.
        base: Computes here, in one thread of the CPU; ``None``: nobody does, and every output is
            zeros, for networks that have no weights.
        arithmetic: Of units, by their names. Not used without ``base``.
    """

    def __init__(
        self,
        name: str,
        units: Sequence[ComputeUnit],
        *,
        base: Engine | None,
        arithmetic: Mapping[str, Arithmetic] | None = None,
    ) -> None:
        self.name = name
        self._units = tuple(units)
        self._base = base
        self._arithmetic = {} if base is None else dict(arithmetic or {})

    def version(self) -> str:
        """What computes in its place."""
        if self._base is None:
            return "emulated, zeros"
        own = {self._arithmetic[u.name].version(): None for u in self._units if self._own(u)}
        return ", ".join([f"emulated by {self._base.name} {self._base.version()}", *own])

    def missing_reason(self) -> str | None:
        """That of the engine underneath."""
        return None if self._base is None else self._base.missing_reason()

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """Those of its machine, as far as they are on these CPUs or on none."""
        if self.missing_reason() is not None:
            return ()
        return tuple(
            unit
            for unit in self._units
            if all(
                device in devices or device.kind is not DeviceKind.CPU for device in unit.devices
            )
        )

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """Why this host cannot compute it. What the unit refuses, the cost table says."""
        if self._base is None:
            return None
        own = self._own(unit)
        if own is not None:
            return own.unsupported_reason(layer)
        return self._base.unsupported_reason(layer, _host_unit(self._base, layer.quantised))

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> CompiledSegment:
        """See :class:`counterpoint.engines.protocol.Engine`. Profiles would be the host's: none."""
        if self._base is None:
            return ZerosSegment(segment)
        own = self._own(unit)
        if own is not None:
            return own.compile(segment, unit)
        host = _host_unit(self._base, any(layer.quantised for layer in segment.layers))
        try:
            compiled = self._base.compile(segment, host, exclusive=exclusive)
        except EngineError as error:
            raise compile_failure(segment, unit, error.__cause__ or error) from error
        return EmulatedSegment(segment, unit, compiled)

    def _own(self, unit: ComputeUnit) -> Arithmetic | None:
        return self._arithmetic.get(unit.name)

    def as_installed(self, network: Network, *, any_precision: bool) -> None:
        """Nobody runs networks by it."""

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        """None."""
        return {}


class EmulatedSegment:
    """The host's segment, whose errors name the unit that it stands in for."""

    def __init__(self, segment: Subnetwork, unit: ComputeUnit, compiled: CompiledSegment) -> None:
        self._segment = segment
        self._unit = unit
        self._compiled = compiled

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        try:
            return self._compiled.run(inputs, outputs)
        except EngineError as error:
            raise run_failure(self._segment, self._unit, error.__cause__ or error) from error

    def profile(self) -> NodeProfile | None:
        """The host's times say nothing of the other machine."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._compiled.close()


class ZerosSegment:
    """Returns zeros of the right shapes; see :func:`zeros`."""

    def __init__(self, segment: Subnetwork) -> None:
        self._segment = segment

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if len(inputs) != len(self._segment.inputs):
            raise ValueError(f"{len(inputs)} inputs instead of {len(self._segment.inputs)}")
        if outputs is None:
            return [zeros(spec) for spec in self._segment.outputs]
        for buffer in outputs:
            buffer[...] = np.zeros((), buffer.dtype)
        return outputs

    def profile(self) -> NodeProfile | None:
        """There is nothing to time."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""


def _host_unit(base: Engine, quantised: bool) -> ComputeUnit:
    return ComputeUnit(base.name, (_HOST_CPU,), "int8" if quantised else "fp32", _ONE_THREAD)


def zeros(spec: TensorSpec) -> Tensor:
    """A tensor of nothing but zeros, C-contiguous; a scalar where its shape is not known."""
    if spec.dtype == "bfloat16":
        import ml_dtypes  # numpy has no bfloat16 of its own

        return np.zeros(spec.shape or (), ml_dtypes.bfloat16)
    return np.zeros(spec.shape or (), spec.dtype)
