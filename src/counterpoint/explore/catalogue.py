"""Cores that designs of one number of cores may be made of, with all that they cost."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import Core, CoreKind
from counterpoint.costs.models.overlay.cycles import NEVER
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.explore.interval import Cells, alone_intervals, least_interval
from counterpoint.explore.pairs import pair_intervals

Box = tuple[int, int]
"""Cores from an index (included) to another (excluded)."""

Boxes = tuple[Box, ...]
"""One for each core of a design, ascending; equal or apart. Designs are multisets: in equal boxes
the indices ascend.
"""

_BATCH = 4096
"""Designs computed at once: their arrays stay in the processor's cache."""

_ROUNDING = 1e-9
"""Relative: intervals are whole cycles, and so far above one the next one still counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Cores on offer and what designs of ``core_count`` of them may take.

    Attributes:
        core_count: Of each design.
        dram_bytes_per_cycle: Of each design.
        cores: On offer, by kind, and of neighbouring sizes side by side.
        area: Of each core, ``int64[cores]``.
        multipliers: Of each core, ``int64[cores]``.
        budget: No design may have more area.
        cycles: Of all layers of one shape in a frame, ``float64[cores, layers]``; ``inf`` where
            the core cannot run them.
        traffic: Of them with the memory busy, likewise; 0 where the core cannot run them.
        pattern: Kind of each core of a design, ascending; ``None``: any.
    """

    core_count: int
    dram_bytes_per_cycle: int
    cores: tuple[Core, ...]
    area: Ints
    multipliers: Ints
    budget: int
    cycles: Cells
    traffic: Cells
    pattern: tuple[CoreKind, ...] | None = None

    @property
    def root(self) -> Boxes:
        """All designs; without cores of a kind of the pattern a box is empty."""
        if self.pattern is None:
            return ((0, len(self.cores)),) * self.core_count
        kinds = [core.kind for core in self.cores]
        return tuple((bisect_left(kinds, kind), bisect_right(kinds, kind)) for kind in self.pattern)

    def design_count(self) -> int:
        """Designs within the budget."""
        ways: Ints = np.ones(1, dtype=np.int64)  # by area
        for box in dict.fromkeys(self.root):
            own = self._ways(box, self.root.count(box))
            ways = np.convolve(ways, own)[: self.budget + 1]
        return int(ways.sum())

    def _ways(self, box: Box, times: int) -> Ints:
        """Multisets of so many cores of a box by their area, as ways to pay with coins."""
        ways = np.zeros((times + 1, self.budget + 1), dtype=np.int64)
        ways[0, 0] = 1
        areas = self.area[slice(*box)]
        for area in areas[areas <= self.budget]:
            for count in range(times):
                # In place and ascending, so that a core may come again.
                ways[count + 1, area:] += ways[count, : self.budget + 1 - area]
        return np.asarray(ways[-1])

    def designs(self, boxes: Boxes) -> Iterator[Ints]:
        """All designs of the boxes within the budget, ``int64[designs, core_count]`` a batch."""
        waiting: list[Ints] = []
        for found in self._designs(boxes, self.budget, 0):
            waiting.append(found)
            if sum(map(len, waiting)) >= _BATCH:
                yield np.concatenate(waiting)
                waiting = []
        if waiting:
            yield np.concatenate(waiting)

    def _designs(self, boxes: Boxes, budget: int, least: int) -> Iterator[Ints]:
        (low, high), rest = boxes[0], boxes[1:]
        firsts: Ints = np.arange(max(low, least), high)
        firsts = firsts[self.area[firsts] <= budget]
        if not rest:
            yield firsts[:, None]
            return
        for first in firsts:
            least_next = int(first) if rest[0] == boxes[0] else 0
            for found in self._designs(rest, budget - int(self.area[first]), least_next):
                yield np.column_stack([np.full(len(found), first), found])

    def intervals(self, designs: Ints) -> Ints:
        """Least interval of each design in whole cycles, ``int64[designs]``; ``NEVER`` where none
        of its cores runs some layer.
        """
        columns = designs.T
        return _intervals(
            [self.cycles[column] for column in columns],
            [self.traffic[column] for column in columns],
        )

    def bounds(self, many: Sequence[Boxes]) -> Ints:
        """No design of the boxes has a smaller interval, ``int64[len(many)]``.

        The least interval of cores that are each as good in every layer as the best one of their
        box: what they cost only goes up when a box shrinks.
        """
        best = [[self.best_of(box) for box in boxes] for boxes in many]
        return _intervals(
            *(
                [np.array([row[core][part] for row in best]) for core in range(self.core_count)]
                for part in (0, 1)
            )
        )

    def best_of(self, box: Box) -> tuple[Cells, Cells]:
        """Least cycles and least traffic of each layer on the cores of a box."""
        cycles = self.cycles[slice(*box)]
        traffic = np.where(np.isfinite(cycles), self.traffic[slice(*box)], np.inf).min(axis=0)
        return cycles.min(axis=0), np.where(np.isfinite(traffic), traffic, 0.0)

    def least_area(self, boxes: Boxes) -> int:
        """Of the smallest design of the boxes."""
        return sum(int(self.area[slice(*box)].min()) for box in boxes)

    def design_area(self, designs: Ints) -> Ints:
        """``int64[designs]``."""
        return np.asarray(self.area[designs].sum(axis=1))

    def design_multipliers(self, designs: Ints) -> Ints:
        """``int64[designs]``."""
        return np.asarray(self.multipliers[designs].sum(axis=1))


def _intervals(cycles: Sequence[Cells], traffic: Sequence[Cells]) -> Ints:
    """Whole cycles; one item a core, each ``(designs, layers)``."""
    if len(cycles) == 1:
        exact = alone_intervals(cycles[0], traffic[0])
    elif len(cycles) == 2:
        exact = pair_intervals((cycles[0], cycles[1]), (traffic[0], traffic[1]))
    else:
        together = np.stack(cycles, axis=1), np.stack(traffic, axis=1)
        exact = np.array([least_interval(*one).interval for one in zip(*together, strict=True)])
    whole = np.ceil(np.where(np.isfinite(exact), exact, 0.0) * (1 - _ROUNDING))
    return np.where(np.isfinite(exact), whole, NEVER).astype(np.int64)
