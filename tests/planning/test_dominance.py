from __future__ import annotations

from itertools import combinations, product
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.planning import dominance
from counterpoint.planning.frontier import Due, Frontier

LAYERS = 12


def random_row(rng: Random, units: int) -> list[float]:
    """Amounts that are alike, so that many places together make the difference."""
    least = rng.randint(0, 3)
    return [
        np.inf if rng.random() < 0.05 else float(least + rng.randint(0, 1)) for _ in range(units)
    ]


def random_frontier(rng: Random, *, states: int, units: int, dues: int) -> Frontier:
    """States of small whole costs, some of whose dues cannot be paid everywhere."""
    made = []
    for number in range(dues):
        readers = tuple(range(number, number + rng.randint(1, 4)))
        rows = np.array([random_row(rng, units) for _ in range(states)])
        choice = np.array([rng.randrange(rng.randint(1, states)) for _ in range(states)])
        made.append(Due(readers, rows, choice))
    cost = np.array([float(rng.randint(0, 6)) for _ in range(states)])
    return Frontier(cost, tuple(made), np.arange(states), np.zeros(states, dtype=np.intp))


def futures(frontier: Frontier, units: int) -> np.ndarray:
    """``(states, futures)``: what each state costs in the end, for all sets of places."""
    payments = []
    for due in frontier.dues:
        most = min(len(due.readers), units)
        sets = [list(s) for size in range(most) for s in combinations(range(units), size + 1)]
        payments.append([due.rows[:, members].sum(axis=1)[due.choice] for members in sets])
    return np.array([frontier.cost + sum(paid) for paid in product(*payments)]).T


@pytest.mark.parametrize(
    "constants",
    [
        {"_FEW_STATES": 1},
        {"_FEW_STATES": 1, "_ANCHORS": 0},
        {"_FEW_STATES": 1, "_MOST_PLACE_SETS": 0},
    ],
    ids=["all rules", "place sets only", "dominance only"],
)
@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1).map(Random), st.integers(1, 12), st.integers(1, 4), st.integers(1, 2)
)
def test_whatever_comes_the_first_of_the_best_stays(
    constants: dict[str, int], rng: Random, states: int, units: int, dues: int
) -> None:
    frontier = random_frontier(rng, states=states, units=units, dues=dues)
    dominance._place_sets.cache_clear()
    with patch.dict(vars(dominance), constants):
        pruned = dominance.prune(frontier, np.ones((LAYERS, units), dtype=np.bool_))
    dominance._place_sets.cache_clear()
    assert pruned.size >= 1
    assert (np.diff(pruned.parent) > 0).all()
    ends = futures(frontier, units)
    possible = ends.min(axis=0) < np.inf
    assert set(ends.argmin(axis=0)[possible]) <= set(pruned.parent)
    for state, origin in enumerate(pruned.parent):
        assert pruned.cost[state] == frontier.cost[origin]
        assert (futures(pruned, units)[state] == ends[origin]).all()
