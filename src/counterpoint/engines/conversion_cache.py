"""Converted models kept between programs: a folder each, whole or not there, of bounded size."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterpoint.costs.store import default_store_path
from counterpoint.errors import MachineError

MOST_BYTES = 4 << 30
"""Of everything that is kept; the oldest goes first. VGG-16 takes 550 MB as a whole, and as much
again for each way to cut it and each batch; half as much room made a tuning convert it twice."""

MOST_ABOUT_BYTES = 1 << 20
_ABOUT = "about.json"
_KEY = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry.

    Attributes:
        about: What its maker wrote down.
        folder: Where its files are; ``None`` where it has none.
    """

    about: Mapping[str, Any]
    folder: Path | None


class ConversionCache:
    """Entries by key, in one folder. Several threads and processes may use it at once.

    Args:
        folder: Made when it is needed.
        most_bytes: The oldest entries go until all are this small together.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    @classmethod
    def of_user(cls, name: str) -> ConversionCache:
        """In the folder where the user's measurements are.

        Raises:
            StoreError: There is no home folder.
        """
        return cls(default_store_path().parent / name)

    def get(self, key: str) -> Kept | None:
        """The entry, or ``None`` where there is none that is whole."""
        entry = self._entry(key)
        try:
            with (entry / _ABOUT).open("rb") as file:
                about = json.loads(file.read(MOST_ABOUT_BYTES))
            os.utime(entry)  # the time of last use
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(about, dict):
            return None
        files = about.get("files")
        if not isinstance(files, dict):
            return None
        for name, size in files.items():
            path = entry / Path(name).name
            if not path.is_file() or path.stat().st_size != size:
                return None
        return Kept(about, entry if files else None)

    def put(self, key: str, about: Mapping[str, Any], files: Sequence[Path]) -> Kept:
        """Keeps files, which are moved, and what is to be known about them.

        Raises:
            MachineError: There is no room, or the folder cannot be written.
        """
        entry = self._entry(key)
        sizes = {path.name: path.stat().st_size for path in files}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
            try:
                for path in files:
                    shutil.move(path, scratch / path.name)
                (scratch / _ABOUT).write_text(json.dumps({**about, "files": sizes}))
                if self.get(key) is None:
                    shutil.rmtree(entry, ignore_errors=True)
                    scratch.rename(entry)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        except OSError as error:
            raise MachineError(
                f"cannot keep a converted model in {self._folder}: {error.strerror}; free some "
                "room, or choose another folder with COUNTERPOINT_STORE"
            ) from error
        self._shrink(keep=entry)
        kept = self.get(key)
        if kept is None:
            raise MachineError(f"what was just kept in {self._folder} is gone; try again")
        return kept

    def drop(self, key: str) -> None:
        """Forgets an entry."""
        shutil.rmtree(self._entry(key), ignore_errors=True)

    def _entry(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key")
        return self._folder / key

    def _shrink(self, keep: Path) -> None:
        """Deletes the entries that were not used for longest."""
        entries = []
        for path in self._folder.iterdir():
            try:
                size = sum(file.stat().st_size for file in path.iterdir())
                entries.append((path.stat().st_mtime_ns, path, size))
            except OSError:
                continue  # another process deletes it, or it is not ours
        total = sum(size for _, _, size in entries)
        for _, path, size in sorted(entries):
            if total <= self._most_bytes:
                return
            if path != keep and _KEY.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
                total -= size
