"""A platform file as TOML text: what :func:`load_platform` reads again as the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isinf
from typing import Any

from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.platform_file import FORMAT, VERSION, adapter

_IN_LINE = 100
"""Items of an array; the reader takes lines that are not too long."""


def platform_text(platform: PlatformFile) -> str:
    """The file's text; what has its default value is left out."""
    content = adapter().dump_python(platform, exclude_defaults=True)
    lines = [f"format = {_value(FORMAT)}", f"version = {VERSION}", *_table("", content)]
    return "\n".join(lines) + "\n"


def _table(prefix: str, content: Mapping[str, Any]) -> Iterator[str]:
    """Keys and values of a table, then the tables inside."""
    nested = [key for key, value in content.items() if _is_tables(value)]
    for key, value in content.items():
        if key not in nested:
            yield f"{_key(key)} = {_value(value)}"
    for key in nested:
        for table in content[key]:
            yield ""
            yield f"[[{prefix}{_key(key)}]]"
            yield from _table(f"{prefix}{_key(key)}.", table)


def _is_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, str):
        return json.dumps(str(value)).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "inf" if isinf(value) else repr(value)
    if isinstance(value, Sequence):
        items = [_value(item) for item in value]
        lines = (
            ", ".join(items[start : start + _IN_LINE]) for start in range(0, len(items), _IN_LINE)
        )
        return f"[{(',' + chr(10) + '  ').join(lines)}]"
    return str(value)


def _key(key: str) -> str:
    plain = key.replace("_", "").replace("-", "")
    return key if plain.isascii() and plain.isalnum() else json.dumps(key)
