"""A breakdown's parts, summed up as a reader wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from counterpoint.bench.result import Breakdown, Function, Part

_K = TypeVar("_K", Function, str)


@dataclass(frozen=True, slots=True)
class LayerSum:
    """All parts of one layer.

    Attributes:
        layer: Its name.
        layer_type: Of its longest part.
        time_ns: All of it.
        by_function: The same by function.
    """

    layer: str
    layer_type: str
    time_ns: int
    by_function: Mapping[Function, int]


def by_function(breakdown: Breakdown) -> Mapping[Function, int]:
    """Time of each function, in the order of :class:`Function`; those without any are absent."""
    sums = _sums(breakdown, lambda part: part.function)
    return {function: sums[function] for function in Function if function in sums}


def by_type(breakdown: Breakdown) -> Mapping[str, int]:
    """Time in nodes of each type of layer, the longest first; what belongs to none is absent."""
    sums = _sums(breakdown, lambda part: part.layer_type)
    sums.pop("", None)
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def by_layer(breakdown: Breakdown) -> tuple[LayerSum, ...]:
    """Each layer that has parts, in the order in which they ran."""
    parts: dict[str, list[Part]] = {}
    for part in breakdown.parts:
        if part.layer:
            parts.setdefault(part.layer, []).append(part)
    found = []
    for layer, own in parts.items():
        functions: dict[Function, int] = {}
        for part in own:
            functions[part.function] = functions.get(part.function, 0) + part.time_ns
        longest = max(own, key=lambda part: part.time_ns)
        total_ns = sum(part.time_ns for part in own)
        found.append(LayerSum(layer, longest.layer_type, total_ns, functions))
    return tuple(found)


def unattributed_share(breakdown: Breakdown) -> float:
    """What no instrument saw over the whole; below zero where they saw more than the whole."""
    missing_ns = by_function(breakdown).get(Function.UNATTRIBUTED, 0)
    return missing_ns / breakdown.whole_ns if breakdown.whole_ns else 0.0


def _sums(breakdown: Breakdown, key: Callable[[Part], _K]) -> dict[_K, int]:
    sums: dict[_K, int] = {}
    for part in breakdown.parts:
        sums[key(part)] = sums.get(key(part), 0) + part.time_ns
    return sums
