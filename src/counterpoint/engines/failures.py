"""Errors of engines in one form: the unit, the layer, and one line of what the library said."""

from __future__ import annotations

import re

from counterpoint.errors import EngineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit

MAX_REASON_CHARACTERS = 300

_BOILERPLATE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : "
    r"|Load model from \S+ failed:"
    r"|/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])"
)
"""What libraries put before the sentence that says something: codes, scratch files, signatures."""


def compile_failure(segment: Subnetwork, unit: ComputeUnit, reason: object) -> EngineError:
    """The engine refused to compile a segment; raise it from the library's own error."""
    return _failure(segment, unit, "cannot compile", reason)


def run_failure(segment: Subnetwork, unit: ComputeUnit, reason: object) -> EngineError:
    """The engine failed in a run; raise it from the library's own error."""
    return _failure(segment, unit, "failed in", reason)


def told(reason: object) -> str:
    """One line of what a library said, without what only its makers understand."""
    text = _BOILERPLATE.sub("", str(reason).strip())
    lines = text.splitlines() or [type(reason).__name__]
    return lines[0][:MAX_REASON_CHARACTERS]


def _failure(segment: Subnetwork, unit: ComputeUnit, what: str, reason: object) -> EngineError:
    first = segment.layers[0].name
    return EngineError(
        f"{unit.name} {what} the segment at {first}: {told(reason)}", layer=first, unit=unit.name
    )
