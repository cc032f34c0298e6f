"""Plans as JSON files: strict to read, whole when written, and told apart by version."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoint.errors import PlanFileError
from counterpoint.platform.file_faults import first_fault, quoted
from counterpoint.schedule.atomic_file import atomic_file
from counterpoint.schedule.plan import Plan

if TYPE_CHECKING:  # pydantic takes long to import; only who meets a file pays for it
    from pydantic import TypeAdapter

FORMAT = "counterpoint-plan"
VERSION = 2

MAX_FILE_BYTES = 16 * 2**20
MAX_VALUES = 200_000
"""What a stranger's file may cost us: ten lanes over 10,000 layers stay below both limits. Each
faulty value takes some 2 KiB while its error is told, so the values are counted beforehand."""

SCHEMA_PATH = Path(__file__).with_name("plan.schema.json")
"""The JSON Schema of plan files that the package ships: :func:`plan_schema` as a file."""


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter

    return TypeAdapter(Plan)


def save_plan(plan: Plan, path: Path) -> None:
    """Writes a plan; the file is whole or not there.

    Raises:
        MachineError: The file cannot be written.
    """
    document = {"format": FORMAT, "version": VERSION}
    document |= _adapter().dump_python(plan, mode="json")
    with atomic_file(path) as stream:
        json.dump(document, stream, indent=1)
        stream.write("\n")


def load_plan(path: Path) -> Plan:
    """Reads a plan, from anybody.

    Raises:
        PlanFileError: The file cannot be read, is no plan, is newer than this version, or a field
            is missing, unknown or ill-typed; the message names it.
    """
    from pydantic import ValidationError
    from pydantic_core import from_json, to_json

    data = _read(path)
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise PlanFileError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise PlanFileError(f'{path} is not a plan: it has no "format": "{FORMAT}"')
    version = document.pop("version", None)
    if type(version) is not int or version < 1:
        raise PlanFileError(f"{path}: field 'version' is not a whole number from 1")
    if version > VERSION:
        raise PlanFileError(
            f"{path} is of version {quoted(version)}, this Counterpoint reads up to {VERSION}: "
            "upgrade"
        )
    if version < VERSION:
        raise PlanFileError(
            f"{path} is of version {version}, this Counterpoint reads {VERSION}: "
            "make the plan again"
        )
    try:
        # By way of JSON again, as only from JSON does "strict" take an array for a tuple.
        return _adapter().validate_json(to_json(document))
    except ValidationError as error:
        raise PlanFileError(f"{path}: {first_fault(error, 'field')}") from None


def plan_schema() -> str:
    """JSON Schema of plan files, as text."""
    schema: dict[str, Any] = _adapter().json_schema()
    schema["properties"] = {
        "format": {"const": FORMAT, "type": "string"},
        "version": {"const": VERSION, "type": "integer"},
        **schema["properties"],
    }
    schema["required"] = ["format", "version", *schema["required"]]
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=1) + "\n"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PlanFileError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise PlanFileError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB: no plan is")
    if data.count(b",") + data.count(b":") > MAX_VALUES:
        raise PlanFileError(f"{path} holds more than {MAX_VALUES} values: no plan does")
    return data
