"""The measurement store's file: its tables, its mark, its version, and what makes it ours.

A file is taken for a store only if it holds exactly what this module writes: no foreign table, no
view, no trigger. That keeps other people's databases safe from us, and us from files made to harm.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from counterpoint.errors import StoreError

VERSION = 1

APPLICATION_ID = 0x43505374  # "CPSt"

_TABLE = """CREATE TABLE measurement (
    platform_fingerprint TEXT NOT NULL,
    engine_version TEXT NOT NULL,
    unit TEXT NOT NULL,
    subject TEXT NOT NULL,
    median_ns INTEGER NOT NULL,
    low_ns INTEGER NOT NULL,
    high_ns INTEGER NOT NULL,
    count INTEGER NOT NULL,
    meta TEXT NOT NULL,
    measured_at_unix_s REAL NOT NULL,
    PRIMARY KEY (platform_fingerprint, engine_version, unit, subject)
) WITHOUT ROWID"""

PUT = """INSERT OR REPLACE INTO measurement (
    platform_fingerprint, engine_version, unit, subject,
    median_ns, low_ns, high_ns, count, meta, measured_at_unix_s
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

GET = """SELECT median_ns, low_ns, high_ns, count, meta, measured_at_unix_s FROM measurement
WHERE platform_fingerprint = ? AND engine_version = ? AND unit = ? AND subject = ?"""


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Makes sure that the database is a store of this version; fills an empty one.

    Nothing is written to a database that is not ours. Of two processes that meet an empty file,
    one fills it and the other finds it filled.

    Args:
        connection: In autocommit mode.
        name: The file, for messages.

    Raises:
        StoreError: It belongs to something else, or to a newer version.
        sqlite3.Error: It is damaged, locked, or cannot be written.
    """
    with _transaction(connection, "BEGIN"):
        if _is_ours(connection, name):
            return
    with _transaction(connection, "BEGIN IMMEDIATE"):
        if not _is_ours(connection, name):  # another process may have been first
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """All reads inside see one state, all writes happen or none."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _is_ours(connection: sqlite3.Connection, name: str) -> bool:
    """True for a store of this version, False for a database with nothing in it."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    entries = connection.execute("SELECT sql FROM sqlite_master LIMIT 2").fetchall()
    if not entries and mark == 0 and version == 0:
        return False
    if mark != APPLICATION_ID:
        raise StoreError(
            f"{name} is another program's database, not a measurement store; choose another file "
            "with --store or COUNTERPOINT_STORE"
        )
    if version > VERSION:
        raise StoreError(
            f"store {name} was written by a newer Counterpoint (its version is {version}, this one "
            f"reads {VERSION}); update Counterpoint, or choose another with --store"
        )
    if version != VERSION or entries != [(_TABLE,)]:
        raise StoreError(
            f"store {name} does not hold what a store of version {VERSION} holds; move it away or "
            "delete it, or choose another with --store"
        )
    return True
