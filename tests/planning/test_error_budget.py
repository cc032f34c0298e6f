from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.error_budget import plan_under_error
from counterpoint.planning.evaluator import evaluate, interval_ns
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import Status
from tests.planning.error_tables import NoisyLane, all_lanes, random_error_table
from tests.random_networks import fake_unit, network_of, random_network

randoms = st.integers(0, 2**32 - 1).map(Random)


def chain(layers: int) -> Network:
    return network_of(
        [["in"], *([f"t{layer}"] for layer in range(layers - 1))],
        [[f"t{layer}"] for layer in range(layers)],
        outputs=[f"t{layers - 1}"],
    )


def two_precisions(
    times: list[tuple[int, int]],
    errors: list[tuple[int, int]],
    *,
    entry_ns: int = 0,
    convert: LinearCost | None = None,
) -> tuple[Network, CostTable]:
    """Layers in a row on one unit, as they are or in its quicker, noisier variant."""
    network = chain(len(times))
    unit = fake_unit(0)
    variant = replace(unit, settings=(("layers", "int8"),))
    return network, CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=tuple(layer.name for layer in network.layers),
        units=(
            UnitCosts(unit, entry_ns),
            UnitCosts(variant, entry_ns, variant_of=unit.name, convert=convert or LinearCost()),
        ),
        layer_ns=tuple(times),
        layer_error_ppb=tuple(errors),
    )


@settings(max_examples=100, deadline=None)
@given(randoms, st.integers(1, 5), st.floats(-0.1, 1.1), st.booleans())
def test_no_lane_that_keeps_to_the_budget_is_better(
    rng: Random, layers: int, place: float, energy: bool
) -> None:
    network = random_network(rng, layers=layers)
    table = random_error_table(rng, network, units=2)
    lanes = {lane.segments: lane for lane in all_lanes(network, table)}
    noises = [lane.error_ppb for lane in lanes.values()] or [0]
    budget = max(0, round(min(noises) + place * (max(noises) - min(noises))))

    def cost(lane: NoisyLane) -> int:
        return lane.energy_pj if energy else lane.latency_ns

    plan = plan_under_error(
        network,
        table,
        budget,
        objective=Objective.ENERGY if energy else Objective.LATENCY,
        max_branches=1000,
    )
    within = [cost(lane) for lane in lanes.values() if lane.error_ppb <= budget]
    if not within:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason
        return
    lane = lanes[plan.segments]
    assert lane.error_ppb <= budget
    assert plan.status is Status.OPTIMAL
    assert plan.value == plan.lower_bound == min(within) == cost(lane)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(1, 60)] * 3), min_size=3, max_size=8), st.floats(0.0, 1.0))
def test_which_layers_are_coarse_is_a_knapsack(
    costs: list[tuple[int, int, int]], place: float
) -> None:
    network, table = two_precisions(
        [(quick + more, quick) for quick, more, _ in costs], [(0, noise) for *_, noise in costs]
    )
    budget = round(place * sum(noise for *_, noise in costs))
    plan = plan_under_error(network, table, budget, max_branches=1000)
    best = min(
        sum(
            quick if chosen else quick + more
            for (quick, more, _), chosen in zip(costs, coarse, strict=True)
        )
        for coarse in product((False, True), repeat=len(costs))
        if sum(noise for (*_, noise), chosen in zip(costs, coarse, strict=True) if chosen) <= budget
    )
    assert (plan.value, plan.status) == (best, Status.OPTIMAL)
    cut = plan_under_error(network, table, budget, max_branches=1)
    assert cut.value is not None
    assert cut.lower_bound is not None
    assert cut.lower_bound <= best <= cut.value


def test_a_variant_enters_no_second_time_and_conversions_cost() -> None:
    """Three layers of which the middle one must stay exact: one call, two conversions."""
    network, table = two_precisions(
        [(10, 1)] * 3,
        [(0, 1), (0, 100), (0, 1)],
        entry_ns=1000,
        convert=LinearCost(2.0),
    )
    plan = plan_under_error(network, table, 10)
    assert plan.value == 1000 + 1 + 2 + 10 + 2 + 1
    apart = replace(table, units=(table.units[0], replace(table.units[1], variant_of=None)))
    assert plan_under_error(network, apart, 10).value == 1000 + 30
    dear = replace(table, units=(table.units[0], replace(table.units[1], convert=LinearCost(20.0))))
    assert plan_under_error(network, dear, 10).value == 1000 + 30


@settings(max_examples=60, deadline=None)
@given(randoms, st.integers(1, 4), st.floats(0.0, 1.0))
def test_no_mix_within_the_budget_is_faster(rng: Random, layers: int, place: float) -> None:
    """Oracle: all mixes of two lanes in shares up to four; and the bound lies below them all."""
    network = random_network(rng, layers=layers)
    table = random_error_table(rng, network, units=2)
    lanes = list(all_lanes(network, table))
    noises = [lane.error_ppb for lane in lanes] or [0]
    budget = round(min(noises) + place * (max(noises) - min(noises)))
    plan = plan_under_error(network, table, budget, objective=Objective.THROUGHPUT)
    if not lanes:
        assert plan.status is Status.INFEASIBLE
        return
    assert plan.value is not None
    assert plan.lower_bound is not None
    evaluations = [(evaluate(network, table, x.segments), x.share) for x in plan.lanes]
    total = sum(share for _, share in evaluations)
    assert sum((found.error_ppb or 0) * share for found, share in evaluations) <= budget * total
    assert plan.value == -(-interval_ns(evaluations) // 1)
    assert plan.lower_bound <= plan.value
    quick = sorted(lanes, key=lambda lane: sum(lane.evaluation.busy_ns.values()))[:12]
    quiet = sorted(lanes, key=lambda lane: lane.error_ppb)[:6]
    best = (
        min(
            interval_ns([(one.evaluation, a), (other.evaluation, b)])
            for one in quick
            for other in [*quick, *quiet]
            for a in range(1, 5)
            for b in range(5)
            if a * one.error_ppb + b * other.error_ppb <= budget * (a + b)
        )
        if any(lane.error_ppb <= budget for lane in quick)
        else Fraction(10**9)
    )
    assert plan.lower_bound <= best
    # Whole shares up to 200 lose less than a hundredth of what the bound allows, or one lane's.
    assert plan.value <= max(best * Fraction(102, 100), best + 1)


def test_the_budget_is_a_mean_over_frames() -> None:
    """Two units side by side, a quiet slow lane on one and a noisy quick one on the other."""
    network = chain(1)
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=("layer0",),
        units=(UnitCosts(fake_unit(0), 0), UnitCosts(fake_unit(1), 0)),
        layer_ns=((300, 100),),
        layer_error_ppb=((0, 40),),
    )
    plan = plan_under_error(network, table, 30, objective=Objective.THROUGHPUT)
    assert {lane.segments[0][1]: lane.share for lane in plan.lanes} == {
        table.unit_names[0]: 1,
        table.unit_names[1]: 3,
    }
    assert plan.value == 75
    tight = plan_under_error(network, table, 20, objective=Objective.THROUGHPUT)
    assert tight.value == 150
    none = plan_under_error(network, table, 0, objective=Objective.THROUGHPUT)
    assert none.value == 300


def test_says_what_is_missing() -> None:
    network, table = two_precisions([(2, 1)], [(5, 9)])
    quiet = plan_under_error(network, table, 4)
    assert quiet.status is Status.INFEASIBLE
    assert quiet.reason == "no plan of random makes so little noise; the least is 5 ppb"
    unknown = plan_under_error(network, replace(table, layer_error_ppb=((None, None),)), 9)
    assert unknown.reason is not None
    assert "its error is not known" in unknown.reason
    with pytest.raises(UserInputError, match="was not measured"):
        plan_under_error(network, replace(table, layer_error_ppb=None), 9)
    with pytest.raises(UserInputError, match="energy"):
        plan_under_error(network, table, 9, objective=Objective.ENERGY)
    with pytest.raises(UserInputError, match="energy-delay"):
        plan_under_error(network, table, 9, objective=Objective.ENERGY_DELAY)


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 5))
def test_a_loose_budget_changes_nothing(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_error_table(rng, network, units=2)
    errors = tuple(tuple(error or 0 for error in row) for row in table.layer_error_ppb or ())
    table = replace(table, layer_error_ppb=errors)
    free, loose = plan_latency(network, table), plan_under_error(network, table, 10**9)
    assert (free.value, free.status) == (loose.value, loose.status)
