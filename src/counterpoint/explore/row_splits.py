"""A frame's layers on two cores when each may also be cut by output rows between them.

An *option* gives the first core some of a layer's rows and the second one the others; none or all
of them are options too, where the core can run the layer. A part is costed as the smaller layer
that it is, so that a part of half the rows need not take half the cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import Design
from counterpoint.costs.models.overlay.shapes import Ints, LayerShapes
from counterpoint.errors import InternalError
from counterpoint.explore.design_cycles import design_cycles

RESOURCES = 3
"""First core, second core, memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Every way to cut each layer of a network between two cores.

    Attributes:
        use: Of each layer, ``int64[options, 3]``: cycles of the first core, of the second one and
            of the memory.
        rows: Of each layer, ``int64[options]``: rows on the first core, ascending.
        heights: Rows of each layer.
    """

    use: tuple[Ints, ...]
    rows: tuple[Ints, ...]
    heights: tuple[int, ...]

    def whole(self, layer: int, core: int) -> int | None:
        """Index of the option that leaves a layer uncut; ``None`` where the core cannot run it."""
        rows = self.heights[layer] if core == 0 else 0
        found = np.flatnonzero(self.rows[layer] == rows)
        return int(found[0]) if len(found) else None


def row_options(shapes: LayerShapes, design: Design) -> Options:
    """All options of a network's layers on a design of two cores.

    Args:
        shapes: Layers with multiply-adds, in run order.
        design: Two cores.
    """
    if len(design.cores) != 2:
        raise InternalError(f"rows are split between two cores, not {len(design.cores)}")
    heights = shapes.out_height
    layers = np.repeat(np.arange(len(shapes)), heights)
    rows = np.concatenate([np.arange(1, height + 1) for height in heights])
    table = design_cycles(shapes.take(layers).with_rows(rows), design)
    use, kept = [], []
    for layer, height in enumerate(heights):
        own = np.flatnonzero(layers == layer)
        # By rows, 0 included: nothing of a layer costs nothing.
        cycles, dram = (
            np.pad(part[:, own], ((0, 0), (1, 0))) for part in (table.total, table.dram)
        )
        runs = np.pad(table.runs[:, own], ((0, 0), (1, 0)), constant_values=True)
        here = np.arange(height + 1)
        there = height - here
        able = np.flatnonzero(runs[0, here] & runs[1, there])
        use.append(
            np.column_stack([cycles[0, here], cycles[1, there], dram[0, here] + dram[1, there]])[
                able
            ]
        )
        kept.append(here[able])
    return Options(tuple(use), tuple(kept), tuple(int(height) for height in heights))


def joint_options(parts: Sequence[Options], images: Sequence[int]) -> Options:
    """Of a frame of several networks, each of which comes so many times."""
    return Options(
        tuple(
            times * use for options, times in zip(parts, images, strict=True) for use in options.use
        ),
        tuple(rows for options in parts for rows in options.rows),
        tuple(height for options in parts for height in options.heights),
    )


def least_split_interval(options: Options) -> float:
    """Least mean interval, in cycles, of all schedules that take one option for each layer of each
    frame, whichever; ``inf`` where some layer has none.

    The linear program of :mod:`.interval` with options in the place of cores.

    Raises:
        InternalError: The solver gave up.
    """
    from ortools.linear_solver import pywraplp

    if any(not len(use) for use in options.use):
        return float("inf")
    solver = pywraplp.Solver.CreateSolver("GLOP")
    if solver is None:
        raise InternalError("OR-Tools has no GLOP")
    scale = max(1.0, float(sum(use[:, :2].sum(axis=1).min() for use in options.use)))
    interval = solver.NumVar(0.0, solver.infinity(), "")
    rows = [solver.Constraint(0.0, solver.infinity()) for _ in range(RESOURCES)]
    for row in rows:
        row.SetCoefficient(interval, 1.0)
    for use in options.use:
        whole = solver.Constraint(1.0, 1.0)
        for option in use:
            part = solver.NumVar(0.0, 1.0, "")
            whole.SetCoefficient(part, 1.0)
            for row, cycles in zip(rows, option, strict=True):
                row.SetCoefficient(part, -float(cycles) / scale)
    solver.Minimize(interval)
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        raise InternalError(f"no shares of the parts of {len(options.use)} layers")
    return float(interval.solution_value() * scale)
