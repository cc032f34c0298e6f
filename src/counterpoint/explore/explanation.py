"""A design explained: layer by layer where the cycles go, and by which schedule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import Design
from counterpoint.costs.models.overlay.cycles import NEVER, CycleTable
from counterpoint.costs.models.overlay.shapes import Bools, Ints, LayerKind, LayerShapes
from counterpoint.errors import UserInputError
from counterpoint.explore.design_cycles import design_cycles
from counterpoint.explore.design_platform import plan_lanes
from counterpoint.explore.interval import Cells, least_interval
from counterpoint.explore.published_tuning import published_interval
from counterpoint.explore.row_splits import (
    joint_options,
    least_split_interval,
    row_options,
)
from counterpoint.explore.workload import Workload
from counterpoint.planning.result import PlanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One layer on each core.

    Attributes:
        network: That it belongs to.
        name: Its own.
        kind: ``convolution``, ``depthwise`` or ``fully_connected``.
        macs: Useful multiply-adds.
        reference_cycles: On the single core that the design is compared with; ``None`` where none
            of its tilings fits, or there is no such core.
        cycles: On each core; ``None`` where none of its tilings fits the buffers.
        memory_cycles: Of them with the memory busy, likewise.
        parts: Of the frames that run it on each core, in the linear program's optimum.
        efficiency: Useful multiply-adds over what all multipliers of the cores that run it could
            have done meanwhile, weighted by ``parts``.
    """

    network: str
    name: str
    kind: str
    macs: int
    reference_cycles: int | None
    cycles: tuple[int | None, ...]
    memory_cycles: tuple[int | None, ...]
    parts: tuple[float, ...]
    efficiency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """Mean cycles between frames of a workload on one design, schedule by schedule.

    Attributes:
        bound: Of the linear program: no schedule of whole layers is quicker.
        lanes: By the project's planner of lanes, in whole shares; ``None``: no plan.
        split_bound: The same as ``bound`` where layers may also be split by rows; for two cores.
        published: The paper's way, split by rows; for two cores, networks in turn.
        unbalanced: The paper's way without balancing.
        plan: The planner's lanes.
    """

    bound: float
    lanes: float | None
    split_bound: float | None
    published: float | None
    unbalanced: float | None
    plan: PlanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Of one design for one workload.

    Attributes:
        design: Which.
        layers: Those with multiply-adds, network by network in run order.
        busy: Cycles a frame of each core and, at last, of the memory, in the optimum.
        schedules: What they reach.
        reference: The single core that it is compared with.
        reference_interval: Cycles of a frame there; ``None`` where it cannot run some layer.
    """

    design: Design
    layers: tuple[LayerRow, ...]
    busy: tuple[float, ...]
    schedules: Schedules
    reference: Design | None
    reference_interval: int | None


def explained(workload: Workload, design: Design, reference: Design | None = None) -> Explanation:
    """Explains a design that runs the whole workload.

    Args:
        workload: What runs.
        design: Where.
        reference: A single core to compare with.

    Raises:
        UserInputError: No core of the design runs some layer.
    """
    tables = [design_cycles(shapes, design) for shapes in workload.shapes]
    for shapes, table in zip(workload.shapes, tables, strict=True):
        for layer in np.flatnonzero(~table.runs.any(axis=0)):
            raise UserInputError(
                f"no core of the design runs layer {shapes.names[layer]}: no tile of it fits its "
                "buffers"
            )
    single = [
        None if reference is None else design_cycles(shapes, reference)
        for shapes in workload.shapes
    ]
    counts = [
        np.full(len(shapes), images)
        for shapes, images in zip(workload.shapes, workload.images, strict=True)
    ]
    cycles, traffic = (
        np.concatenate(
            [
                np.where(table.runs, getattr(table, name) * count, otherwise)
                for table, count in zip(tables, counts, strict=True)
            ],
            axis=1,
        )
        for name, otherwise in (("total", np.inf), ("dram", 0.0))
    )
    shares = least_interval(cycles, traffic)
    used = np.where(shares.parts > 0, cycles, 0.0) * shares.parts
    moved = np.where(shares.parts > 0, traffic, 0.0) * shares.parts
    rows: list[LayerRow] = []
    for network, shapes, table, alone in zip(
        workload.networks, workload.shapes, tables, single, strict=True
    ):
        parts = shares.parts[:, len(rows) : len(rows) + len(shapes)]
        rows += _rows(network.name, shapes, design, (table, alone), parts)
    alone_interval = 0
    for alone, count in zip(single, counts, strict=True):
        if alone is not None:
            alone_interval += int((alone.total[0] * count).sum())
    return Explanation(
        design=design,
        layers=tuple(rows),
        busy=(*used.sum(axis=1).tolist(), float(moved.sum())),
        schedules=_schedules(workload, design, shares.interval),
        reference=reference,
        reference_interval=alone_interval if 0 < alone_interval < NEVER else None,
    )


def _rows(
    network: str,
    shapes: LayerShapes,
    design: Design,
    tables: tuple[CycleTable, CycleTable | None],
    parts: Cells,
) -> list[LayerRow]:
    table, alone = tables
    multipliers = np.array([core.multipliers for core in design.cores])
    rows = []
    for layer, name in enumerate(shapes.names):
        own = parts[:, layer]
        spent = float((np.where(own > 0, table.total[:, layer], 0) * own * multipliers).sum())
        macs = int(shapes.macs[layer])
        runs = table.runs[:, layer]
        rows.append(
            LayerRow(
                network=network,
                name=name,
                kind=LayerKind(int(shapes.kind[layer])).name.lower(),
                macs=macs,
                reference_cycles=None
                if alone is None or not alone.runs[0, layer]
                else int(alone.total[0, layer]),
                cycles=_known(table.total[:, layer], runs),
                memory_cycles=_known(table.dram[:, layer], runs),
                parts=tuple(own.tolist()),
                efficiency=macs / spent if spent else 0.0,
            )
        )
    return rows


def _known(values: Ints, runs: Bools) -> tuple[int | None, ...]:
    return tuple(
        value if able else None for value, able in zip(values.tolist(), runs.tolist(), strict=True)
    )


def _schedules(workload: Workload, design: Design, bound: float) -> Schedules:
    planned = plan_lanes(workload, design)
    lanes = None if planned.value is None else planned.value * design.clock_hz / 1e9
    split = published = unbalanced = None
    if len(design.cores) == 2:
        options = [row_options(shapes, design) for shapes in workload.shapes]
        split = least_split_interval(joint_options(options, workload.images))
        published = published_interval(workload, design)
        unbalanced = published_interval(workload, design, balanced=False)
    return Schedules(
        bound=bound,
        lanes=lanes,
        split_bound=split,
        published=published,
        unbalanced=unbalanced,
        plan=planned,
    )
