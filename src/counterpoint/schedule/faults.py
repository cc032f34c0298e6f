"""What can go wrong with a device in mid-run, and what is lost with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from counterpoint.errors import EngineError
from counterpoint.platform.model import DeviceKind, Platform

FaultKind = Literal["compile", "run", "hang", "wrong numbers"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A unit that did not do what it should.

    Attributes:
        kind: What it was doing: it refused a segment, failed in one, did not come back from one, or
            computed something else than another unit.
        unit: Name of the unit that is to blame.
        error: What the user would be told if nothing took the unit's place.
        frame: Number of the frame; ``None`` outside of a frame.
    """

    kind: FaultKind
    unit: str
    error: EngineError
    frame: int | None = None


class WrongNumbersError(EngineError):
    """A unit computed something else than two other units, or than the one it was checked with."""


def fault_of(error: EngineError, unit: str, frame: int | None) -> Fault:
    """The fault that an engine's error in a run is.

    Args:
        error: May name another unit than the one that ran, as a check does.
        unit: Name of the one that ran.
        frame: Number of the frame that it ran for.
    """
    kind: FaultKind = "wrong numbers" if isinstance(error, WrongNumbersError) else "run"
    return Fault(kind, error.unit or unit, error, frame)


def casualties(unit: str, platform: Platform) -> frozenset[str]:
    """Names of the units that are lost with one that failed.

    A GPU or NPU is lost as a whole, whichever engine drove it. The CPU is evidently still there, as
    it runs this program, so only the unit is lost and other engines may go on.

    Args:
        unit: Its name; it need not be one of the platform's.
        platform: Where.
    """
    failed = {
        device.name
        for other in platform.units
        if other.name == unit
        for device in other.devices
        if device.kind is not DeviceKind.CPU
    }
    lost = {
        other.name for other in platform.units if failed & {device.name for device in other.devices}
    }
    return frozenset(lost | {unit})
