"""The sizes of two cores that the paper's schedule is best with.

The paper tunes the number of elements of each core, and their inputs, under its own schedule. The
schedule of :mod:`.published_schedule` takes milliseconds for a design, and there are 100,000 of
them. So all are compared by a *fluid* form of it, in which a slot's layers are cut between the
cores at will: a slot is then the least interval of two cores (:mod:`.pairs`) for its own layers.
The most promising ones are scheduled row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import Design
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.errors import InternalError
from counterpoint.explore.catalogue import Catalogue
from counterpoint.explore.interval import Cells
from counterpoint.explore.pairs import pair_intervals
from counterpoint.explore.published_schedule import IMAGES, groups_of, published_schedule
from counterpoint.explore.row_splits import row_options
from counterpoint.explore.workload import Workload

SCHEDULED = 3
"""Designs that are scheduled row by row."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best design found for the paper's schedule.

    Attributes:
        design: Indices of the catalogue's cores.
        interval: Mean cycles between frames, networks in turn.
    """

    design: tuple[int, ...]
    interval: float


def fluid_intervals(catalogue: Catalogue, workload: Workload, designs: Ints) -> Cells:
    """Mean cycles between frames if layers could be cut at will, ``float64[designs]``.

    Args:
        catalogue: The workload's, of two cores.
        workload: Networks, in turn.
        designs: ``int64[designs, 2]``.
    """
    layers = workload.distinct_layers()
    cycles, traffic = (
        [table[column] / layers.counts for column in designs.T]
        for table in (catalogue.cycles, catalogue.traffic)
    )
    total = np.zeros(len(designs))
    for shapes, places, images in zip(workload.shapes, layers.places, workload.images, strict=True):
        groups = groups_of(shapes)
        for position, group in enumerate(groups):
            slot = places[[*group, *groups[position - 1]]]
            total += (images / IMAGES) * pair_intervals(
                (cycles[0][:, slot], cycles[1][:, slot]), (traffic[0][:, slot], traffic[1][:, slot])
            )
    return total


def tuned_for_published(
    catalogue: Catalogue, workload: Workload, *, duplex: bool = False
) -> Tuned | None:
    """The best of the :data:`SCHEDULED` most promising designs; ``None`` where none runs all.

    Args:
        catalogue: The workload's, of two cores.
        workload: Networks, in turn.
        duplex: The memory reads and writes in the same cycle.
    """
    if catalogue.core_count != 2:
        raise InternalError("the paper's schedule is for two cores")
    batches = [
        (designs, fluid_intervals(catalogue, workload, designs))
        for designs in catalogue.designs(catalogue.root)
    ]
    designs = np.concatenate([batch for batch, _ in batches])
    fluid = np.concatenate([intervals for _, intervals in batches])
    found = []
    for row in np.argsort(fluid, kind="stable")[:SCHEDULED]:
        cores = tuple(int(core) for core in designs[row])
        design = Design(
            cores=tuple(catalogue.cores[core] for core in cores),
            dram_bytes_per_cycle=catalogue.dram_bytes_per_cycle,
            duplex=duplex,
        )
        interval = published_interval(workload, design)
        if interval is not None:
            found.append(Tuned(cores, interval))
    return min(found, key=lambda one: one.interval, default=None)


def published_interval(
    workload: Workload, design: Design, *, balanced: bool = True
) -> float | None:
    """Mean cycles between frames by the paper's schedule, which knows one network at a time;
    ``None`` where neither core runs some layer.
    """
    total = 0.0
    for shapes, images in zip(workload.shapes, workload.images, strict=True):
        schedule = published_schedule(shapes, row_options(shapes, design), balanced=balanced)
        if schedule is None:
            return None
        total += images * schedule.interval
    return total
