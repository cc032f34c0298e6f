"""Real networks, photographs and measurements: outside the repository, so not always there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(
    os.environ.get("COUNTERPOINT_TEST_DATA")
    or Path(__file__).resolve().parents[2] / "shared" / "data"
)


def require(name: str) -> Path:
    """A file or folder of the test data; skips the test where it is missing."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"test data {name} is not in {FOLDER} (set COUNTERPOINT_TEST_DATA)")
    return path
