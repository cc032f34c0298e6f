"""Platform files read and found: by path, or by the name of one that is shipped."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoint.errors import PlatformFileError
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_faults import first_fault, quoted

if TYPE_CHECKING:  # pydantic takes long to import; only who meets a file pays for it
    from pydantic import TypeAdapter

FORMAT = "counterpoint-platform"
VERSION = 1

SHIPPED = Path(__file__).with_name("shipped")
SCHEMA_PATH = Path(__file__).with_name("platform.schema.json")
"""The JSON Schema of platform files that the package ships: :func:`platform_schema` as a file."""

MAX_FILE_BYTES = 4 * 2**20
MAX_VALUES = 200_000
"""What a stranger's file may cost us; the largest shipped one has a sixth of it."""

MAX_DOTS = 1000
"""In one line. A key of n parts takes a time of n squared to read; no array of that many numbers
has to stand in one line."""


def shipped_platforms() -> tuple[str, ...]:
    """Names of the platforms that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load_platform(name_or_path: str | Path) -> PlatformFile:
    """A platform: a shipped one by its name or an unmistakable part of it, or a file.

    Raises:
        PlatformFileError: There is none, or the file does not say what it must; the message names
            the file and the key.
    """
    text = str(name_or_path)
    path = Path(text)
    if not (path.suffix == ".toml" or path.is_file()):
        path = _shipped(text)
    return _parse(path)


def platform_schema() -> str:
    """JSON Schema of platform files, as text."""
    schema: dict[str, Any] = adapter().json_schema()
    schema["properties"] = {
        "format": {"const": FORMAT, "type": "string"},
        "version": {"const": VERSION, "type": "integer"},
        **schema["properties"],
    }
    schema["required"] = ["format", "version", *schema["required"]]
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=1) + "\n"


@cache
def adapter() -> TypeAdapter[PlatformFile]:
    """Reads and writes platform files; made on first use."""
    from pydantic import TypeAdapter

    return TypeAdapter(PlatformFile)


def _shipped(name: str) -> Path:
    names = shipped_platforms()
    found = [known for known in names if known == name] or [
        known for known in names if name and name.lower() in known
    ]
    if len(found) == 1:
        return SHIPPED / f"{found[0]}.toml"
    known = ", ".join(found or names)
    what = "several platforms match" if found else "no platform"
    raise PlatformFileError(f"{what} {quoted(name)}: give a .toml file, or one of: {known}")


def _parse(path: Path) -> PlatformFile:
    from pydantic import ValidationError
    from pydantic_core import to_json

    document = _read(path)
    if document.pop("format", None) != FORMAT:
        raise PlatformFileError(f'{path}: no platform file: format = "{FORMAT}" is missing')
    version = document.pop("version", None)
    if type(version) is not int or version < 1:
        raise PlatformFileError(f"{path}: key 'version' is not a whole number from 1")
    if version > VERSION:
        raise PlatformFileError(
            f"{path} is of version {quoted(version)}, this Counterpoint reads {VERSION}: upgrade"
        )
    try:
        # By way of JSON, as only from JSON does "strict" take an array for a tuple.
        text = to_json(document, inf_nan_mode="constants")
        return adapter().validate_json(text).read_from(path)
    except ValidationError as error:
        raise PlatformFileError(f"{path}: {first_fault(error, 'key')}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise PlatformFileError(f"cannot read {path}: not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PlatformFileError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:  # a name with a zero byte
        raise PlatformFileError(f"cannot read {quoted(str(path))}: {error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise PlatformFileError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB")
    if data.count(b",") + data.count(b"=") + data.count(b".") > MAX_VALUES:
        raise PlatformFileError(f"{path} holds more than {MAX_VALUES} values")
    if any(line.count(b".") > MAX_DOTS for line in data.splitlines()):
        raise PlatformFileError(f"{path} has a line with more than {MAX_DOTS} dots: break it")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise PlatformFileError(f"{path} is nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlatformFileError(f"{path} is not TOML: {error}") from None
    except ValueError:
        raise PlatformFileError(f"{path} has a number of thousands of digits") from None
