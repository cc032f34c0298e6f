from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import Column, best_mix
from counterpoint.planning.energy import plan_energy
from counterpoint.planning.evaluator import evaluate, interval_ns
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.pareto import ParetoFront, ParetoPoint, plan_pareto, undominated
from counterpoint.planning.power_budget import PowerBudget
from counterpoint.planning.result import PlanResult
from counterpoint.planning.throughput import plan_throughput
from counterpoint.planning.trade_off import measured_energy
from tests.planning.energy_tables import NETWORKS, all_lanes, khadas_vim3, random_energy_table
from tests.random_networks import random_network

randoms = st.integers(0, 2**32 - 1).map(Random)
idle_powers = st.sampled_from((None, 3))


@settings(max_examples=60, deadline=None)
@given(randoms, st.integers(1, 5), st.integers(1, 3), idle_powers)
def test_the_front_has_its_ends_and_nothing_that_is_dominated(
    rng: Random, layers: int, units: int, idle_power_mw: int | None
) -> None:
    network = random_network(rng, layers=layers)
    table = random_energy_table(rng, network, units=units, idle_power_mw=idle_power_mw, scale=1000)
    lanes = {lane.segments: lane for lane in all_lanes(network, table)}
    front = plan_pareto(network, table, steps=3)
    if not lanes:
        assert front.points == ()
        assert front.reason
        return
    assert_consistent(network, table, front)
    assert front.points[0].latency_ns == min(lane.latency_ns for lane in lanes.values())
    assert_as_dense(front, plan_throughput(network, measured_energy(network, table)))
    least_pj = min(lane.energy_pj for lane in lanes.values())
    if idle_power_mw is None:
        assert min(point.energy_pj for point in front.points) == least_pj
    else:
        assert min(point.energy_pj for point in front.points) <= least_pj


def assert_as_dense(front: ParetoFront, dense: PlanResult) -> None:
    """No plan is, beyond the bound; another mix may make better whole shares."""
    assert dense.value is not None
    assert dense.lower_bound is not None
    assert dense.lower_bound <= min(point.interval_ns for point in front.points) <= dense.value


def assert_consistent(network: Network, table: CostTable, front: ParetoFront) -> None:
    """Every figure follows from the lanes, and no point dominates another."""
    for point in front.points:
        evaluations = [
            (evaluate(network, table, lane.segments), lane.share) for lane in point.lanes
        ]
        frames = sum(lane.share for lane in point.lanes)
        interval = interval_ns(evaluations)
        work_pj = sum(share * (one.energy_pj or 0) for one, share in evaluations) / frames
        assert point.latency_ns == max(one.latency_ns or 0 for one, _ in evaluations)
        assert 0 <= point.interval_ns - interval < 1
        energy_pj = work_pj + interval * (table.idle_power_mw or 0)
        assert point.energy_pj == pytest.approx(float(energy_pj), rel=1e-9, abs=1)
    for one, other in product(front.points, repeat=2):
        if one is not other:
            assert any(mine < yours for mine, yours in zip(one.figures, other.figures, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))))
def test_only_the_undominated_are_kept(figures: list[tuple[int, int, int]]) -> None:
    front = undominated(ParetoPoint((), *three) for three in figures)
    kept = [point.figures for point in front]
    best = {
        three
        for three in figures
        if not any(
            other != three and all(one <= two for one, two in zip(other, three, strict=True))
            for other in figures
        )
    }
    assert kept == sorted(best)


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 4), st.floats(0.3, 1.5))
def test_no_mix_of_lanes_is_denser_within_its_power(rng: Random, layers: int, place: float) -> None:
    network = random_network(rng, layers=layers)
    table = random_energy_table(rng, network, units=3, idle_power_mw=None, scale=1000)
    found = list(all_lanes(network, table))
    if not found or any(lane.latency_ns == 0 or lane.energy_pj == 0 for lane in found):
        return
    typical = rng.choice(found)
    quickest = min(found, key=lambda lane: lane.latency_ns)
    power_mw = max(1, round(place * typical.energy_pj / typical.latency_ns))
    columns = [
        Column(
            lane.segments,
            replace(
                lane.evaluation,
                busy_ns={**lane.evaluation.busy_ns, "power": -(-lane.energy_pj // power_mw)},
            ),
        )
        for lane in found
    ]
    every, _ = best_mix(columns)
    known = {
        layer: tuple(
            name
            for name, energy_pj in zip(table.unit_names, row, strict=True)
            if energy_pj is not None
        )
        for layer, row in enumerate(table.layer_energy_pj or ())
    }
    allowed = [
        [table.unit_names.index(name) for name in names] for _, names in sorted(known.items())
    ]
    lanes = PowerBudget(network, table, allowed, power_mw).lanes([quickest.segments])
    use = {column.segments: column for column in columns}
    shared = [(use[lane.segments].evaluation, lane.share) for lane in lanes]
    least_ns = 1 / sum(every)
    # Whole shares cost a little.
    assert least_ns * (1 - 1e-6) <= interval_ns(shared) <= least_ns * 1.02


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "inception_resnet_v2"])
def test_on_a_real_board_frames_under_way_trade_energy_for_time(name: str) -> None:
    network, table = khadas_vim3(name)
    front = plan_pareto(network, table)
    assert_consistent(network, table, front)
    assert front.points[0].latency_ns == plan_latency(network, table).value
    assert min(one.energy_pj for one in front.points) == plan_energy(network, table).value
    assert_as_dense(front, plan_throughput(network, table))
    # Under a power budget fewer frames go through than at most, on other lanes than one alone.
    assert sum(len(point.lanes) > 1 for point in front.points) > 2


def test_says_what_is_missing() -> None:
    network = random_network(Random(1), layers=3)
    table = random_energy_table(Random(1), network, units=2, idle_power_mw=None)
    with pytest.raises(UserInputError, match="was not measured"):
        plan_pareto(network, replace(table, layer_energy_pj=None))
    nothing = plan_pareto(network, table, units=[])
    assert nothing.reason == "no unit can run layer 'layer0': none is allowed"
    assert nothing.settings == {"units": (), "idle_power_mw": None, "steps": 6}
    with pytest.raises(InternalError):
        ParetoFront(points=())
