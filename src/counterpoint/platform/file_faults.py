"""What is wrong with a file from somebody else, told in one line: the faulty place and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pydantic takes long to import; only who meets a file pays for it
    from pydantic import ValidationError

_MAX_QUOTE = 60


def first_fault(error: ValidationError, place_is: str, inside: str = "") -> str:
    """The first fault of a file, without the file's name.

    Args:
        error: What pydantic found.
        place_is: What a place in such a file is called: ``key``, ``field``.
        inside: The place of what was read, where that is not the whole file.
    """
    fault = error.errors(include_url=False, include_input=False)[0]
    steps = [inside, *(str(step) for step in fault["loc"])]
    path = ".".join(step for step in steps if step)
    place = quoted(path)
    if fault["type"] == "missing":
        return f"{place_is} {place} is missing"
    if fault["type"] == "unexpected_keyword_argument":
        return f"{place_is} {place} is unknown"
    if fault["type"] == "value_error":
        reason = str(fault["ctx"]["error"])
        return f"{place_is} {place}: {reason}" if path else reason
    return f"{place_is} {place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def quoted(value: object) -> str:
    """The value in one line, however long it is and whatever is in it."""
    text = repr(value)
    return text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}..."
