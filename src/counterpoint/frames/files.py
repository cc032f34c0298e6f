"""Whole files in, whole files out: bounded reads, and writes that never leave half a file."""

from __future__ import annotations

import secrets
from pathlib import Path

from counterpoint.errors import FrameError, MachineError


def printable(text: object) -> str:
    """``text`` on one line: control characters and the like become their escapes."""
    shown = str(text)
    return shown if shown.isprintable() else repr(shown)[1:-1]


def file_bytes(path: Path, *, max_bytes: int) -> int:
    """Size of a regular file.

    Raises:
        FrameError: It does not exist, is no regular file (a pipe could block forever), is empty,
            or is larger than ``max_bytes``.
    """
    try:
        if not path.is_file():
            kind = "not a file" if path.exists() else "no such file"
            raise FrameError(f"{printable(path)}: {kind}")
        size = path.stat().st_size
    except OSError as error:
        raise FrameError(f"{printable(path)}: cannot be read ({error.strerror})") from error
    if size == 0:
        raise FrameError(f"{printable(path)}: the file is empty")
    if size > max_bytes:
        raise FrameError(f"{printable(path)}: {size} bytes, more than the limit of {max_bytes}")
    return size


def read_whole(path: Path, *, max_bytes: int) -> bytes:
    """Contents of a regular file of 1 to ``max_bytes`` bytes.

    Raises:
        FrameError: As :func:`file_bytes`, or it cannot be read.
    """
    size = file_bytes(path, max_bytes=max_bytes)
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise FrameError(f"{printable(path)}: cannot be read ({error.strerror})") from error


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is either complete or not there; an old one is replaced at once.

    Raises:
        FrameError: The folder does not exist, or ``path`` is a folder.
        MachineError: The disk is full, the folder is read-only, and the like.
    """
    if not path.parent.is_dir():
        raise FrameError(f"{printable(path)}: there is no folder {printable(path.parent)}")
    if path.is_dir():
        raise FrameError(f"{printable(path)}: is a folder, a file name is wanted")
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{printable(path)}: cannot be written ({error.strerror})") from error
