"""A mapping as text: what the user decides of a plan.

    conv1..fire4/*=GPU.0, #12..#20=openvino:CPU, rest=CPU

A rule is ``LAYERS=UNIT``; rules stand between commas or on lines of their own. ``#`` at the start
of a line or behind a blank begins a comment, unless a digit follows.

==================  ==============================================================================
LAYERS              which
==================  ==============================================================================
``conv1``           the layer of that name
``#12``             the layer of that index, as ``counterpoint inspect`` counts them
``fire2/*``         all whose names match: ``*`` is any text, ``?`` any character
``conv1..fire4/*``  from one of these to another in run order, both included
``rest``, ``*``     all that no other rule names
==================  ==============================================================================

UNIT is a unit's full name, or whole words of it: ``GPU.0``, ``openvino``, ``openvino:CPU``. Where
several units match, the planner chooses among them. Layers that no rule names may run on any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network

REST = ("rest", "*")

EXAMPLE = "conv1..pool2=GPU.0,rest=CPU"

_COMMENT = re.compile(r"(?:^|(?<=\s))#(?![0-9]).*")
_BETWEEN_COMMAS = re.compile(r"(?:[^,\[]|\[[^\]]*\]?)+")
"""Commas inside brackets belong to a unit's settings."""
_RULE = re.compile(r"(?P<layers>.+)=(?P<unit>[^=\[\]]+(?:\[[^\[\]]*\])?)")
_INDEX = re.compile(r"#[0-9]{1,9}")

_SHOWN = 80
"""Characters of the user's text that a message repeats."""


def parse_mapping(text: str, network: Network, units: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """For each layer that the text names the units that it may be given.

    Args:
        text: Rules in the form above.
        network: Whose layers are meant.
        units: Names of the units that may be used.

    Returns:
        Names of units, in the order of ``units``, by layer index, ascending.

    Raises:
        UserInputError: There is no rule, one has another form, names what is not there, or names
            what another one names.
    """
    chosen: dict[int, tuple[str, ...]] = {}
    rule_of: dict[int, str] = {}
    rest: tuple[str, ...] = ()
    for layers, unit in _rules(text):
        matching = matching_units(unit, units)
        if layers in REST:
            if rest:
                raise UserInputError("the mapping has two rules for the rest: keep one")
            rest = matching
            continue
        for index in _selected(layers, network):
            if index in chosen:
                raise UserInputError(
                    f"layer {network.layers[index].name!r} is in two rules of the mapping, "
                    f"{_shown(rule_of[index])} and {_shown(layers)}: keep one"
                )
            chosen[index], rule_of[index] = matching, layers
    if rest:
        chosen = {layer.index: chosen.get(layer.index, rest) for layer in network.layers}
    if not chosen:
        raise UserInputError(f"the mapping is empty: write it as {EXAMPLE}")
    return dict(sorted(chosen.items()))


def matching_units(text: str, units: Sequence[str]) -> tuple[str, ...]:
    """The unit of that name, or else those in whose names it stands as whole words.

    ``CPU`` is the whole CPU where some unit is on that, else its parts: ``openvino:CPU@fp32``
    before ``openvino:CPU.0@fp32`` and ``openvino:CPU.1@fp32``. ``GPU.1`` never is ``GPU.10``.

    Raises:
        UserInputError: There is none; the message lists those there are.
    """
    if text in units:
        return (text,)
    for end in (r"(?![\w.])", r"(?!\w)"):
        words = re.compile(rf"(?<!\w){re.escape(text)}{end}")
        found = tuple(unit for unit in units if words.search(unit))
        if found:
            return found
    known = ", ".join(units) or "none"
    raise UserInputError(
        f"no unit matches {_shown(text)}; there are: {known} (--precision and --cpu-groups may "
        "add others)"
    )


def _rules(text: str) -> Iterator[tuple[str, str]]:
    """Both sides of each rule."""
    for line in re.split(r"[\r\n]", text):
        for item in _BETWEEN_COMMAS.findall(_COMMENT.sub("", line)):
            rule = item.strip()
            if not rule:
                continue
            sides = _RULE.fullmatch(rule)
            layers, unit = (sides["layers"].strip(), sides["unit"].strip()) if sides else ("", "")
            if not layers or not unit:
                raise UserInputError(
                    f"rule {_shown(rule)} of the mapping: write it as LAYERS=UNIT, as in {EXAMPLE}"
                )
            yield layers, unit


def _selected(text: str, network: Network) -> Sequence[int]:
    """Indices that the left side of a rule stands for; a layer's own name comes before all."""
    if ".." not in text or any(layer.name == text for layer in network.layers):
        return _named(text, network)
    first, _, last = (end.strip() for end in text.partition(".."))
    begin, end = _named(first, network)[0], _named(last, network)[-1]
    if begin > end:
        raise UserInputError(
            f"range {_shown(text)} of the mapping runs backwards: {network.name} runs "
            f"{network.layers[end].name!r} before {network.layers[begin].name!r}"
        )
    return range(begin, end + 1)


def _named(text: str, network: Network) -> Sequence[int]:
    """Indices, at least one and ascending, for a name, an index or a pattern."""
    names = [layer.name for layer in network.layers]
    if text in names:
        return (names.index(text),)
    if _INDEX.fullmatch(text):
        index = int(text[1:])
        if index >= len(names):
            raise UserInputError(
                f"unknown layer {text}; {network.name} has #0 to #{len(names) - 1}"
            )
        return (index,)
    pattern = text.replace("[", "[[]")  # brackets occur in names; sets of characters are not needed
    found = [index for index, name in enumerate(names) if fnmatchcase(name, pattern)]
    if not found:
        raise UserInputError(f"unknown layer {_shown(text)}{_hint(text, network)}")
    return found


def _hint(text: str, network: Network) -> str:
    """What the user may have meant."""
    inside = network.whole().layer_of_label().get(text)
    if inside is not None:
        return f": it is part of layer {network.layers[inside].name!r}, name that"
    near = get_close_matches(text[:_SHOWN], [layer.name for layer in network.layers])
    if near:
        return f"; the nearest: {', '.join(near)}"
    return "; 'counterpoint inspect' lists all layers"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
