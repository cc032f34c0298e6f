"""What an exploration has done so far, in a file, so that it can be interrupted and go on.

JSON lines: a heading that names the exploration, then a line for each part of the space that is
done. A line counts when it is whole, so that a crash in the middle of one loses one part.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from counterpoint.costs.models.overlay.cycles import NEVER
from counterpoint.errors import MachineError, UserInputError
from counterpoint.explore.catalogue import Catalogue
from counterpoint.explore.search import Tried
from counterpoint.schedule.atomic_file import atomic_file

FORMAT = "counterpoint-exploration-state"
VERSION = 1

MOST_LINE_BYTES = 2**28
"""A part of millions of designs; a longer line is no part of ours."""


class StateFile:
    """Parts that are done, by their number.

    Args:
        path: The file; its folder exists.
        fingerprint: Of the exploration.
        catalogues: That each part is of: the designs have to be theirs.
    """

    def __init__(self, path: Path, fingerprint: str, catalogues: tuple[Catalogue, ...]) -> None:
        self.path = path
        self._heading = {"format": FORMAT, "version": VERSION, "exploration": fingerprint}
        self._catalogues = catalogues

    def begin(self, done: Mapping[int, Tried]) -> None:
        """Writes the file anew with what is done already.

        Raises:
            MachineError: It cannot be written.
        """
        with atomic_file(self.path) as stream:
            stream.write(json.dumps(self._heading) + "\n")
            for number, tried in done.items():
                stream.write(_line(number, tried))

    def add(self, number: int, tried: Tried) -> None:
        """Appends a part.

        Raises:
            MachineError: It cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(_line(number, tried))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise MachineError(f"cannot write {self.path}: {error.strerror or error}") from error

    def read(self, parts: tuple[int, ...]) -> dict[int, Tried]:
        """The parts that are done.

        Args:
            parts: For each part the position of its catalogue.

        Raises:
            UserInputError: There is no such file, it is of another exploration, or damaged.
        """
        done: dict[int, Tried] = {}
        try:
            with self.path.open(encoding="utf-8") as stream:
                self._check_heading(stream.readline(MOST_LINE_BYTES))
                while (line := stream.readline(MOST_LINE_BYTES)).endswith("\n"):
                    number, tried = self._part(line, parts)
                    done[number] = tried
        except FileNotFoundError as error:
            raise UserInputError(f"nothing to resume: there is no {self.path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UserInputError(f"cannot read {self.path}: {error}") from error
        return done

    def _check_heading(self, line: str) -> None:
        heading = _parsed(line)
        if heading.get("format") != FORMAT:
            raise UserInputError(f"{self.path} is no state of an exploration; name another folder")
        if heading != self._heading:
            raise UserInputError(
                f"{self.path} is of another exploration (network, space, method or version): name "
                "another folder, or remove it"
            )

    def _part(self, line: str, parts: tuple[int, ...]) -> tuple[int, Tried]:
        found = _parsed(line)
        number, bounded = found.get("part"), found.get("bounded")
        damaged = UserInputError(f"{self.path} is damaged: remove it, and begin anew")
        if type(number) is not int or not 0 <= number < len(parts):
            raise damaged
        if type(bounded) is not int or bounded < 0:
            raise damaged
        catalogue = self._catalogues[parts[number]]
        try:
            designs = np.array(found.get("designs"), dtype=np.int64)
            intervals = np.array(found.get("intervals"), dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged from error
        if designs.shape == (0,):
            designs = designs.reshape(0, catalogue.core_count)
        if intervals.ndim != 1 or designs.shape != (intervals.size, catalogue.core_count):
            raise damaged
        outside = (designs < 0) | (designs >= len(catalogue.cores))
        if outside.any() or (intervals < 1).any() or (intervals >= NEVER).any():
            raise damaged
        if (catalogue.design_area(designs) > catalogue.budget).any():
            raise damaged
        return number, Tried(designs, intervals, bounded)


def _line(number: int, tried: Tried) -> str:
    content = {
        "part": number,
        "bounded": tried.bounded,
        "designs": tried.designs.tolist(),
        "intervals": tried.intervals.tolist(),
    }
    return json.dumps(content, separators=(",", ":")) + "\n"


def _parsed(line: str) -> dict[str, Any]:
    """A line's object; an empty one for what is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
