"""The CSV file of a meter, or a recorded trace of a counter, read with distrust.

The first row names the columns. One of them is the time: ``timestamp``, ``time``, ``date`` or
``time_s``, ``time_ms``, ``time_us``, ``time_ns``; a number since 1970 (in seconds unless the name
says otherwise), or a date with time, of this machine's zone where it names none. Each column whose
name ends in a unit is a domain: ``package-0_uj``, ``power.draw [W]``, ``VDD_IN (mW)``,
``energy_wh``. Where a file has counters of energy as well as power, the counters count. Other
columns do not matter. So what ``nvidia-smi --format=csv`` writes can be read as it is.

Rows above the first row may be directives: ``# wraps_at_uj: package-0=262143328850`` says where a
counter starts again from 0, ``# offset_s: -0.35`` is added to all times (of a meter whose clock is
fast), ``# domains: package-0, dram`` names the columns that count.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low

from counterpoint.bench.energy.meter_columns import Columns, MeasuredColumn, find_columns
from counterpoint.bench.energy.source import Quantity
from counterpoint.bench.energy.trace import CounterTrace, EnergyTrace, PowerTrace
from counterpoint.errors import UserInputError
from counterpoint.platform.file_faults import quoted

MAX_FILE_BYTES = 64 * 2**20
_MAX_CELL_CHARS = 256
_MAX_DIRECTIVES = 64
_DELIMITERS = ",;\t"


def read_meter(path: Path) -> tuple[EnergyTrace, ...]:
    """A trace for each domain, with times in nanoseconds since 1970.

    A last row without an end of line is still being written, and does not count.

    Raises:
        UserInputError: The file cannot be read, or a row has another form; names file and row.
    """
    lines = _lines(path)
    start = 0
    try:
        told = _Directives()
        while start < min(len(lines), _MAX_DIRECTIVES) and lines[start].startswith("#"):
            told = told.also(lines[start])
            start += 1
        rows = _rows(lines, start)
        number, names = next(rows, (start + 1, []))
        start = number - 1
        columns = find_columns(names, told.domains)
        told.check(columns)
        times, values = _samples(rows, columns, told.offset_ns)
    except _RowError as error:
        raise UserInputError(f"{path}: row {error.row}: {error}") from None
    except UserInputError as error:
        raise UserInputError(f"{path}: row {start + 1}: {error}") from None
    if len(times) < 2:
        raise UserInputError(f"{path}: it has {len(times)} rows of samples, and 2 are the least")
    traces = []
    for column, shown in zip(columns.measured, values, strict=True):
        try:
            traces.append(told.trace(column, times, tuple(shown)))
        except ValueError as error:
            raise UserInputError(f"{path}: {error}; a row '{_WRAPS_EXAMPLE}' says it") from None
    return tuple(traces)


_WRAPS_EXAMPLE = "# wraps_at_uj: package-0=262143328850"


def sampling_ns(trace: EnergyTrace) -> int:
    """The usual time between two samples of a trace."""
    return median_low([after - before for before, after in pairwise(trace.times_ns)])


class _RowError(Exception):
    """What is wrong with which row, from 1."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True, slots=True)
class _Directives:
    """What the rows above the first row say."""

    wraps_at_uj: Mapping[str, int] = field(default_factory=dict)
    offset_ns: int = 0
    domains: tuple[str, ...] | None = None

    def also(self, line: str) -> _Directives:
        """With one more; a remark that is none changes nothing."""
        name, colon, rest = line.lstrip("# \t").partition(":")
        items = [item.strip() for item in rest.split(",")]
        if not colon or name not in ("wraps_at_uj", "offset_s", "domains"):
            return self
        if name == "domains":
            return _Directives(self.wraps_at_uj, self.offset_ns, tuple(items))
        if name == "offset_s":
            if not re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?", rest.strip()):
                raise UserInputError(f"offset_s {quoted(rest.strip())}: write it as -0.35")
            return _Directives(
                self.wraps_at_uj, round(Fraction(rest.strip()) * 10**9), self.domains
            )
        wraps = dict(self.wraps_at_uj)
        for item in items:
            domain, _, value = item.rpartition("=")
            if not domain or not re.fullmatch(r"[1-9][0-9]{0,18}", value):
                raise UserInputError(f"{quoted(item)}: write it as in '{_WRAPS_EXAMPLE}'")
            wraps[domain.strip()] = int(value)
        return _Directives(wraps, self.offset_ns, self.domains)

    def check(self, columns: Columns) -> None:
        """Whether there is a counter for each wrap-around that is told of.

        Raises:
            UserInputError: There is not.
        """
        known = {column.domain for column in columns.measured}
        for domain in self.wraps_at_uj:
            if domain not in known:
                raise UserInputError(
                    f"wraps_at_uj is told of {quoted(domain)}: there is {', '.join(known)}"
                )

    def trace(
        self, column: MeasuredColumn, times_ns: tuple[int, ...], values: tuple[int, ...]
    ) -> EnergyTrace:
        """A domain's samples.

        Raises:
            ValueError: A counter falls, and where it wraps around is not told; or it goes beyond.
        """
        if column.quantity is Quantity.POWER_UW:
            return PowerTrace(column.domain, times_ns, values)
        return CounterTrace(column.domain, times_ns, values, self.wraps_at_uj.get(column.domain))


def _lines(path: Path) -> list[str]:
    """Those that are complete, with their ends."""
    try:
        if path.exists() and not path.is_file():
            raise UserInputError(f"cannot read {path}: not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:  # a name with a zero byte
        raise UserInputError(f"cannot read {quoted(str(path))}: {error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise UserInputError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB")
    whole = data[: data.rfind(b"\n") + 1]
    try:
        return re.split(r"(?<=\n)", whole.decode("utf-8-sig"))[:-1]
    except UnicodeDecodeError:
        raise UserInputError(f"{path}: a meter's file must be UTF-8 text") from None


def _rows(lines: Sequence[str], start: int) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers from 1."""
    header = next((line for line in lines[start:] if line.strip()), "")
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(lines[start:], delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _RowError(start + reader.line_num, str(error)) from None
        if row is None:
            return
        number = start + reader.line_num
        if any(len(cell) > _MAX_CELL_CHARS for cell in row):
            raise _RowError(number, f"a cell is longer than {_MAX_CELL_CHARS} characters")
        if any(cell.strip() for cell in row):
            yield number, row


def _samples(
    rows: Iterator[tuple[int, list[str]]], columns: Columns, offset_ns: int
) -> tuple[tuple[int, ...], list[list[int]]]:
    """Times, and the values of each domain."""
    times: list[int] = []
    values: list[list[int]] = [[] for _ in columns.measured]
    width = 1 + max(columns.time_place, *(column.place for column in columns.measured))
    for number, row in rows:
        if len(row) < width:
            raise _RowError(number, f"it has {len(row)} columns, and {width} are needed")
        try:
            time_ns = columns.time_ns(row[columns.time_place].strip()) + offset_ns
            for column, shown in zip(columns.measured, values, strict=True):
                shown.append(column.value(row[column.place].strip()))
        except UserInputError as error:
            raise _RowError(number, str(error)) from None
        if times and time_ns <= times[-1]:
            raise _RowError(number, "its time is not after that of the row before")
        times.append(time_ns)
    return tuple(times), values
