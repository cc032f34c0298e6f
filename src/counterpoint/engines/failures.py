"""Errors of engines in one form: the unit, the layer, and one line of what the library said."""

from __future__ import annotations

from counterpoint.errors import EngineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit

MAX_REASON_CHARACTERS = 300


def compile_failure(segment: Subnetwork, unit: ComputeUnit, reason: object) -> EngineError:
    """The engine refused to compile a segment; raise it from the library's own error."""
    return _failure(segment, unit, "cannot compile", reason)


def run_failure(segment: Subnetwork, unit: ComputeUnit, reason: object) -> EngineError:
    """The engine failed in a run; raise it from the library's own error."""
    return _failure(segment, unit, "failed in", reason)


def _failure(segment: Subnetwork, unit: ComputeUnit, what: str, reason: object) -> EngineError:
    first = segment.layers[0].name
    lines = str(reason).strip().splitlines() or [type(reason).__name__]
    return EngineError(
        f"{unit.name} {what} the segment at {first}: {lines[0][:MAX_REASON_CHARACTERS]}",
        layer=first,
        unit=unit.name,
    )
