"""Copies the photographs that the scikit-image package ships into a folder; downloads none."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

NAMES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg")
"""By scikit-image's own notes: in the public domain (astronaut, rocket) or CC0 (the others)."""


def main(folder: Path) -> int:
    """Copies the photographs; the exit status."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        print("scikit-image is not installed: pip install 'counterpoint[demo]'", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copy(Path(found.origin).parent / "data" / name, folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
