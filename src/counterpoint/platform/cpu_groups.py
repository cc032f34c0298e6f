"""Cutting the usable cores into groups that work side by side.

A group keeps to one kind of core, one package, one NUMA node, one shared cache and one cluster as
far as its size allows. Cores are handed out whole: the second hardware thread of a core joins only
where more processors are asked for than there are cores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.errors import UserInputError
from counterpoint.platform.cpu import Core
from counterpoint.platform.host_description import HostDescription


def parse_cpu_groups(text: str) -> tuple[int | str, ...]:
    """Sizes or kinds of cores, as written on the command line: ``1,1`` or ``big,little``.

    Raises:
        UserInputError: It is neither.
    """
    groups: list[int | str] = []
    for item in (item.strip() for item in text.split(",")):
        if re.fullmatch(r"[0-9]{1,6}", item):
            groups.append(int(item))
        elif re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", item):
            groups.append(item)
        else:
            raise UserInputError(
                f"CPU groups {text[:80]!r}: {item[:40]!r} is neither a number of cores nor a kind "
                "of core; write for instance 1,1 or big,little or P,E"
            )
    return tuple(groups)


def cut_cpu_groups(
    description: HostDescription, groups: Sequence[int | str]
) -> tuple[tuple[int, ...], ...]:
    """Logical processors of each group, ascending, in the order of ``groups``.

    A name (``big``, ``P``, ``Cortex-A73``) takes every free core of that kind, one thread of each.
    Then the numbers are served from the largest to the smallest, fast cores first.

    Raises:
        UserInputError: A group is empty, its kind is not here, or the sum exceeds what this process
            may use.
    """
    wanted = ",".join(str(group) for group in groups)
    numbers = [group for group in groups if isinstance(group, int)]
    if not groups or any(number < 1 for number in numbers):
        raise UserInputError(f"CPU groups {wanted!r}: each group needs at least one core")
    cores = description.usable_cores
    free = [place for core in cores for place in _places(core)[:1]]
    taken: dict[int, list[_Place]] = {}
    for position, group in enumerate(groups):
        if isinstance(group, str):
            taken[position] = _of_kind(free, group, wanted)
            free = _without(free, taken[position])
    demand = sum(numbers) + sum(len(places) for places in taken.values())
    if demand > description.usable_processor_count:
        raise UserInputError(_too_many(description, wanted, demand))
    missing = sum(numbers) - len(free)
    if missing > 0:
        seconds = [place for core in cores for place in _places(core)[1:]]
        free += sorted(seconds, key=lambda place: place.path)[:missing]
    sizes = {position: group for position, group in enumerate(groups) if isinstance(group, int)}
    for position in sorted(sizes, key=lambda position: -sizes[position]):
        taken[position] = _take(free, sizes[position])
        free = _without(free, taken[position])
    return tuple(
        tuple(sorted(place.processor for place in taken[position]))
        for position in range(len(groups))
    )


def default_cpu_group(description: HostDescription) -> tuple[int, ...]:
    """One thread of each usable core, ascending; no more than the quota pays for."""
    count = min(len(description.usable_cores), description.usable_processor_count)
    return cut_cpu_groups(description, [count])[0]


@dataclass(frozen=True, slots=True)
class _Place:
    """A hardware thread to hand out.

    Attributes:
        path: Where it is, from the coarsest part of the machine to the finest.
    """

    processor: int
    core: Core
    path: tuple[int, ...]


def _places(core: Core) -> list[_Place]:
    parts = (core.package, core.node, core.cache_group, core.cluster)
    known = (-1 if part is None else part for part in parts)
    path = (core.rank, *known, core.threads[0])
    return [_Place(processor, core, path) for processor in core.threads]


def _take(places: Sequence[_Place], count: int, depth: int = 0) -> list[_Place]:
    """``count`` of the places, parted as little as possible at each depth of their paths."""
    if not places or depth == len(places[0].path):
        return list(places[:count])
    parts: dict[int, list[_Place]] = {}
    for place in places:
        parts.setdefault(place.path[depth], []).append(place)

    def speed_then(part: list[_Place], size: int) -> tuple[int, int, int]:
        return part[0].path[0], size, part[0].processor

    fitting = [part for part in parts.values() if len(part) >= count]
    if fitting:  # the tightest fit, so that larger parts stay whole for others
        best = min(fitting, key=lambda part: speed_then(part, len(part)))
        return _take(best, count, depth + 1)
    taken: list[_Place] = []
    for part in sorted(parts.values(), key=lambda part: speed_then(part, -len(part))):
        taken += _take(part, min(len(part), count - len(taken)), depth + 1)
    return taken


def _without(places: Sequence[_Place], taken: Sequence[_Place]) -> list[_Place]:
    gone = {place.processor for place in taken}
    return [place for place in places if place.processor not in gone]


def _of_kind(free: Sequence[_Place], kind: str, wanted: str) -> list[_Place]:
    chosen = [place for place in free if kind.lower() in _kind_names(place.core)]
    if not chosen:
        here = {place.core.kind or place.core.part for place in free} - {None}
        raise UserInputError(
            f"CPU groups {wanted!r}: no free core of kind {kind!r}; kinds here: "
            + (", ".join(sorted(map(str, here))) or "all alike, give numbers of cores")
        )
    return chosen


def _kind_names(core: Core) -> set[str]:
    return {name.lower() for name in (core.kind, core.part) if name}


def _too_many(description: HostDescription, wanted: str, demand: int) -> str:
    usable = description.usable_processor_count
    reason = "its affinity"
    if description.quota_cpus is not None and usable < len(description.allowed):
        reason = f"its cgroup's quota of {description.quota_cpus:g}"
    elif len(description.allowed) == description.processor_count:
        reason = "all there are"
    return (
        f"CPU groups {wanted!r} need {demand} processors, but this process may use {usable} "
        f"({reason}); ask for {usable} at most"
    )
