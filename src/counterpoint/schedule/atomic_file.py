"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from counterpoint.errors import MachineError


@contextmanager
def atomic_file(path: Path) -> Iterator[TextIO]:
    """Opens a text file (UTF-8) that takes its place when the block ends well.

    Until then, and when the block raises, whatever was at ``path`` stays as it is.

    Raises:
        MachineError: The file cannot be written there.
    """
    target = path.resolve()  # a link stays a link, and what it points to is replaced
    if target.exists() and not target.is_file():
        raise MachineError(f"cannot write {path}: it is no ordinary file")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
