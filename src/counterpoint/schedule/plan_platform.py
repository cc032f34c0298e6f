"""The machine that a plan speaks of, as far as the names of its units tell.

Enough to simulate a plan where its machine and its engines are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from counterpoint.errors import PlanFileError
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.plan import Plan

_UNIT = re.compile(r"([^:@\[\]]+):([^:@\[\]]+)@([^:@\[\]]+)(?:\[(.*)\])?")
_DEVICE = re.compile(r"(CPU|GPU|NPU)(?:\.([0-9]{1,6}))?")


def platform_of(plan: Plan) -> Platform:
    """Devices and units with the plan's names; of a CPU's parts, no two share a core.

    Raises:
        PlanFileError: A unit's name has not the form ``engine:DEVICE@precision``.
    """
    units = tuple(_unit(name, plan.cpu_parts) for name in plan.units)
    devices = {device.name: device for unit in units for device in unit.devices}
    return Platform(plan.platform_name, plan.platform_fingerprint, tuple(devices.values()), units)


def _unit(name: str, cpu_parts: Mapping[str, tuple[int, ...]]) -> ComputeUnit:
    found = _UNIT.fullmatch(name)
    if found is None:
        raise PlanFileError(f"the plan's unit {name[:60]!r} is not of the form engine:CPU@fp32")
    engine, places, precision, settings = found.groups()
    pairs = (item.partition("=") for item in settings.split(",")) if settings else ()
    unit = ComputeUnit(
        engine,
        tuple(_device(place, name, cpu_parts) for place in places.split("+")),
        precision,
        tuple((key, value) for key, _, value in pairs),
    )
    if unit.name != name:
        raise PlanFileError(f"the plan's unit {name[:60]!r} is not of the form engine:CPU@fp32")
    return unit


def _device(place: str, unit: str, cpu_parts: Mapping[str, tuple[int, ...]]) -> Device:
    found = _DEVICE.fullmatch(place)
    if found is None:
        raise PlanFileError(
            f"the plan's unit {unit[:60]!r} is on {place[:40]!r}; CPU, GPU.0, NPU and the like "
            "are known"
        )
    kind, part = found.groups()
    # Where the plan does not tell, a made-up core for each part: parts run side by side, and the
    # whole CPU shares all of them.
    made_up = (int(part),) if kind == DeviceKind.CPU and part is not None else ()
    cores = cpu_parts.get(place, made_up)
    return Device(place, DeviceKind(kind), cores=cores)
