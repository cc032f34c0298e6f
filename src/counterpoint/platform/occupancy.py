"""Which devices a unit keeps busy: its own, and those that consist of some of the same cores.

``CPU`` and ``CPU.0`` are two devices on the same silicon, and so is a ``GPU.0`` that is software.
The larger one occupies the smaller one too, so units on the two never run at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from counterpoint.platform.model import ComputeUnit, Device, DeviceKind


def occupied_devices(unit: ComputeUnit, devices: Iterable[Device]) -> tuple[str, ...]:
    """Names of the devices that are busy while the unit runs.

    Args:
        unit: The unit; its own devices come first.
        devices: All that matter: those of a plan, or of a cost table.
    """
    names = {device.name: None for device in unit.devices}
    others = tuple(devices)
    for device in unit.devices:
        for other in others:
            if _shares_cores(device, other) and _is_smaller(other, device):
                names[other.name] = None
    return tuple(names)


def _shares_cores(one: Device, other: Device) -> bool:
    if not (_computes_on_cores(one) and _computes_on_cores(other)):
        return False
    # A CPU without a list of cores is the whole of it.
    return not one.cores or not other.cores or not set(one.cores).isdisjoint(other.cores)


def _computes_on_cores(device: Device) -> bool:
    return device.kind is DeviceKind.CPU or device.is_software


def _is_smaller(one: Device, other: Device) -> bool:
    """A total order of devices: by number of cores (no list is the most), then by name."""
    return (not one.cores, len(one.cores), one.name) < (
        not other.cores,
        len(other.cores),
        other.name,
    )
