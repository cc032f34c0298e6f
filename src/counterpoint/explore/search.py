"""The designs of a part of the space that are worth telling: all of them, or those that a bound
does not rule out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from counterpoint.costs.models.overlay.cycles import NEVER
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.explore.boxes import halves
from counterpoint.explore.catalogue import Boxes, Catalogue

Worth = tuple[int, int]
"""Interval in cycles, then area: the less the better."""

NOTHING: Worth = (NEVER, NEVER)
"""Worth of no design at all."""

_AT_ONCE = 64
"""Parts that are halved before their bounds are computed together."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What came out of a part of the space.

    Attributes:
        designs: Those whose interval was computed and that run everything,
            ``int64[designs, cores]``: indices of the catalogue.
        intervals: Theirs in cycles, ``int64[designs]``.
        bounded: How many bounds were computed to rule out the others.
    """

    designs: Ints
    intervals: Ints
    bounded: int = 0

    def best(self, catalogue: Catalogue) -> Worth:
        """Least interval and, of those, least area."""
        if not len(self.designs):
            return NOTHING
        area = catalogue.design_area(self.designs)
        first = np.lexsort((area, self.intervals))[0]
        return int(self.intervals[first]), int(area[first])


Search = Callable[[Catalogue, Boxes, Worth], Tried]
"""Of a catalogue and a part of it; the worth is that of a design that is known already."""


def exhaustive(catalogue: Catalogue, boxes: Boxes, known: Worth = NOTHING) -> Tried:
    """Every design of a part."""
    del known  # whatever is known, every design is told
    designs, intervals = [np.zeros((0, catalogue.core_count), np.int64)], [np.zeros(0, np.int64)]
    for batch in catalogue.designs(boxes):
        found = catalogue.intervals(batch)
        designs.append(batch[found < NEVER])
        intervals.append(found[found < NEVER])
    return Tried(np.concatenate(designs), np.concatenate(intervals))


def branch_and_bound(catalogue: Catalogue, boxes: Boxes, known: Worth = NOTHING) -> Tried:
    """Designs on the way to the best one of a part; the proof that nothing in it is better.

    Best-first: the part of the least bound is halved next. A part is done with when its bound is
    above the best interval, or equal and even its smallest design has no less area.
    """
    designs, intervals, bounded = [], [], 0
    best = known
    waiting: list[tuple[int, int, Boxes]] = []
    fresh: list[Boxes] = [boxes] if catalogue.least_area(boxes) <= catalogue.budget else []
    while fresh or waiting:
        if fresh:
            for bound, part in zip(catalogue.bounds(fresh).tolist(), fresh, strict=True):
                heappush(waiting, (bound, catalogue.least_area(part), part))
            bounded += len(fresh)
        fresh = []
        single: list[list[int]] = []
        while waiting and len(fresh) + len(single) < _AT_ONCE and waiting[0][:2] < best:
            _, _, part = heappop(waiting)
            smaller = halves(part)
            if smaller:
                fresh += [one for one in smaller if catalogue.least_area(one) <= catalogue.budget]
            else:
                single.append([low for low, _ in part])
        if not fresh and not single:
            break
        if single:
            batch: Ints = np.array(single, dtype=np.int64)
            found = catalogue.intervals(batch)
            designs.append(batch[found < NEVER])
            intervals.append(found[found < NEVER])
            best = min(best, Tried(designs[-1], intervals[-1]).best(catalogue))
    return Tried(
        np.concatenate([np.zeros((0, catalogue.core_count), np.int64), *designs]),
        np.concatenate([np.zeros(0, np.int64), *intervals]),
        bounded,
    )


METHODS: Mapping[str, Search] = {"exhaustive": exhaustive, "bound": branch_and_bound}
"""By name."""
