"""ncnn keeps the contract on the CPU and on a Vulkan device."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from counterpoint.engines.contract import check_engine
from counterpoint.engines.contract_cases import ContractCase, standard_cases
from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.engines.ncnn.conftest import CPU

ON_THE_GPU = ("branches and a residual", "batch of two", "classifier")


class OnSome(NcnnEngine):
    """The engine, with some of its units."""

    def __init__(self, whole: NcnnEngine, kind: DeviceKind, precisions: Sequence[str]) -> None:
        self.__dict__.update(whole.__dict__)
        self._kind = kind
        self._precisions = precisions

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return tuple(
            unit
            for unit in super().units(devices)
            if unit.devices[0].kind is self._kind and unit.precision in self._precisions
        )


@pytest.fixture(scope="module")
def cases(engine: NcnnEngine) -> tuple[ContractCase, ...]:
    made = standard_cases()
    engine.prepare([case.network.whole() for case in made if not case.network.is_quantised])
    return made


def test_cpu(engine: NcnnEngine, cases: tuple[ContractCase, ...]) -> None:
    on_cpu = OnSome(engine, DeviceKind.CPU, ["fp32", "bf16"])
    assert check_engine(on_cpu, [CPU], cases=cases) == ()
    unit = on_cpu.units([CPU])[0]
    ran = [
        case.name
        for case in cases
        if not any(engine.unsupported_reason(layer, unit) for layer in case.network.layers)
    ]
    assert len(ran) == len(cases) - 1, "only the quantised network is refused"


def test_gpu(engine: NcnnEngine, gpu: Device, cases: tuple[ContractCase, ...]) -> None:
    chosen = [case for case in cases if case.name in ON_THE_GPU]
    assert len(chosen) == len(ON_THE_GPU)
    on_gpu = OnSome(engine, DeviceKind.GPU, ["fp32"])
    assert check_engine(on_gpu, [CPU], cases=chosen) == ()


def test_gpu_in_fp16(engine: NcnnEngine, gpu: Device, cases: tuple[ContractCase, ...]) -> None:
    chosen = [case for case in cases if case.name == "convolution"]
    on_gpu = OnSome(engine, DeviceKind.GPU, ["fp16"])
    assert check_engine(on_gpu, [CPU], cases=chosen) == ()
