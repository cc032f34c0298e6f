"""Partial labellings of a network's first layers, told apart only by what they still have to pay.

What the layers so far leave to be paid is a set of *dues*. A due stands for all tensors (and the
entry into the next segment) that the same layers will read. It is one row of amounts, one for each
unit: what the first of those readers on that unit pays. Whoever pays it settles that unit, because
a tensor is handed to each unit once. Two partial labellings (*states*) with equal rows have the
same future, however their labels differ; so a row is all that is kept of the labels of live layers.

States stand in the lexicographic order of their labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.planning.problem import Costs

Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Due:
    """What will be paid when the readers of some tensors get their units.

    Attributes:
        readers: Layers still to come that read all of those tensors, ascending.
        rows: ``(classes, units)``: amount for each unit; 0 where no reader can run.
        choice: ``(states,)``: row of each state.
    """

    readers: tuple[int, ...]
    rows: Costs
    choice: Indices


@dataclass(frozen=True, slots=True)
class Step:
    """What giving one layer a unit costs now, and what it makes due.

    Attributes:
        layer: Its index.
        units: ``(choices,)``: columns of the units that can run it, ascending.
        price: ``(choices,)``: what is paid at once.
        fresh: New dues; state ``k`` of each is the one that ``units[k]`` makes.
    """

    layer: int
    units: Indices
    price: Costs
    fresh: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Partial labellings of the first layers.

    Attributes:
        cost: ``(states,)``: paid so far, finite.
        dues: What is still to be paid; no two have the same readers.
        parent: ``(states,)``: state of the frontier before that each one continues.
        label: ``(states,)``: unit of the last layer.
    """

    cost: Costs
    dues: tuple[Due, ...]
    parent: Indices
    label: Indices

    @property
    def size(self) -> int:
        """Number of states."""
        return len(self.cost)

    def only(self, states: Indices) -> Frontier:
        """The frontier of those states, given ascending."""
        dues = tuple(Due(due.readers, due.rows, due.choice[states]) for due in self.dues)
        return Frontier(self.cost[states], dues, self.parent[states], self.label[states])

    def optimistic(self, feasible: Mask) -> Costs:
        """``(states,)``: cost so far and the least that each due can still cost.

        Infinite where some due can nowhere be paid.
        """
        bound = self.cost.copy()
        for due in self.dues:
            least = due.rows[:, reach(due.readers, feasible)].min(axis=1)
            bound += least[due.choice]
        return bound


def start(dues: Iterable[Due]) -> Frontier:
    """The frontier before the first layer; its only state has nothing paid."""
    nowhere = np.zeros(1, dtype=np.intp)
    return Frontier(np.zeros(1), tuple(dues), nowhere, nowhere)


def reach(readers: Sequence[int], feasible: Mask) -> Mask:
    """``(units,)``: units that can run at least one of the readers.

    Args:
        readers: Layers; at least one.
        feasible: ``(layers, units)``: who can run what.
    """
    return np.asarray(feasible[list(readers)].any(axis=0))


def advance(frontier: Frontier, step: Step, feasible: Mask) -> Frontier:
    """All ways of finite cost to continue the states by one layer.

    Args:
        frontier: States of the layers before.
        step: The layer.
        feasible: ``(layers, units)``: who can run what.
    """
    price = frontier.cost[:, None] + step.price
    for due in frontier.dues:
        if due.readers[0] == step.layer:
            price += due.rows[:, step.units][due.choice]
    flat = price.ravel()
    alive = np.flatnonzero(flat < np.inf)
    parent, position = np.divmod(alive, len(step.units))
    pending: dict[tuple[int, ...], Due] = {}
    for due in frontier.dues:
        if due.readers[0] != step.layer:
            _add(pending, Due(due.readers, due.rows, due.choice[parent]))
        elif len(due.readers) > 1:
            code = due.choice[parent] * len(step.units) + position
            _add(pending, _settled(due, code, step, feasible))
    for due in step.fresh:
        _add(pending, Due(due.readers, due.rows, due.choice[position]))
    return Frontier(flat[alive], tuple(pending.values()), parent, step.units[position])


def _add(pending: dict[tuple[int, ...], Due], due: Due) -> None:
    """Puts a due in; dues of the same readers become one, whose rows are the sums."""
    other = pending.get(due.readers)
    if other is None:
        pending[due.readers] = due
        return
    code = other.choice * len(due.rows) + due.choice
    present, choice = np.unique(code, return_inverse=True)
    first, second = np.divmod(present, len(due.rows))
    pending[due.readers] = _distinct(due.readers, other.rows[first] + due.rows[second], choice)


def _settled(due: Due, code: Indices, step: Step, feasible: Mask) -> Due:
    """The due after its first reader paid; ``code`` is row and unit of each state."""
    present, choice = np.unique(code, return_inverse=True)
    old, position = np.divmod(present, len(step.units))
    rows = due.rows[old]
    rows[np.arange(len(rows)), step.units[position]] = 0.0
    readers = due.readers[1:]
    rows[:, ~reach(readers, feasible)] = 0.0
    return _distinct(readers, rows, choice)


def _distinct(readers: tuple[int, ...], rows: Costs, choice: Indices) -> Due:
    """A due in which equal rows became one."""
    packed = np.ascontiguousarray(rows).view(f"V{rows.itemsize * rows.shape[1]}").ravel()
    _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
    return Due(readers, rows[first], inverse[choice])
