from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

from typer import Option

from counterpoint.cli.verb import help_text, verb


@dataclass(frozen=True, kw_only=True)
class Bundle:
    size: Annotated[int, Option("--size")] = 3
    colour: str | None = None


def paint(*, first: Bundle, loud: bool = False) -> None:
    """Paints.

    Example:
      paint --size 4
    """
    calls.append((first, loud))


calls: list[tuple[Bundle, bool]] = []


def test_the_fields_of_a_bundle_become_parameters() -> None:
    parameters = inspect.signature(verb(paint)).parameters
    assert list(parameters) == ["size", "colour", "loud"]
    assert parameters["size"].default == 3
    assert parameters["size"].annotation.__metadata__[0].default == "--size"


def test_the_function_gets_its_bundle() -> None:
    calls.clear()
    verb(paint)(size=5, colour="red", loud=True)
    assert calls == [(Bundle(size=5, colour="red"), True)]


def test_examples_keep_their_lines() -> None:
    assert help_text(paint) == "Paints.\n\n\b\nExample:\n  paint --size 4"
