from __future__ import annotations

from random import Random

import pytest

from counterpoint.costs.objective import Objective
from counterpoint.errors import UserInputError
from counterpoint.planning.choose import METHODS, Question, can_overlap
from counterpoint.planning.result import Status
from tests.random_networks import network_of, random_network, random_table

NETWORK = random_network(Random(5), layers=6)
TABLE = random_table(Random(5), NETWORK, units=2)


@pytest.mark.parametrize(
    ("objective", "method"),
    [
        (objective, method)
        for objective in (Objective.LATENCY, Objective.THROUGHPUT)
        for method in METHODS[objective]
    ],
)
def test_each_method_answers_for_its_objective(objective: Objective, method: str) -> None:
    answer = Question(objective=objective, method=method, time_limit_s=1.0).answer(NETWORK, TABLE)
    assert answer.objective is objective
    assert answer.status is Status.INFEASIBLE or answer.value is not None


def test_auto_is_no_worse_than_any_method() -> None:
    for objective in (Objective.LATENCY, Objective.THROUGHPUT):
        values = {
            method: Question(objective=objective, method=method).answer(NETWORK, TABLE).value
            for method in METHODS[objective]
        }
        best = values["auto"]
        assert best is not None
        # Whole shares may miss the best of the linear program by a thousandth.
        assert all(value is None or best <= 1.002 * value for value in values.values()), values


def test_what_a_method_cannot_do_is_told() -> None:
    with pytest.raises(UserInputError, match="unknown method 'pipeline' for latency; known are"):
        Question(method="pipeline")
    with pytest.raises(UserInputError, match="latency limit"):
        Question(objective=Objective.LATENCY, max_latency_ns=5)
    with pytest.raises(UserInputError, match="energy"):
        Question(objective=Objective.ENERGY).answer(NETWORK, TABLE)


def test_a_chain_has_nothing_that_could_overlap() -> None:
    chain = network_of([["in"], ["a"], ["b"]], [["a"], ["b"], ["c"]], outputs=["c"])
    fork = network_of([["in"], ["a"], ["a"]], [["a"], ["b"], ["c"]], outputs=["b", "c"])
    table = random_table(Random(1), chain, units=2)
    assert not can_overlap(chain, table)
    assert can_overlap(fork, table)
    assert not can_overlap(fork, random_table(Random(1), fork, units=1))
