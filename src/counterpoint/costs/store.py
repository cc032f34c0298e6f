"""The measurement store: what was measured once on a machine need not be measured again.

An SQLite file that several processes may use at once. Each measurement is committed by itself, so a
process that is killed loses none but the one under way.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from counterpoint.costs.sample import (
    JSON,
    LARGEST_META_BYTES,
    Key,
    Sample,
    meta_from_text,
    meta_to_text,
)
from counterpoint.costs.store_errors import damaged, is_locked, translated
from counterpoint.costs.store_schema import GET, PUT, prepare
from counterpoint.errors import InternalError, StoreError

__all__ = ["JSON", "Key", "Sample", "Store", "default_store_path"]

BUSY_TIMEOUT_MS = 5000
"""How long to wait for another process; a commit takes well under a millisecond."""


def default_store_path(environ: Mapping[str, str] = os.environ) -> Path:
    """``$COUNTERPOINT_STORE``, else ``counterpoint/measurements.sqlite`` in the cache folder.

    The cache folder is ``$XDG_CACHE_HOME``, or ``~/.cache`` where that is unset or relative.

    Raises:
        StoreError: There is no home folder.
    """
    try:
        if chosen := environ.get("COUNTERPOINT_STORE"):
            return Path(chosen).expanduser()
        cache = Path(environ.get("XDG_CACHE_HOME", ""))
        folder = cache if cache.is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError as error:  # pathlib's word for "no home"
        raise StoreError(
            "no home folder to keep measurements in; choose a file with --store or "
            "COUNTERPOINT_STORE"
        ) from error
    return folder / "counterpoint" / "measurements.sqlite"


class Store:
    """Measurements by key. Used by the thread that opened it; other processes have their own."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        """Takes over a connection; call :meth:`open` or :meth:`in_memory` instead."""
        self._connection = connection
        self._name = name

    @classmethod
    def open(cls, path: Path | None = None, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Store:
        """Opens the store's file; makes it, and its folder, where there is none.

        Args:
            path: The file; ``None`` for :func:`default_store_path`.
            busy_timeout_ms: How long to wait for another process.

        Raises:
            StoreError: The file is locked, damaged, newer, somebody else's, or cannot be written.
        """
        chosen = default_store_path() if path is None else path
        name = str(chosen)
        try:
            chosen.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StoreError(
                f"store {name}: its folder cannot be made ({reason}); choose another file with "
                "--store or COUNTERPOINT_STORE"
            ) from error
        # absolute(): a file named ":memory:" is a file, too
        return cls._connect(str(chosen.absolute()), name, busy_timeout_ms)

    @classmethod
    def in_memory(cls) -> Store:
        """A store that is forgotten when it is closed."""
        return cls._connect(":memory:", "in memory", BUSY_TIMEOUT_MS)

    @classmethod
    def _connect(cls, database: str, name: str, busy_timeout_ms: int) -> Store:
        with translated(name):
            connection = sqlite3.connect(
                database, timeout=busy_timeout_ms / 1000, isolation_level=None
            )
        try:
            with translated(name):
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * LARGEST_META_BYTES)
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA cell_size_check = ON")
                prepare(connection, name)
                _use_write_ahead_log(connection, busy_timeout_ms)
        except BaseException:
            connection.close()
            raise
        return cls(connection, name)

    def get(self, key: Key) -> Sample | None:
        """The measurement of that key, or ``None``.

        Raises:
            StoreError: The file is locked or damaged, or holds a value that nobody can measure.
        """
        with translated(self._name):
            row = self._connection.execute(GET, _columns(key)).fetchone()
        return None if row is None else self._sample(row)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Sample]:
        """Measurements of those keys that there are.

        Raises:
            StoreError: As :meth:`get`.
        """
        found = ((key, self.get(key)) for key in keys)
        return {key: sample for key, sample in found if sample is not None}

    def put(
        self, key: Key, samples_ns: Sequence[int], meta: Mapping[str, JSON] | None = None
    ) -> Sample:
        """Keeps a measurement, in place of an earlier one of that key; committed on return.

        Args:
            key: What was measured.
            samples_ns: Time of each run, at least one, any order.
            meta: How it was measured.

        Returns:
            What :meth:`get` will give.

        Raises:
            StoreError: It cannot be written; the store is as it was before.
            InternalError: Times or meta that no measurement can give.
        """
        try:
            text = meta_to_text(meta or {})
            sample = Sample.of_runs(samples_ns, meta_from_text(text), time.time())
        except (TypeError, ValueError) as error:
            raise InternalError(f"measurement of {key.subject} on {key.unit}: {error}") from error
        values = (sample.median_ns, sample.low_ns, sample.high_ns, sample.count)
        with translated(self._name):
            self._connection.execute(
                PUT, (*_columns(key), *values, text, sample.measured_at_unix_s)
            )
        return sample

    def close(self) -> None:
        """Gives the file back. May be called twice."""
        with translated(self._name):
            self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _sample(self, row: tuple[object, ...]) -> Sample:
        """A row as a sample; a stranger's file may hold anything in any column."""
        median_ns, low_ns, high_ns, count, meta, measured_at_unix_s = row
        try:
            if not isinstance(meta, str) or len(meta) > LARGEST_META_BYTES:
                raise ValueError("meta is no short text")
            return Sample(
                median_ns=median_ns,  # type: ignore[arg-type]  # checked by Sample itself
                low_ns=low_ns,  # type: ignore[arg-type]
                high_ns=high_ns,  # type: ignore[arg-type]
                count=count,  # type: ignore[arg-type]
                meta=meta_from_text(meta),
                measured_at_unix_s=measured_at_unix_s,  # type: ignore[arg-type]
            )
        except ValueError as error:
            raise damaged(self._name, str(error)) from error


def _columns(key: Key) -> tuple[str, str, str, str]:
    return key.platform_fingerprint, key.engine_version, key.unit, key.subject


def _use_write_ahead_log(connection: sqlite3.Connection, busy_timeout_ms: int) -> None:
    """Readers and a writer at once, and no wait for the disk at each commit.

    With ``synchronous = NORMAL`` a killed process loses nothing that was committed; a power cut may
    lose the last commits but leaves the file sound (https://sqlite.org/wal.html). Where the
    file system cannot do it, the rollback journal stays: slower, as safe.
    """
    deadline = time.monotonic() + busy_timeout_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # Two processes that switch a new file at once: SQLite does not wait here by itself.
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
    connection.execute("PRAGMA synchronous = NORMAL")
