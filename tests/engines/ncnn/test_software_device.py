"""A device made of software is no second device: it occupies the cores that it computes on."""

from __future__ import annotations

import pytest

from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.errors import UserInputError
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.platform.occupancy import occupied_devices
from counterpoint.tuning.tune import chosen_units
from tests.tuning.small_network import small_network

CPU = Device("CPU", DeviceKind.CPU, cores=(0, 1))
PARTS = tuple(Device(f"CPU.{n}", DeviceKind.CPU, cores=(n,)) for n in (0, 1))
SOFTWARE = Device("GPU.0", DeviceKind.GPU, cores=(0, 1))
HARDWARE = Device("GPU.1", DeviceKind.GPU)
ALL = (CPU, *PARTS, SOFTWARE, HARDWARE)


def occupied(device: Device, precision: str = "fp32") -> set[str]:
    return set(occupied_devices(ComputeUnit("ncnn", (device,), precision), ALL))


def test_software_and_cpu_never_run_at_once() -> None:
    for device in (CPU, *PARTS):
        assert occupied(SOFTWARE) & occupied(device), device.name


def test_hardware_leaves_the_cpu_free() -> None:
    assert occupied(HARDWARE) == {"GPU.1"}
    assert not occupied(CPU) & occupied(HARDWARE)


def test_also_where_the_cpu_lists_no_cores() -> None:
    bare = Device("CPU", DeviceKind.CPU)
    of_cpu = set(occupied_devices(ComputeUnit("a", (bare,), "fp32"), [bare, SOFTWARE]))
    of_gpu = set(occupied_devices(ComputeUnit("a", (SOFTWARE,), "fp32"), [bare, SOFTWARE]))
    assert of_cpu & of_gpu


def test_llvmpipe_is_software(engine: NcnnEngine, gpu: Device) -> None:
    if "llvmpipe" not in gpu.description:
        pytest.skip(f"the first Vulkan device is {gpu.description}")
    assert gpu.is_software
    assert "software" in gpu.description
    bare = engine.units([Device("CPU", DeviceKind.CPU)])
    assert all(unit.devices[0].cores for unit in bare if unit.devices[0].kind is DeviceKind.GPU)


def test_measurements_of_another_gpu_or_driver_do_not_count() -> None:
    one, other = (
        ComputeUnit("ncnn", (Device("GPU.0", DeviceKind.GPU, likeness=likeness),), "fp32")
        for likeness in ("1234", "5678")
    )
    assert one.name == other.name == "ncnn:GPU.0@fp32"
    assert one.measured_as == "ncnn:GPU(1234)@fp32"
    assert one.measured_as != other.measured_as


def test_software_devices_are_tried_when_somebody_asks() -> None:
    network = small_network()
    units = [ComputeUnit("ncnn", (device,), "fp32") for device in (CPU, SOFTWARE, HARDWARE)]
    hardware = [unit for unit in units if unit.devices[0] is not SOFTWARE]
    assert list(chosen_units(network, units, None)) == hardware
    assert list(chosen_units(network, units, None, software=True)) == units
    assert list(chosen_units(network, units[1:2], None)) == units[1:2], "there is nothing else"
    with pytest.raises(UserInputError):
        chosen_units(network, [], None)
