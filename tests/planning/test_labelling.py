from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.planning import dominance
from counterpoint.planning.labelling import label
from counterpoint.planning.problem import FORBIDDEN, LabellingProblem, TensorUse
from counterpoint.planning.result import Status
from tests.planning.labelling_oracle import all_costs, best_labelling, random_problem

RULES: dict[str, dict[str, int]] = {
    "as shipped": {},
    "all rules on few states": {"_FEW_STATES": 1},
    "dominance only": {"_FEW_STATES": 1, "_MOST_PLACE_SETS": 0},
    "place sets only, in blocks": {"_FEW_STATES": 1, "_ANCHORS": 0, "_TOTALS_AT_ONCE": 8},
    "keys that overflow": {"_FEW_STATES": 1, "_KEY_LIMIT": 4},
}

randoms = st.integers(0, 2**32 - 1).map(Random)


@contextmanager
def rules(name: str) -> Iterator[None]:
    dominance._place_sets.cache_clear()
    with patch.dict(vars(dominance), RULES[name]):
        yield
    dominance._place_sets.cache_clear()


def assert_best(problem: LabellingProblem) -> None:
    least, first = best_labelling(problem)
    answer = label(problem)
    if np.isinf(least):
        assert answer.status is Status.INFEASIBLE
        assert (answer.labels, answer.cost, answer.lower_bound) == (None, None, None)
        assert answer.blocked_layer is not None
    else:
        assert (answer.cost, answer.labels) == (least, first)
        assert answer.lower_bound == least
        assert answer.status is Status.OPTIMAL
        assert answer.blocked_layer is None


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=400, deadline=None)
@given(randoms, st.integers(1, 6), st.integers(1, 4), st.sampled_from((0.0, 0.1, 0.3)))
def test_finds_the_first_of_the_best_labellings(
    name: str, rng: Random, layers: int, units: int, forbidden: float
) -> None:
    problem = random_problem(rng, layers=layers, units=units, forbidden=forbidden)
    with rules(name):
        assert_best(problem)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=10, deadline=None)
@given(randoms, st.sampled_from((0.0, 0.05)))
def test_finds_the_best_of_many_labellings(name: str, rng: Random, forbidden: float) -> None:
    problem = random_problem(rng, layers=10, units=3, forbidden=forbidden, most_readers=6)
    with rules(name):
        assert_best(problem)


@settings(max_examples=600, deadline=None)
@given(randoms, st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_a_limit_of_states_keeps_the_bound_true(
    rng: Random, layers: int, units: int, max_states: int, forbids: bool
) -> None:
    problem = random_problem(rng, layers=layers, units=units, forbidden=0.2 if forbids else 0.0)
    least, _ = best_labelling(problem)
    answer = label(problem, max_states=max_states)
    if np.isinf(least):
        assert answer.status is Status.INFEASIBLE
        return
    assert answer.labels is not None
    assert answer.cost is not None
    assert answer.lower_bound is not None
    assert answer.cost == all_costs(problem, np.array([answer.labels]))[0]
    assert answer.lower_bound <= least <= answer.cost
    assert (answer.status is Status.OPTIMAL) == (answer.lower_bound == answer.cost)


def test_a_limit_of_states_can_cost_the_proof() -> None:
    # Whoever goes cheaply now pays later, but a single state sees only one step.
    problem = LabellingProblem(
        np.array([[1.0, 2.0], [0.0, 0.0], [50.0, 0.0]]),
        np.zeros(2),
        (TensorUse(0, (2,), False, np.array([[0.0, 30, 0], [30, 0, 0], [0, 0, 0]])),),
    )
    narrow = label(problem, max_states=1)
    assert label(problem).labels == (1, 0, 1)
    assert narrow.labels == (0, 0, 1)
    assert narrow.status is Status.FEASIBLE
    assert (narrow.cost, narrow.lower_bound) == (31.0, 2.0)


def test_a_limit_of_states_never_hides_a_labelling() -> None:
    one_way = np.array([[0.0, FORBIDDEN, 0], [0, 0, 0], [0, 0, 0]])
    cost = np.array([[0.0, 5], [0, 0], [FORBIDDEN, 0]])
    tensors = (TensorUse(0, (1,), False, one_way), TensorUse(1, (2,), False, one_way))
    answer = label(LabellingProblem(cost, np.zeros(2), tensors), max_states=1)
    assert (answer.labels, answer.cost) == ((1, 1, 1), 5.0)


def test_a_tensor_is_handed_to_each_unit_once() -> None:
    moves = np.array([[0.0, 5, 0], [5, 0, 0], [0, 0, 0]])
    cost = np.array([[0.0, FORBIDDEN], [FORBIDDEN, 1], [FORBIDDEN, 1], [0, FORBIDDEN]])
    problem = LabellingProblem(cost, np.zeros(2), (TensorUse(0, (1, 2, 3), True, moves),))
    assert label(problem).cost == 7.0


def test_among_equals_the_lowest_units_win() -> None:
    problem = LabellingProblem(np.ones((5, 3)), np.zeros(3), ())
    assert label(problem).labels == (0, 0, 0, 0, 0)


def test_no_layers_cost_nothing() -> None:
    answer = label(LabellingProblem(np.zeros((0, 2)), np.ones(2), ()))
    assert (answer.labels, answer.cost, answer.status) == ((), 0.0, Status.OPTIMAL)


def test_names_the_first_layer_that_no_unit_runs() -> None:
    cost = np.zeros((4, 2))
    cost[2:] = FORBIDDEN
    answer = label(LabellingProblem(cost, np.zeros(2), ()))
    assert answer.status is Status.INFEASIBLE
    assert (answer.blocked_layer, answer.blocked_tensor) == (2, None)


def test_names_the_tensor_that_cannot_move() -> None:
    island = np.full((3, 3), FORBIDDEN)
    free = np.zeros((3, 3))
    cost = np.array([[0.0, FORBIDDEN], [0, 0], [FORBIDDEN, 0]])
    tensors = (
        TensorUse(1, (2,), False, island),  # not to blame: layer 1 could run where 2 must
        TensorUse(0, (1, 2), False, island),
        TensorUse(2, (), True, free),
    )
    answer = label(LabellingProblem(cost, np.zeros(2), tensors))
    assert answer.status is Status.INFEASIBLE
    assert (answer.blocked_layer, answer.blocked_tensor) == (2, 1)


@pytest.mark.parametrize("name", RULES)
def test_goes_on_until_the_layer_that_is_out_of_reach(name: str) -> None:
    island = np.full((4, 4), FORBIDDEN)
    cost = np.zeros((4, 3))
    cost[0, 2] = FORBIDDEN
    cost[2:, :2] = FORBIDDEN
    with rules(name):
        answer = label(LabellingProblem(cost, np.zeros(3), (TensorUse(0, (2, 3), False, island),)))
    assert (answer.blocked_layer, answer.blocked_tensor) == (2, 0)


def test_names_the_output_that_cannot_return() -> None:
    island = np.full((2, 2), FORBIDDEN)
    answer = label(
        LabellingProblem(np.zeros((1, 1)), np.zeros(1), (TensorUse(0, (), True, island),))
    )
    assert (answer.blocked_layer, answer.blocked_tensor) == (0, 0)


@settings(max_examples=30, deadline=None)
@given(randoms, st.sampled_from((0.0, 0.05)))
def test_long_networks_get_the_same_answer_under_all_rules(rng: Random, forbidden: float) -> None:
    problem = random_problem(rng, layers=60, units=3, forbidden=forbidden, most_readers=3, span=4)
    answers = []
    for name in ("as shipped", "all rules on few states", "place sets only, in blocks"):
        with rules(name):
            answers.append(label(problem))
    assert answers[0].status is not Status.FEASIBLE
    assert {answer.labels for answer in answers} == {answers[0].labels}
    if answers[0].labels is not None:
        assert answers[0].cost == all_costs(problem, np.array([answers[0].labels]))[0]


def test_refuses_costs_that_mean_nothing() -> None:
    moves = np.zeros((2, 2))
    with pytest.raises(InternalError, match="at least 0"):
        LabellingProblem(np.array([[np.nan]]), np.zeros(1), ())
    with pytest.raises(InternalError, match="at least 0"):
        TensorUse(None, (0,), False, moves - 1)
    with pytest.raises(InternalError, match="after its producer"):
        TensorUse(3, (3,), False, moves)
    with pytest.raises(InternalError, match="between all units"):
        LabellingProblem(np.zeros((4, 2)), np.zeros(2), (TensorUse(0, (1,), False, moves),))
