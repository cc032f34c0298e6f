"""What goes to standard output, and the check that a file can be written before work starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from counterpoint.errors import MachineError, UserInputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from counterpoint.report.document import Document

_UNLIMITED_WIDTH = 10_000
"""Into a file or a pipe nothing is folded."""


def show(
    as_json: bool,
    content: Callable[[], Document],
    parts: Callable[[], Iterable[RenderableType]],
) -> None:
    """Prints the document for programs or the parts for people; only that one is made."""
    if as_json:
        from counterpoint.report.document import to_json

        sys.stdout.write(to_json(content()) + "\n")
        return
    from rich.console import Console

    from counterpoint.frames.files import printable

    width = None if sys.stdout.isatty() else _UNLIMITED_WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:  # Rich ends the program by itself when a pipe breaks
        for part in parts():
            console.print(printable(part) if isinstance(part, str) else part)
    text = captured.get()
    if not sys.stdout.isatty():  # Rich fills columns up with blanks
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    sys.stdout.write(text)


def say(text: str) -> None:
    """One line on standard error, whatever is in it."""
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    sys.stderr.write(f"counterpoint: {shown}\n")


def check_writable(path: Path) -> None:
    """Raises before minutes of work whose result could not be kept.

    Raises:
        UserInputError: The folder does not exist, or the path is a folder.
        MachineError: The folder or the file may not be written.
    """
    folder = path.parent
    if not folder.is_dir():
        raise UserInputError(f"cannot write {path}: there is no folder {folder}")
    if path.is_dir():
        raise UserInputError(f"cannot write {path}: it is a folder")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise MachineError(f"cannot write {path}: permission denied")
