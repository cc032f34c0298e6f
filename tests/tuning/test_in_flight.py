from __future__ import annotations

from dataclasses import replace
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.latency import plan_latency, single_unit_plan
from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan, Prediction
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import Simulation, simulate
from counterpoint.tuning.in_flight import MOST, frames_in_flight
from counterpoint.tuning.planned import plan_of
from tests.planning.throughput_oracle import shared_table
from tests.random_networks import random_network
from tests.recorded_tables import (
    A311D_NETWORKS,
    A311D_THREE,
    A311D_TWO,
    a311d_costs,
    a311d_platform,
)
from tests.report.costed import A, B, chain, costs

PLATFORM = Platform("fake machine", "fake-fingerprint", (A.devices[0], B.devices[0]), (A, B))


def simulated(
    network: Network, plan: Plan, platform: Platform, frames: int, count: int
) -> Simulation:
    predicted = predicted_graph(network, replace(plan, frames_in_flight=count), platform)
    assert predicted is not None
    return simulate(*predicted, frames, record=False)


def full_costs(network: Network) -> CostTable:
    """Both units run everything, one in 80 us, the other in 100 us and a little."""
    rows = ((20_000, 25_000), (20_000, 25_000), (20_000, 25_000), (20_000, 25_000))
    return replace(costs(network), layer_ns=rows, refusals={})


def alone_on(unit: str) -> Plan:
    network = chain()
    table = full_costs(network)
    return plan_of(network, PLATFORM, {}, table, single_unit_plan(network, table, unit))


def two_lanes() -> Plan:
    """Each unit alone runs the whole network, in equal shares."""
    one, other = alone_on(A.name), alone_on(B.name)
    assert one.prediction.segment_ns is not None
    assert other.prediction.segment_ns is not None
    return replace(
        one,
        lanes=one.lanes + other.lanes,
        prediction=Prediction(
            other.prediction.latency_ns, one.prediction.segment_ns + other.prediction.segment_ns
        ),
    )


def test_one_unit_needs_one_frame() -> None:
    alone = alone_on(A.name)
    plan = frames_in_flight(chain(), alone, PLATFORM)
    assert plan.frames_in_flight == 1
    assert plan.prediction.interval_ns == plan.prediction.latency_ns
    assert replace(plan, prediction=alone.prediction) == alone  # nothing else changed


def test_two_units_need_a_frame_for_each() -> None:
    network = chain()
    plan = frames_in_flight(network, two_lanes(), PLATFORM)
    assert plan.prediction.segment_ns is not None
    slower_ns = max(row[0] for row in plan.prediction.segment_ns)
    assert plan.prediction.interval_ns == ceil(slower_ns / 2)
    assert plan.frames_in_flight >= 2
    fewer = simulated(network, plan, PLATFORM, 1_000, plan.frames_in_flight - 1)
    assert fewer.interval_ns is not None
    assert fewer.interval_ns > 1.001 * slower_ns / 2


def test_a_latency_limit_holds_frames_back() -> None:
    network = chain()
    free = frames_in_flight(network, two_lanes(), PLATFORM)
    limit_ns = free.prediction.latency_ns
    plan = frames_in_flight(network, two_lanes(), PLATFORM, max_latency_ns=limit_ns)
    long = simulated(network, plan, PLATFORM, 1_000, plan.frames_in_flight)
    assert long.latency.high_ns <= limit_ns
    assert plan.prediction.interval_ns is not None
    assert free.prediction.interval_ns is not None
    assert plan.prediction.interval_ns >= free.prediction.interval_ns
    with pytest.raises(UserInputError, match=f"more than {limit_ns - 1} ns: make the plan with th"):
        frames_in_flight(network, two_lanes(), PLATFORM, max_latency_ns=limit_ns - 1)


def test_a_plan_without_times() -> None:
    plan = replace(two_lanes(), prediction=Prediction(0))
    with pytest.raises(UserInputError, match="the plan for fake predicts no times"):
        frames_in_flight(chain(), plan, PLATFORM)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1).map(Random), st.integers(1, 6), st.sampled_from((None, 1.0, 2.5)))
def test_no_other_number_is_much_better(rng: Random, layers: int, slack: float | None) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network)
    units = tuple(costs.unit for costs in table.units)
    platform = Platform("random", table.platform_fingerprint, table.devices, units, table.links)
    quickest = plan_latency(network, table).value
    if quickest is None:
        return
    limit_ns = None if slack is None else int(slack * quickest)
    planned = plan_throughput(network, table, max_latency_ns=limit_ns)
    made = plan_of(network, platform, {}, table, planned)
    plan = frames_in_flight(network, made, platform, max_latency_ns=limit_ns)
    interval_ns = plan.prediction.interval_ns
    assert interval_ns is not None
    assert planned.value is not None
    assert planned.value <= interval_ns
    assert 1 <= plan.frames_in_flight <= MOST
    long = simulated(network, plan, platform, 1_000, plan.frames_in_flight)
    assert limit_ns is None or long.latency.high_ns <= limit_ns
    if limit_ns is None:
        # Deep enough for any of these, but not so deep that 2,000 frames are mostly the first.
        deep = simulated(network, plan, platform, 2_000, 32)
        assert deep.interval_ns is not None
        assert interval_ns <= 1.02 * deep.interval_ns + 1


@pytest.mark.parametrize("units", [A311D_TWO, A311D_THREE], ids=["2 units", "3 units"])
@pytest.mark.parametrize("name", A311D_NETWORKS)
def test_reaches_the_bound_of_any_schedule_on_a_board(name: str, units: tuple[str, ...]) -> None:
    network, table = a311d_costs(name, units)
    platform = a311d_platform(table)
    planned = plan_throughput(network, table)
    plan = plan_of(network, platform, {}, table, planned)
    plan = frames_in_flight(network, plan, platform)
    assert plan.prediction.interval_ns is not None
    assert planned.lower_bound is not None
    assert planned.lower_bound >= 0.98 * plan.prediction.interval_ns
    long = simulated(network, plan, platform, 4_000, plan.frames_in_flight)
    assert long.interval_ns is not None
    assert planned.lower_bound >= 0.98 * long.interval_ns
    assert plan.frames_in_flight <= 16
