"""Least mean interval between frames on cores that share a memory, whoever runs which layer.

With ``x[c][l]`` the part of frames whose layer ``l`` runs on core ``c``:

    min T   so that   sum over c of x[c][l] = 1                             for each layer
                      sum over l of x[c][l] * cycles[c][l]         <= T     for each core
                      sum over c, l of x[c][l] * traffic[c][l]     <= T     for the memory

Layers hand over through the memory, which their own traffic pays for, so this is the optimum of the
linear program over lanes (:mod:`counterpoint.planning.column_generation`) for such a machine: no
schedule is quicker. One core is a sum, two cores have a closed form (:mod:`.pairs`), and any
number is left to a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.errors import InternalError

Cells = npt.NDArray[np.float64]
"""Cycles; ``inf`` where a core cannot run the layer."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The linear program's answer for one design.

    Attributes:
        interval: ``T`` in cycles; ``inf`` where no core runs some layer.
        parts: ``(cores, layers)``: ``x``.
    """

    interval: float
    parts: Cells


def alone_intervals(cycles: Cells, traffic: Cells) -> Cells:
    """``(designs,)``: least intervals of designs of one core.

    Args:
        cycles: ``(designs, layers)``.
        traffic: Likewise: cycles for which the layer keeps the memory busy.
    """
    return np.asarray(np.maximum(cycles.sum(axis=1), traffic.sum(axis=1)))


def least_interval(cycles: Cells, traffic: Cells) -> Shares:
    """The least interval of one design of any number of cores, by OR-Tools.

    Args:
        cycles: ``(cores, layers)``, at least 0.
        traffic: Likewise.

    Raises:
        InternalError: The solver gave up.
    """
    from ortools.linear_solver import pywraplp

    able = np.isfinite(cycles)
    if not able.any(axis=0).all():
        return Shares(np.inf, np.zeros_like(cycles))
    solver = pywraplp.Solver.CreateSolver("GLOP")
    if solver is None:
        raise InternalError("OR-Tools has no GLOP")
    # Intervals in this unit are near 1, as the solver's tolerances expect.
    scale = max(1.0, float(cycles.min(axis=0).sum()))
    interval = solver.NumVar(0.0, solver.infinity(), "")
    rows = [solver.Constraint(0.0, solver.infinity()) for _ in range(len(cycles) + 1)]
    for row in rows:
        row.SetCoefficient(interval, 1.0)
    parts = {}
    for core, layer in zip(*np.nonzero(able), strict=True):
        part = parts[core, layer] = solver.NumVar(0.0, 1.0, "")
        rows[core].SetCoefficient(part, -float(cycles[core, layer]) / scale)
        rows[-1].SetCoefficient(part, -float(traffic[core, layer]) / scale)
    for layer in range(cycles.shape[1]):
        whole = solver.Constraint(1.0, 1.0)
        for core in np.flatnonzero(able[:, layer]):
            whole.SetCoefficient(parts[core, layer], 1.0)
    solver.Minimize(interval)
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        raise InternalError(f"no shares of {cycles.shape[1]} layers on {len(cycles)} cores")
    found = np.zeros_like(cycles)
    for place, part in parts.items():
        found[place] = max(0.0, part.solution_value())
    found /= found.sum(axis=0)
    return Shares(float(busy_cycles(cycles, traffic, found).max()), found)


def busy_cycles(cycles: Cells, traffic: Cells, parts: Cells) -> Cells:
    """``(cores + 1,)``: for how long a frame keeps each core busy, and at last the memory.

    Args:
        cycles: ``(cores, layers)``.
        traffic: Likewise.
        parts: Likewise: part of the frames whose layer runs there.
    """
    used = np.where(parts > 0, cycles, 0.0) * parts
    moved = np.where(parts > 0, traffic, 0.0) * parts
    return np.append(used.sum(axis=1), moved.sum())
