"""Options that several verbs share, as dataclasses.

A verb takes parameters of such a *bundle* type; typer, which knows only flat parameters, sees the
bundle's fields in their place.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, get_type_hints

Verb = Callable[..., None]

_EXAMPLE = re.compile(r"^(?=Examples?:$)", re.MULTILINE)
_KEEP_LINES = "\b\n"
"""Keeps the parser from joining the lines of the paragraph that follows."""


def help_text(function: Verb) -> str:
    """The function's docstring, whose examples stay as they are."""
    return _EXAMPLE.sub(_KEEP_LINES, inspect.cleandoc(function.__doc__ or ""))


def verb(function: Verb) -> Verb:
    """The function with each bundle's fields as parameters of their own."""
    hints = get_type_hints(function, include_extras=True)
    flat: list[inspect.Parameter] = []
    bundles: dict[str, tuple[type[Any], list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if is_dataclass(hint) and isinstance(hint, type):
            fields = _parameters(hint, get_type_hints(hint, include_extras=True))
            bundles[parameter.name] = hint, [field.name for field in fields]
            flat += fields
        else:
            flat.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))

    def run(**values: Any) -> None:
        for name, (bundle, fields) in bundles.items():
            values[name] = bundle(**{field: values.pop(field) for field in fields})
        function(**values)

    run.__name__, run.__doc__ = function.__name__, help_text(function)
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return run


def _parameters(bundle: type[Any], hints: dict[str, Any]) -> list[inspect.Parameter]:
    return [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(bundle).parameters.values()
    ]
