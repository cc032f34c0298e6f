"""Any file that a report can be made of: told apart by what it says it is, read with distrust."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from counterpoint.bench.result import BenchResult
from counterpoint.bench.result_file import FORMAT as BENCH_FORMAT
from counterpoint.bench.result_file import load_result
from counterpoint.errors import ResultFileError
from counterpoint.platform.file_faults import first_fault, quoted
from counterpoint.report.document import VERSION
from counterpoint.report.html.inputs.documents import DOCUMENTS, VerbDocument
from counterpoint.report.html.inputs.trace_events import TraceFile, traces_of
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.plan_file import FORMAT as PLAN_FORMAT
from counterpoint.schedule.plan_file import load_plan
from counterpoint.schedule.trace import Trace

if TYPE_CHECKING:  # pydantic takes long to import; only who meets a file pays for it
    from pydantic import TypeAdapter

MAX_FILE_BYTES = 64 * 2**20
MAX_VALUES = 4_000_000
"""What a stranger's file may cost us: the trace of a thousand frames of a hundred segments and the
front of a large exploration stay below both."""

_MAX_FIRST_LINE = 2**20

Result: TypeAlias = BenchResult | Plan | tuple[Trace, ...] | VerbDocument
"""What a report can be made of."""

_READABLE = (
    "a plan (tune -o), a trace (--trace), a bench's result (bench -o), or what tune, plan, "
    "simulate, pareto and explore print with --json"
)


def read(path: Path) -> Result:
    """The result in a file.

    Raises:
        ResultFileError: It cannot be read, is nothing that a report can be made of, is too large
            or newer than this version, or a field is missing or ill-typed; the message names it.
        PlanFileError: It is a plan that cannot be read.
    """
    if _is_bench(path):
        return load_result(path)
    content = _content(path)
    if isinstance(content, dict):
        if "traceEvents" in content:
            return traces_of(_validated(TraceFile, content, path), path)
        if content.get("format") == PLAN_FORMAT:
            return load_plan(path)
        return document_of(content, path)
    raise ResultFileError(f"{path} is nothing to report on; give {_READABLE}")


def document_of(content: dict[str, Any], source: object = "document") -> VerbDocument:
    """What a verb printed with ``--json``.

    Args:
        content: The document.
        source: What messages call it.

    Raises:
        ResultFileError: As :func:`read`.
    """
    name = content.get("format")
    kind = DOCUMENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        what = "it has no format" if name is None else f"its format is {quoted(name)}"
        raise ResultFileError(f"{source} is nothing to report on: {what}; give {_READABLE}")
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise ResultFileError(f"{source}: field 'version' is not a whole number from 1")
    if version > VERSION:
        raise ResultFileError(
            f"{source} is of version {quoted(version)}, this Counterpoint reads up to {VERSION}: "
            "upgrade"
        )
    found: VerbDocument = _validated(kind, content, source)
    return found


def _is_bench(path: Path) -> bool:
    """The first line of such a file is a document of its own."""
    from pydantic_core import from_json

    try:
        with path.open("rb") as stream:
            line = stream.readline(_MAX_FIRST_LINE)
    except OSError as error:
        raise ResultFileError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        first = from_json(line)
    except ValueError:
        return False
    return isinstance(first, dict) and first.get("format") == BENCH_FORMAT


def _content(path: Path) -> object:
    from pydantic_core import from_json

    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ResultFileError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ResultFileError(
            f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB; report on fewer frames"
        )
    if data.count(b",") + data.count(b":") > MAX_VALUES:
        raise ResultFileError(f"{path} holds more than {MAX_VALUES} values; report on fewer frames")
    try:
        content: object = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise ResultFileError(
            f"{path} is not JSON: {error}; a report is made of {_READABLE}"
        ) from None
    return content


def _validated(kind: Any, content: dict[str, Any], source: object) -> Any:
    from pydantic import ValidationError
    from pydantic_core import to_json

    try:
        # By way of JSON again, as only from JSON does "strict" take an array for a tuple.
        return _adapter(kind).validate_json(to_json(content))
    except ValidationError as error:
        raise ResultFileError(f"{source}: {first_fault(error, 'field')}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
