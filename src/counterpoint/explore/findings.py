"""What an exploration found: designs with all that is told about them, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import Core, Design
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.explore.catalogue import Catalogue
from counterpoint.explore.search import Tried
from counterpoint.explore.space import Space
from counterpoint.explore.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A design and what it reaches.

    Attributes:
        design: Its cores, and the memory that they share.
        area: In the space's unit.
        multipliers: Of all cores.
        interval_cycles: Least mean cycles between frames of the workload, by the linear program.
        images_per_s: Of all networks together.
        efficiency: Runtime PE efficiency: useful multiply-adds over multipliers times cycles.
    """

    design: Design
    area: int
    multipliers: int
    interval_cycles: int
    images_per_s: float
    efficiency: float

    @property
    def cores_text(self) -> str:
        """``convolution 29x32 + depthwise 16x3``: elements x inputs."""
        return cores_text(self.design.cores)


def cores_text(cores: tuple[Core, ...]) -> str:
    """Of several cores, each as kind, elements and inputs."""
    return " + ".join(f"{core.kind.name.lower()} {core.elements}x{core.inputs}" for core in cores)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Answers of an exploration.

    Attributes:
        space: What was searched.
        workload: For what.
        method: ``exhaustive`` or ``bound``.
        catalogues: One for each bandwidth and number of cores.
        tried: What came out of each, in the same order.
    """

    space: Space
    workload: Workload
    method: str
    catalogues: tuple[Catalogue, ...]
    tried: tuple[Tried, ...]

    @property
    def design_count(self) -> int:
        """Designs of the space."""
        return sum(catalogue.design_count() for catalogue in self.catalogues)

    @property
    def tried_count(self) -> int:
        """Designs that were tried and run the workload."""
        return sum(len(tried.designs) for tried in self.tried)

    @property
    def bound_count(self) -> int:
        """Bounds that were computed."""
        return sum(tried.bounded for tried in self.tried)

    def best(self) -> tuple[Point | None, ...]:
        """For each catalogue the design of least interval, and of those of least area; ``None``
        where none runs the workload.
        """
        found: list[Point | None] = []
        for place, (catalogue, tried) in enumerate(zip(self.catalogues, self.tried, strict=True)):
            order = _order(catalogue, tried)
            found.append(self._point(place, int(order[0])) if len(order) else None)
        return tuple(found)

    def overall_best(self) -> Point | None:
        """The one of least interval, and of those of least area; ``None`` where there is none."""
        found = [point for point in self.best() if point is not None]
        return min(found, key=lambda one: (one.interval_cycles, one.area), default=None)

    def points(self) -> Iterator[Point]:
        """All designs that were tried and run the workload, catalogue by catalogue, best first."""
        for place, (catalogue, tried) in enumerate(zip(self.catalogues, self.tried, strict=True)):
            for row in _order(catalogue, tried):
                yield self._point(place, int(row))

    def front(self) -> tuple[Point, ...]:
        """Those of which none is better in throughput, efficiency and area at once, by interval.

        Of equals the first one stays. Only the exhaustive method tries all that belong here.
        """
        places, rows, keys = [], [], []
        for place, (catalogue, tried) in enumerate(zip(self.catalogues, self.tried, strict=True)):
            order = _order(catalogue, tried)
            area = catalogue.design_area(tried.designs[order])
            multipliers = catalogue.design_multipliers(tried.designs[order])
            intervals = tried.intervals[order]
            # Least multiplier cycles are most efficiency: the frame's work is the same for all.
            keys.append(np.column_stack([intervals, area, multipliers * intervals]))
            rows.append(order)
            places.append(np.full(len(order), place))
        key, row, at = np.concatenate(keys), np.concatenate(rows), np.concatenate(places)
        return tuple(self._point(int(at[k]), int(row[k])) for k in undominated(key))

    def _point(self, place: int, row: int) -> Point:
        catalogue, tried = self.catalogues[place], self.tried[place]
        chosen = tried.designs[row]
        interval = int(tried.intervals[row])
        multipliers = int(catalogue.multipliers[chosen].sum())
        design = Design(
            cores=tuple(catalogue.cores[core] for core in chosen),
            dram_bytes_per_cycle=catalogue.dram_bytes_per_cycle,
            duplex=self.space.duplex,
        )
        return Point(
            design=design,
            area=int(catalogue.area[chosen].sum()),
            multipliers=multipliers,
            interval_cycles=interval,
            images_per_s=design.clock_hz * self.workload.frame_images / interval,
            efficiency=self.workload.frame_macs / (multipliers * interval),
        )


def undominated(keys: Ints) -> Ints:
    """Indices of the rows of which no other is at most as large everywhere; of equals the first.

    Ascending by the first column.

    Args:
        keys: ``int64[rows, 3]``.
    """
    kept: list[int] = []
    stairs: list[tuple[int, int]] = []  # second and third column of what was kept, ascending
    for row in np.lexsort((np.arange(len(keys)), keys[:, 2], keys[:, 1], keys[:, 0])):
        second, third = int(keys[row, 1]), int(keys[row, 2])
        if any(one <= second and other <= third for one, other in stairs):
            continue
        kept.append(int(row))
        stairs = [pair for pair in stairs if pair[0] < second or pair[1] < third]
        stairs.append((second, third))
    return np.array(kept, dtype=np.int64)


def _order(catalogue: Catalogue, tried: Tried) -> Ints:
    """Rows by interval, then area, then index."""
    area = catalogue.design_area(tried.designs)
    return np.lexsort((*tried.designs.T[::-1], area, tried.intervals))
