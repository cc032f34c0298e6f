"""ncnn with a converter of its own: nothing is taken from, or left in, the user's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoint.engines.conversion_cache import ConversionCache
from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.engines.pnnx import Converter
from counterpoint.engines.vulkan import vulkan_devices
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

CPU = Device("CPU", DeviceKind.CPU, cores=(0,))


@pytest.fixture(scope="session", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where measurements, conversions and found drivers are kept meanwhile."""
    path = tmp_path_factory.mktemp("ncnn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUNTERPOINT_STORE", str(path / "measurements.sqlite"))
        yield path


@pytest.fixture(scope="session")
def engine(folder: Path) -> NcnnEngine:
    made = NcnnEngine(Converter(ConversionCache(folder / "converted")))
    reason = made.missing_reason()
    if reason is not None:
        pytest.skip(f"ncnn is {reason}")
    return made


@pytest.fixture(scope="session")
def gpu(engine: NcnnEngine) -> Device:
    """The first Vulkan device, software or not."""
    for unit in engine.units([CPU]):
        if unit.devices[0].kind is DeviceKind.GPU:
            return unit.devices[0]
    pytest.skip("; ".join(engine.absent()))


@pytest.fixture(scope="session")
def on_cpu(engine: NcnnEngine) -> ComputeUnit:
    return ComputeUnit("ncnn", (CPU,), "fp32")


@pytest.fixture(scope="session")
def on_gpu(gpu: Device) -> ComputeUnit:
    return ComputeUnit("ncnn", (gpu,), "fp32")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Each test asks for drivers anew."""
    yield
    vulkan_devices.cache_clear()
