"""Throughput under a latency limit: never worse than any way of sharing that keeps to it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.choose import METHODS, Question
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import PlanResult, Status
from counterpoint.platform.model import Platform
from counterpoint.tuning.in_flight import frames_in_flight, judged_in_virtual_time
from counterpoint.tuning.planned import plan_of
from tests.planning.throughput_oracle import shared_table
from tests.random_networks import random_network
from tests.recorded_tables import a311d_costs, a311d_platform


def ask(
    network: Network, table: CostTable, platform: Platform, limit_ns: int, method: str = "auto"
) -> tuple[PlanResult, int | None]:
    """The answer, and the interval that it reaches within the limit."""
    question = Question(
        objective=Objective.THROUGHPUT,
        method=method,
        max_latency_ns=limit_ns,
        judge=judged_in_virtual_time(platform, limit_ns),
    )
    answer = question.answer(network, table)
    if answer.status is Status.INFEASIBLE:
        return answer, None
    plan = plan_of(network, platform, {}, table, answer)
    try:
        flowing = frames_in_flight(network, plan, platform, max_latency_ns=limit_ns)
    except UserInputError:
        return answer, None
    return answer, flowing.prediction.interval_ns


def platform_of(table: CostTable) -> Platform:
    units = tuple(costs.unit for costs in table.units)
    return Platform("fake", table.platform_fingerprint, table.devices, units, table.links)


@pytest.mark.parametrize("percent", [100, 120, 200, 300])
@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1", "googlenet"])
def test_on_a_board(name: str, percent: int) -> None:
    network, table = a311d_costs(name)
    platform = a311d_platform(table)
    least = plan_latency(network, table).value
    assert least is not None
    limit_ns = least * percent // 100
    answer, reached_ns = ask(network, table, platform, limit_ns)
    assert reached_ns is not None
    assert answer.lower_bound is not None
    assert answer.lower_bound <= reached_ns
    others = [ask(network, table, platform, limit_ns, method)[1] for method in METHODS_APART]
    assert all(other is None or reached_ns <= other for other in others)
    if percent >= 200:  # the mix of most frames has to run alone here, or nearly
        assert reached_ns < 0.6 * least


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(90, 400))
def test_on_random_machines(seed: int, percent: int) -> None:
    rng = Random(seed)
    network = random_network(rng, layers=5)
    table = shared_table(rng, network)
    platform = platform_of(table)
    least = plan_latency(network, table).value
    if least is None:
        return
    limit_ns = max(1, least * percent // 100)
    answer, reached_ns = ask(network, table, platform, limit_ns)
    if percent < 100:
        assert answer.status is Status.INFEASIBLE
        assert answer.reason is not None
        assert str(limit_ns) in answer.reason
        return
    for method in METHODS_APART:
        _, other_ns = ask(network, table, platform, limit_ns, method)
        assert other_ns is None or (reached_ns is not None and reached_ns <= other_ns)


METHODS_APART = [method for method in METHODS[Objective.THROUGHPUT] if method != "auto"]
