"""Results of benches as files: JSON lines that grow while the bench runs.

The first line says what the file is and where it was measured, every other line is one record: a
row, a control, a breakdown, a point of a roofline, or the word that a stage is done. Whole lines
are never changed, so that whatever ends a bench (Ctrl-C, a full disk, a power cut) leaves a result:
all that was finished. A last line without an end is one that was being written; it does not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from counterpoint.bench.result import (
    BenchResult,
    Breakdown,
    Control,
    MachineDescription,
    RooflinePoint,
    Row,
)
from counterpoint.errors import MachineError, ResultFileError
from counterpoint.platform.file_faults import first_fault, quoted
from counterpoint.schedule.atomic_file import atomic_file

if TYPE_CHECKING:  # pydantic takes long to import; only who meets a file pays for it
    from pydantic import TypeAdapter

FORMAT = "counterpoint-bench"
VERSION = 1

MAX_FILE_BYTES = 64 * 2**20
MAX_LINES = 200_000
MAX_VALUES = 4_000_000
MAX_VALUES_PER_LINE = 200_000
"""What a stranger's file may cost us: a thousand rows of a thousand samples, and ten units'
rooflines of ten networks of a thousand layers, stay below. Each faulty value of a line takes some
2 KiB while its error is told, so values are counted beforehand."""

Record: TypeAlias = Row | Control | Breakdown | RooflinePoint

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a bench that is measured as one, and not again once it is done.

    Attributes:
        network: Name as given.
        name: ``latency``, ``throughput``, ...
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True}

    network: str
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line of a file says.

    Attributes:
        machine, settings, started: See :class:`~counterpoint.bench.result.BenchResult`.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True}

    machine: MachineDescription
    settings: Mapping[str, str]
    started: str


_KINDS: Mapping[str, type[Record | Stage]] = {
    "row": Row,
    "control": Control,
    "breakdown": Breakdown,
    "point": RooflinePoint,
    "done": Stage,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(kw_only=True)
class StoredResult:
    """What a file holds.

    Attributes:
        header: Its first line.
        records: In the order of the file.
        done: Stages that are complete.
        finished: How many of the records belong to complete stages; the others stand behind them.
        torn: The last line had no end, and was left out.
    """

    header: Header
    records: list[Record] = field(default_factory=list)
    done: list[Stage] = field(default_factory=list)
    finished: int = 0
    torn: bool = False

    def result(self) -> BenchResult:
        """All records."""
        return BenchResult(
            machine=self.header.machine,
            settings=self.header.settings,
            started=self.header.started,
            rows=tuple(record for record in self.records if isinstance(record, Row)),
            controls=tuple(record for record in self.records if isinstance(record, Control)),
            breakdowns=tuple(record for record in self.records if isinstance(record, Breakdown)),
            points=tuple(record for record in self.records if isinstance(record, RooflinePoint)),
        )


def load_result(path: Path) -> BenchResult:
    """Reads a result, from anybody; also one that is still being written.

    Raises:
        ResultFileError: See :func:`read_result`.
    """
    return read_result(path).result()


def read_result(path: Path) -> StoredResult:
    """Reads a result with its stages, from anybody.

    Raises:
        ResultFileError: The file cannot be read, is no result, is newer than this version, or a
            field is missing, unknown or ill-typed; the message names line and field.
    """
    stored: StoredResult | None = None
    for number, line, is_whole in _lines(path):
        if not is_whole:
            if stored is None:
                raise ResultFileError(f"{path} is not a bench result: it has no whole line")
            stored.torn = True
            break
        document = _document(path, number, line)
        if stored is None:
            stored = StoredResult(header=_header(path, document))
            continue
        record = _record(f"{path}, line {number}", document)
        if isinstance(record, Stage):
            stored.done.append(record)
            stored.finished = len(stored.records)
        else:
            stored.records.append(record)
    if stored is None:
        raise ResultFileError(f"{path} is not a bench result: it is empty")
    return stored


def save_result(result: BenchResult, path: Path) -> None:
    """Writes a whole result; the file is whole or not there.

    Raises:
        MachineError: The file cannot be written.
    """
    header = Header(result.machine, result.settings, result.started)
    records: list[Record] = [*result.rows, *result.controls, *result.breakdowns, *result.points]
    with atomic_file(path) as stream:
        stream.write(_header_line(header))
        stream.writelines(_lines_of(records))


class ResultFile:
    """A result that grows.

    Attributes:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, header: Header) -> ResultFile:
        """Starts a file; one that was there is replaced.

        Raises:
            MachineError: It cannot be written.
        """
        with atomic_file(path) as stream:
            stream.write(_header_line(header))
        return cls(path)

    @classmethod
    def resume(cls, path: Path) -> tuple[ResultFile, StoredResult]:
        """Goes on with a file. Records of stages that are not done are taken out of it.

        Returns:
            The file and what stays in it; ``torn`` tells whether a line was torn.

        Raises:
            ResultFileError: See :func:`read_result`.
            MachineError: It cannot be written.
        """
        stored = read_result(path)
        if stored.torn or stored.finished < len(stored.records):
            del stored.records[stored.finished :]
            with atomic_file(path) as stream:
                stream.write(_header_line(stored.header))
                stream.writelines(_lines_of(stored.records))
                stream.writelines(_lines_of(stored.done))
        return cls(path), stored

    def append(self, records: Iterable[Record], stage: Stage) -> None:
        """Adds what a stage found, and that it is done: all of it or nothing.

        Raises:
            MachineError: It cannot be written; the file is as it was before.
        """
        left = memoryview("".join([*_lines_of(records), *_lines_of([stage])]).encode())
        try:
            with self.path.open("ab", buffering=0) as stream:
                size = stream.tell()
                try:
                    while left:
                        left = left[stream.write(left) :]
                    os.fsync(stream.fileno())
                except BaseException:
                    stream.truncate(size)
                    raise
        except OSError as error:
            raise MachineError(f"cannot write {self.path}: {error.strerror or error}") from error


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Number from 1, content, and whether it has an end."""
    left_bytes, left_values = MAX_FILE_BYTES, MAX_VALUES
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(left_bytes + 1):
                number += 1
                values = line.count(b",") + line.count(b":")
                left_bytes -= len(line)
                left_values -= values
                if left_bytes < 0:
                    size = MAX_FILE_BYTES // 2**20
                    raise ResultFileError(f"{path} is larger than {size} MiB: no result is")
                if left_values < 0 or number > MAX_LINES:
                    raise ResultFileError(f"{path} holds more values or lines than a result does")
                if values > MAX_VALUES_PER_LINE:
                    raise ResultFileError(
                        f"{path}, line {number}: more than {MAX_VALUES_PER_LINE} values"
                    )
                yield number, line, line.endswith(b"\n")
    except OSError as error:
        raise ResultFileError(f"cannot read {path}: {error.strerror or error}") from None


def _document(path: Path, number: int, line: bytes) -> dict[str, object]:
    from pydantic_core import from_json

    try:
        document = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise ResultFileError(f"{path}, line {number} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ResultFileError(f"{path}, line {number} is no record: {quoted(document)}")
    return document


def _header(path: Path, document: dict[str, object]) -> Header:
    if document.pop("format", None) != FORMAT:
        raise ResultFileError(f'{path} is not a bench result: it has no "format": "{FORMAT}"')
    version = document.pop("version", None)
    if type(version) is not int or version < 1:
        raise ResultFileError(f"{path}: field 'version' is not a whole number from 1")
    if version > VERSION:
        raise ResultFileError(
            f"{path} is of version {quoted(version)}, this Counterpoint reads up to {VERSION}: "
            "upgrade"
        )
    return _validated(_header_adapter(), f"{path}, line 1", document)


def _record(place: str, document: dict[str, object]) -> Record | Stage:
    if len(document) != 1 or (name := next(iter(document))) not in _KINDS:
        known = ", ".join(_KINDS)
        raise ResultFileError(f"{place}: a record has one of {known}, not {quoted([*document])}")
    return _validated(_adapter(name), place, document[name])


def _validated(adapter: TypeAdapter[_T], place: str, content: object) -> _T:
    from pydantic import ValidationError
    from pydantic_core import to_json

    try:
        # By way of JSON again, as only from JSON does "strict" take an array for a tuple.
        return adapter.validate_json(to_json(content))
    except ValidationError as error:
        raise ResultFileError(f"{place}: {first_fault(error, 'field')}") from None


@cache
def _adapter(name: str) -> TypeAdapter[Record | Stage]:
    from pydantic import TypeAdapter

    return TypeAdapter(_KINDS[name])


@cache
def _header_adapter() -> TypeAdapter[Header]:
    from pydantic import TypeAdapter

    return TypeAdapter(Header)


def _header_line(header: Header) -> str:
    body = _header_adapter().dump_python(header, mode="json")
    return _text({"format": FORMAT, "version": VERSION, **body})


def _lines_of(records: Iterable[Record | Stage]) -> Iterator[str]:
    for record in records:
        name = _NAMES[type(record)]
        yield _text({name: _adapter(name).dump_python(record, mode="json")})


def _text(content: Mapping[str, object]) -> str:
    """One line of ASCII: a stranger's name can hold no end of line."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
