from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from counterpoint.engines.protocol import InstalledStream, NodeProfile, Tensor
from counterpoint.errors import EngineError
from counterpoint.measure import peak
from counterpoint.measure.peak import copy_bandwidth_bytes_per_s, unit_peaks
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind


class Ready:
    def __init__(self, segment: Subnetwork) -> None:
        self.segment = segment

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        return [np.zeros(spec.shape or (), np.float32) for spec in self.segment.outputs]

    def profile(self) -> NodeProfile | None:
        return None

    def close(self) -> None:
        pass


class OnlyFloat:
    """Takes everything but int8, at once."""

    name = "fake"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def version(self) -> str:
        return "1"

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return ()

    def missing_reason(self) -> str | None:
        return None

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        return None

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> Ready:
        if unit.precision == "int8":
            raise EngineError("no int8 here", unit=unit.name)
        assert not segment.network.is_quantised
        shape = segment.inputs[0].shape
        assert shape is not None
        self.batches.append(shape[0])
        return Ready(segment)

    def as_installed(self, network: Network, *, any_precision: bool) -> None:
        return None

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        return {}


def unit(kind: DeviceKind, precision: str) -> ComputeUnit:
    return ComputeUnit("fake", (Device(str(kind), kind),), precision)


def test_each_unit_has_a_rate_or_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_SETTINGS", SamplingSettings(0, 1, 1, 1))
    engine = OnlyFloat()
    told: list[str] = []
    units = [
        unit(DeviceKind.CPU, "fp32"),
        unit(DeviceKind.CPU, "int8"),
        unit(DeviceKind.GPU, "fp16"),
    ]
    peaks = unit_peaks(units, {"fake": engine}, told.append)
    assert [found.unit for found in peaks] == told == [one.name for one in units]
    assert [found.operations_per_s is None for found in peaks] == [False, True, False]
    assert [found.reason for found in peaks] == [None, "no int8 here", None]
    assert engine.batches == [1, 1, peak._LARGE_BATCH]


def test_memory_is_copied_within_what_there_is() -> None:
    rate = copy_bandwidth_bytes_per_s(last_cache_bytes=None, memory_bytes=32 * 2**20, threads=2)
    assert rate > 0
