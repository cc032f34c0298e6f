"""SQLite's errors in our words: which file, what is wrong with it, and the way out."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from counterpoint.errors import InternalError, StoreError

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened",
    sqlite3.SQLITE_AUTH: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_FULL: "cannot grow",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
}


@contextlib.contextmanager
def translated(name: str) -> Iterator[None]:
    """Raises :class:`StoreError` for what SQLite raises inside.

    Args:
        name: The store's file, for messages.

    Raises:
        StoreError: The file is locked, damaged, or cannot be read or written.
        InternalError: We misuse SQLite: closed connection, another thread, text that is none.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, UnicodeEncodeError) as error:
        raise InternalError(f"store {name} misused: {error}") from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in its message
        raise damaged(name, "its text is not UTF-8") from error
    except sqlite3.Error as error:
        code = primary_code(error)
        if code in _LOCKED:
            raise StoreError(
                f"store {name} is locked by another process; wait or choose another with "
                "COUNTERPOINT_STORE/--store"
            ) from error
        if code in _UNUSABLE:
            raise StoreError(
                f"store {name} {_UNUSABLE[code]} ({error}); give room or access, or choose "
                "another file with --store or COUNTERPOINT_STORE"
            ) from error
        raise damaged(name, str(error)) from error


def is_locked(error: sqlite3.Error) -> bool:
    """Somebody else holds the file; it may work a moment later."""
    return primary_code(error) in _LOCKED


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 where Python's own part raised it."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def damaged(name: str, reason: str) -> StoreError:
    """The error for a file that cannot be what we wrote.

    The reason may quote the file: what is left of it is short and printable.
    """
    legible = "".join(character if character.isprintable() else "?" for character in reason[:100])
    return StoreError(
        f"store {name} is damaged or no measurement store ({legible}); move it away or delete it, "
        "or choose another with --store"
    )
