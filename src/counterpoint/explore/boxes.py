"""The space of designs in parts: boxes of neighbouring cores, halved again and again."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import comb

from counterpoint.explore.catalogue import Box, Boxes, Catalogue


def size(boxes: Boxes) -> int:
    """Designs in the boxes, whatever their area: a multiset of each box's cores."""
    total = 1
    for box in set(boxes):
        total *= comb(box[1] - box[0] + boxes.count(box) - 1, boxes.count(box))
    return total


def halves(boxes: Boxes) -> tuple[Boxes, ...]:
    """The same designs in smaller boxes; nothing for a single design.

    The largest box is cut in two. Where it stands for several cores of the design, some of them
    are from the lower half and the others from the upper one.
    """
    largest = max(boxes, key=lambda box: (box[1] - box[0], -box[0]))
    low, high = largest
    if high - low == 1:
        return ()
    middle = (low + high) // 2
    rest = [box for box in boxes if box != largest]
    times = len(boxes) - len(rest)
    lower: Box = (low, middle)
    upper: Box = (middle, high)
    return tuple(
        tuple(sorted([*rest, *[lower] * count, *[upper] * (times - count)]))
        for count in range(times, -1, -1)
    )


def parts(catalogue: Catalogue, count: int) -> tuple[Boxes, ...]:
    """The whole space in at least ``count`` parts of similar size, if it has as many designs.

    Parts in which even the smallest design is beyond the budget are left out. The same space gives
    the same parts.
    """
    waiting = [(-size(catalogue.root), catalogue.root)]
    single: list[Boxes] = []
    heapify(waiting)
    while waiting and len(waiting) + len(single) < count:
        _, boxes = heappop(waiting)
        smaller = halves(boxes)
        if not smaller:
            single.append(boxes)
        for part in smaller:
            if catalogue.least_area(part) <= catalogue.budget:
                heappush(waiting, (-size(part), part))
    return tuple(sorted(single + [boxes for _, boxes in waiting]))
