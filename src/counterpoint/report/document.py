"""What ``--json`` prints: one document of a named format and version for each verb."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import TypeAlias

JSON: TypeAlias = "Mapping[str, JSON] | list[JSON] | str | int | float | bool | None"
Document: TypeAlias = dict[str, JSON]

VERSION = 1


def document(kind: str, body: Mapping[str, JSON]) -> Document:
    """The body under its format (``counterpoint-<kind>``) and version."""
    return {"format": f"counterpoint-{kind}", "version": VERSION, **body}


def finite(value: float | None) -> float | None:
    """JSON knows neither NaN nor infinity: they become null."""
    return None if value is None or not isfinite(value) else value


def to_json(content: Document) -> str:
    """ASCII text, so that no terminal and no encoding stumbles over a stranger's names."""
    return json.dumps(content, indent=1, allow_nan=False)
