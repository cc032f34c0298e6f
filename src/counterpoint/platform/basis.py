"""Values of a platform file: what is no value, and where each comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from counterpoint.platform.file_faults import quoted
from counterpoint.platform.model import Provenance

FROM_FILE: Mapping[str, object] = {"extra": "forbid", "strict": True}

Basis = str | Mapping[str, str]

LONGEST_MS = 1e9
"""No single step takes 11 days; what claims to is damage."""

_WORD = re.compile(r"[A-Za-z0-9_.+/ -]{1,80}")


def is_word(text: str) -> bool:
    """It may be a name in a platform file."""
    return _WORD.fullmatch(text) is not None


def check_word(key: str, text: str) -> None:
    """Names end up in unit names, file names and tables: letters, digits and ``_.+/ -`` only.

    Raises:
        ValueError: Another character, or too long.
    """
    if not is_word(text):
        raise ValueError(f"{key} = {text[:40]!r}: use letters, digits and _.+/- only")


def plain_name(name: str) -> str:
    """A network's name as networks are told apart: case, blanks and punctuation do not count."""
    return "".join(character for character in name.lower() if character.isalnum())


def check_number(key: str, value: float | None, *, most: float = LONGEST_MS) -> None:
    """A number that is there is not negative and not absurd.

    Raises:
        ValueError: It is.
    """
    if value is not None and not 0 <= value <= most:  # nor is "not a number"
        raise ValueError(f"{key} = {quoted(value)} is not between 0 and {most:g}")


def provenance(basis: Basis, key: str) -> tuple[Provenance, str] | None:
    """What kind of value a key's is and the key of its source; ``None`` where nothing is said.

    Raises:
        ValueError: It has another form.
    """
    text = basis if isinstance(basis, str) else basis.get(key, basis.get("*", ""))
    if not text:
        return None
    tag, _, source = text.partition(" ")
    known = [str(item) for item in Provenance]
    if tag not in known or not source:
        raise ValueError(
            f"basis = {text[:60]!r}: write 'measured SOURCE', 'datasheet SOURCE' or "
            "'assumed SOURCE'"
        )
    return Provenance(tag), source


def check_basis(entry: Any, valued: tuple[str, ...], sources: Mapping[str, str]) -> None:
    """Every value has a tag, and a source that the file lists.

    Args:
        entry: Of the file; has ``basis``.
        valued: Names of its keys that hold values and are not left out.
        sources: The file's.

    Raises:
        ValueError: A tag or source is missing or unknown, or the basis names a key that is not.
    """
    basis: Basis = entry.basis
    if not isinstance(basis, str):
        known = {item.name for item in fields(entry)} | {"*"}
        for key in basis:
            if key not in known:
                raise ValueError(f"basis names the unknown key {key[:40]!r}")
    for key in valued:
        found = provenance(basis, key)
        if found is None:
            raise ValueError(f"{key} has no basis: say 'measured', 'datasheet' or 'assumed'")
        if found[1] not in sources:
            raise ValueError(f"basis names the source {found[1][:40]!r}, which is not in [sources]")
