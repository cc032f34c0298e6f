"""The text files under ``/proc`` and ``/sys`` by which Linux describes a machine.

Any of them may be missing, unreadable or garbage (containers, old kernels, emulators): reading
never raises, what cannot be understood is ``None``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE_BYTES = 16 << 20
"""Far above ``/proc/cpuinfo`` of the largest machines; the rest of a longer file is not read."""

LARGEST_PROCESSOR_COUNT = 8192
"""Bound on what a processor list may name: Linux's own (``CONFIG_NR_CPUS`` on x86-64)."""

_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Reads the kernel's files below a root.

    Attributes:
        root: ``/`` on a live machine; elsewhere a recorded tree with ``proc`` and ``sys`` in it.
    """

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """Content without surrounding blanks and NULs; ``None`` when empty or unreadable."""
        try:
            with (self.root / path.lstrip("/")).open("rb") as file:
                content = file.read(LARGEST_FILE_BYTES)
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return None
        return content.decode("utf-8", errors="replace").strip("\0 \t\r\n") or None

    def integer(self, path: str) -> int | None:
        """A decimal integer that fits in 64 bits, or ``None``."""
        text = self.text(path)
        if text is None or re.fullmatch(r"-?[0-9]{1,20}", text) is None:
            return None
        value = int(text)
        return value if -(1 << 63) <= value < 1 << 64 else None

    def count(self, path: str) -> int | None:
        """An :meth:`integer` that is not negative; -1 is the kernel's word for "not known"."""
        value = self.integer(path)
        return None if value is None or value < 0 else value

    def processors(self, path: str) -> tuple[int, ...] | None:
        """A processor list such as ``0-3,8``; ``None`` when empty or malformed."""
        return parse_processor_list(self.text(path) or "") or None

    def numbered(self, folder: str, prefix: str) -> tuple[int, ...]:
        """Numbers of the entries ``<prefix><number>`` of a folder, ascending."""
        pattern = re.compile(re.escape(prefix) + r"([0-9]{1,6})")
        try:
            names = [entry.name for entry in (self.root / folder.lstrip("/")).iterdir()]
        except (OSError, ValueError):
            return ()
        matches = (pattern.fullmatch(name) for name in names)
        return tuple(sorted({int(match[1]) for match in matches if match}))


def parse_processor_list(text: str) -> tuple[int, ...] | None:
    """Numbers of a list such as ``0-3,8``, ascending; ``None`` when it is malformed."""
    numbers: set[int] = set()
    listed = 0
    for item in text.split(","):
        match = _RANGE.fullmatch(item.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        listed += last - first + 1
        if last < first or listed > LARGEST_PROCESSOR_COUNT:
            return None
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))
