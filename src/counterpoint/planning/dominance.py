"""Which partial labellings no best labelling needs.

A due with ``m`` readers will be paid in some *set of places*: not empty, and of at most ``m``
units. Hence two rules, both of which keep the least cost exact:

* **Best for no set of places.** Take the states that agree in all dues but one. Whatever labels the
  layers to come get, that due is paid in some set ``V``, and everything else costs all of these
  states the same. So only a state with the least ``cost + sum(row[v] for v in V)`` for some ``V``
  is needed. With one reader left, that is at most one state for each unit.
* **Dominated.** State ``b`` is not needed if ``cost[a] + d <= cost[b]`` for another state ``a``,
  where ``d`` is at least what ``a`` may have to pay beyond ``b`` under any labels of the layers to
  come: the sum over dues of the largest sum of ``row_a[v] - row_b[v]`` over a set of places. A
  place where ``b`` cannot pay counts as minus infinity, for ``b`` never goes there; one where only
  ``a`` cannot pay makes ``d`` infinite, and ``b`` stays.

Of equals the first stays. As states stand in the order of their labels, the lexicographically
smallest of the best labellings always survives. Sums are exact for whole numbers below 2**53;
for others two labellings may be mistaken for one another within rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np

from counterpoint.planning.frontier import Due, Frontier, Indices, Mask, reach
from counterpoint.planning.problem import Costs

_FEW_STATES = 64
"""Up to that many states, expanding them takes less time than comparing them thoroughly."""
_ANCHORS = 8
"""So many states are compared with all others."""
_MOST_PLACE_SETS = 512
"""Of a due with more sets of places, the first rule is left out."""
_TOTALS_AT_ONCE = 2**22
"""Bounds the memory of one comparison: 32 MiB."""
_KEY_LIMIT = 2**62


def prune(frontier: Frontier, feasible: Mask) -> Frontier:
    """The frontier without the states that are not needed; at least one stays.

    Args:
        frontier: Partial labellings of the first layers.
        feasible: ``(layers, units)``: who can run what.
    """
    frontier = _best_for_some_places(frontier, feasible, several_readers=False)
    if frontier.size > _FEW_STATES:
        frontier = _without_dominated(frontier, feasible)
    if frontier.size > _FEW_STATES:
        frontier = _best_for_some_places(frontier, feasible, several_readers=True)
    return frontier


def _best_for_some_places(frontier: Frontier, feasible: Mask, *, several_readers: bool) -> Frontier:
    for number in range(len(frontier.dues)):
        due = frontier.dues[number]
        if frontier.size == 1 or (len(due.readers) > 1) != several_readers:
            continue
        rows = due.rows[:, reach(due.readers, feasible)]
        sets = _place_sets(rows.shape[1], len(due.readers))
        if sets is None:
            continue
        key = _joint_key([other for other in frontier.dues if other is not due])
        needed = np.zeros(frontier.size, dtype=np.bool_)
        block = max(1, _TOTALS_AT_ONCE // frontier.size)
        for begin in range(0, sets.shape[1], block):
            amounts = _amounts(rows, sets[:, begin : begin + block])
            needed |= _least_somewhere(frontier.cost[:, None] + amounts[due.choice], key)
        if needed.any() and not needed.all():
            frontier = frontier.only(np.flatnonzero(needed))
    return frontier


@lru_cache(maxsize=64)
def _place_sets(places: int, most: int) -> Costs | None:
    """``(places, sets)``, 0 or 1: the sets of 1 to ``most`` places; ``None`` if too many."""
    sizes = range(1, min(places, most) + 1)
    if sum(comb(places, size) for size in sizes) > _MOST_PLACE_SETS:
        return None
    chosen = [members for size in sizes for members in combinations(range(places), size)]
    sets = np.zeros((places, len(chosen)))
    for column, members in enumerate(chosen):
        sets[list(members), column] = 1.0
    return sets


def _amounts(rows: Costs, sets: Costs) -> Costs:
    """``(classes, sets)``: what each row costs when it is paid in each set of places."""
    endless = np.isinf(rows)
    amounts: Costs = np.where(endless, 0.0, rows) @ sets
    if endless.any():
        amounts[endless.astype(np.float64) @ sets > 0.0] = np.inf
    return amounts


def _joint_key(dues: Sequence[Due]) -> Indices | None:
    """``(states,)``: equal for states that agree in all those dues; ``None``: they all do."""
    key: Indices | None = None
    size = 1
    for due in dues:
        if len(due.rows) == 1:
            continue
        if key is None:
            key, size = due.choice, len(due.rows)
            continue
        if size * len(due.rows) > _KEY_LIMIT:
            values, key = np.unique(key, return_inverse=True)
            size = len(values)
        key = key * len(due.rows) + due.choice
        size *= len(due.rows)
    return key


def _least_somewhere(totals: Costs, key: Indices | None) -> Mask:
    """``(states,)``: the state is the first of the least in a column, among those of its key.

    Args:
        totals: ``(states, columns)``; infinite entries are nobody's least.
        key: ``(states,)``; ``None``: all states have the same.
    """
    needed = np.zeros(len(totals), dtype=np.bool_)
    if key is None:
        first = totals.argmin(axis=0)
        needed[first[totals.min(axis=0) < np.inf]] = True
        return needed
    order = np.argsort(key, kind="stable")
    key, totals = key[order], totals[order]
    opens = np.ones(len(key), dtype=np.bool_)
    np.not_equal(key[1:], key[:-1], out=opens[1:])
    group = np.cumsum(opens) - 1
    least = np.minimum.reduceat(totals, np.flatnonzero(opens), axis=0)
    column, member = np.nonzero(((totals == least[group]) & (totals < np.inf)).T)
    is_first = np.ones(len(member), dtype=np.bool_)
    same_group = group[member[1:]] == group[member[:-1]]
    is_first[1:] = ~(same_group & (column[1:] == column[:-1]))
    needed[order[member[is_first]]] = True
    return needed


def _without_dominated(frontier: Frontier, feasible: Mask) -> Frontier:
    """Drops what the most promising states dominate."""
    bound = frontier.optimistic(feasible)
    alive = np.ones(frontier.size, dtype=np.bool_)
    state = np.arange(frontier.size)
    for anchor in np.argsort(bound, kind="stable")[:_ANCHORS]:
        # Whoever dropped this one also drops all that this one could.
        if not alive[anchor] or np.isinf(bound[anchor]):
            continue
        worst = np.full(frontier.size, frontier.cost[anchor])
        with np.errstate(invalid="ignore"):  # inf - inf is nan, which drops nothing
            for due in frontier.dues:
                worst += _surplus(due, due.choice[anchor], feasible)[due.choice]
        alive &= ~((worst < frontier.cost) | ((worst == frontier.cost) & (state > anchor)))
    return frontier.only(np.flatnonzero(alive))


def _surplus(due: Due, anchor_row: np.intp, feasible: Mask) -> Costs:
    """``(classes,)``: the most that the anchor's row can cost beyond each row."""
    rows = due.rows[:, reach(due.readers, feasible)]
    beyond = np.full(rows.shape, -np.inf)
    np.subtract(rows[anchor_row], rows, out=beyond, where=rows < np.inf)
    beyond.sort(axis=1)
    largest = beyond[:, -1]
    several = np.maximum(beyond[:, -len(due.readers) :], 0.0).sum(axis=1)
    return np.asarray(np.where(largest > 0.0, several, largest))
