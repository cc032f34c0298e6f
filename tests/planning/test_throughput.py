from __future__ import annotations

from dataclasses import replace
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning import lane_pricing
from counterpoint.planning.column_generation import TOLERANCE
from counterpoint.planning.evaluator import Evaluation, evaluate, interval_ns
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.pipeline import best_pipeline
from counterpoint.planning.result import PlanResult, Segment, Status
from counterpoint.planning.share_rounding import MAX_TOTAL_SHARE
from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.model import Link, Provenance
from tests.planning.throughput_oracle import (
    all_lanes,
    all_pipelines,
    busiest_ns,
    least_interval_ns,
    shared_table,
)
from tests.random_networks import fake_unit, network_of, random_network
from tests.recorded_tables import (
    A311D_NETWORKS,
    A311D_THREE,
    A311D_TWO,
    a311d_costs,
    a311d_measured_orders,
)

randoms = st.integers(0, 2**32 - 1).map(Random)


def recomputed_ns(network: Network, table: CostTable, plan: PlanResult) -> int:
    """Mean interval of the plan's lanes in their shares, rounded up."""
    lanes = [(evaluate(network, table, lane.segments), lane.share) for lane in plan.lanes]
    assert not any(evaluation.violations for evaluation, _ in lanes)
    return ceil(interval_ns(lanes))


@settings(max_examples=80, deadline=None)
@given(randoms, st.integers(1, 5), st.sampled_from((0.0, 0.3)))
def test_comes_close_to_the_best_mix_of_all_lanes(
    rng: Random, layers: int, missing_link_chance: float
) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network, missing_link_chance=missing_link_chance)
    lanes = all_lanes(network, table)
    plan = plan_throughput(network, table)
    assert plan.objective is Objective.THROUGHPUT
    if not lanes:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason == plan_latency(network, table).reason
        return
    assert plan.value is not None
    assert plan.lower_bound is not None
    least_ns = least_interval_ns(lanes)
    assert least_ns * (1 - 2 * TOLERANCE) - 1 <= plan.lower_bound <= least_ns * (1 + 1e-9)
    assert plan.lower_bound <= plan.value <= least_ns * 1.02 + 1
    assert plan.value == recomputed_ns(network, table, plan)
    assert 1 <= sum(lane.share for lane in plan.lanes) <= MAX_TOTAL_SHARE


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 5), st.integers(0, 3))
def test_the_bound_holds_wherever_the_search_stops(
    rng: Random, layers: int, max_pricings: int
) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network)
    plan = plan_throughput(network, table, max_pricings=max_pricings)
    assert plan.value is not None
    assert plan.lower_bound is not None
    least_ns = least_interval_ns(all_lanes(network, table))
    assert plan.lower_bound <= least_ns * (1 + 1e-9) <= plan.value + 1
    assert plan.settings["pricings"] in range(max_pricings + 1)


@settings(max_examples=80, deadline=None)
@given(randoms, st.integers(1, 5), st.floats(0.8, 2.0))
def test_keeps_each_lane_within_the_latency_limit(rng: Random, layers: int, slack: float) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network)
    lanes = all_lanes(network, table)
    quickest_ns = min(lane.latency_ns or 0 for lane in lanes)
    limit_ns = int(slack * quickest_ns)
    plan = plan_throughput(network, table, max_latency_ns=limit_ns)
    if limit_ns < quickest_ns:
        assert plan.reason == (
            f"no lane of random takes at most {limit_ns} ns for a frame; "
            f"the least latency is {quickest_ns} ns"
        )
        return
    assert plan.value is not None
    assert plan.lower_bound is not None
    for lane in plan.lanes:
        latency_ns = evaluate(network, table, lane.segments).latency_ns
        assert latency_ns is not None
        assert latency_ns <= limit_ns
    least_ns = least_interval_ns([lane for lane in lanes if (lane.latency_ns or 0) <= limit_ns])
    loose_ns = least_interval_ns(lanes, mean_latency_ns=limit_ns)
    assert loose_ns * (1 - 2 * TOLERANCE) - 1 <= plan.lower_bound
    assert plan.lower_bound <= least_ns * (1 + 1e-9) <= plan.value + 1
    assert plan.value == recomputed_ns(network, table, plan)


@settings(max_examples=50, deadline=None)
@given(randoms, st.integers(1, 6))
def test_keeps_to_the_units_and_pins(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network)
    units = rng.sample(table.unit_names, rng.randint(1, len(table.unit_names)))
    fixed = {layer: table.unit_names[:2] for layer in range(layers) if rng.random() < 0.3}
    plan = plan_throughput(network, table, units=units, fixed=fixed)
    latency = plan_latency(network, table, units=units, fixed=fixed)
    assert plan.reason == latency.reason
    for lane in plan.lanes:
        for members, unit in lane.segments:
            for layer in members:
                assert unit in fixed.get(layer, tuple(units))


@settings(max_examples=60, deadline=None)
@given(randoms, st.integers(1, 6), st.sampled_from((None, 1.0, 1.4)))
def test_the_best_pipeline_and_the_best_unit(rng: Random, layers: int, slack: float | None) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network, missing_link_chance=0.2)
    latencies = [lane.latency_ns or 0 for lane in all_lanes(network, table)]
    limit_ns = None if slack is None or not latencies else int(slack * min(latencies))

    def least(lanes: list[Evaluation]) -> int | None:
        within = [
            busiest_ns(lane)
            for lane in lanes
            if limit_ns is None or (lane.latency_ns or 0) <= limit_ns
        ]
        return min(within, default=None)

    pipeline = plan_throughput(network, table, method="pipeline", max_latency_ns=limit_ns)
    assert pipeline.value == pipeline.lower_bound == least(all_pipelines(network, table))
    everything = tuple(range(layers))
    alone = [evaluate(network, table, [(everything, unit)]) for unit in table.unit_names]
    single = plan_throughput(network, table, method="single", max_latency_ns=limit_ns)
    assert (
        single.value
        == single.lower_bound
        == least([lane for lane in alone if lane.latency_ns is not None])
    )
    for plan in (pipeline, single):
        assert plan.status is (Status.INFEASIBLE if plan.value is None else Status.OPTIMAL)


@settings(max_examples=50, deadline=None)
@given(randoms, st.integers(1, 6))
def test_other_methods_are_mixes_of_fewer_lanes(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = shared_table(rng, network)
    bound = plan_throughput(network, table).lower_bound
    assert bound is not None
    switch = plan_throughput(network, table, method="switch")
    assert len(switch.lanes) == 1
    assert switch.value is not None
    assert bound <= switch.value == recomputed_ns(network, table, switch)
    pipeline = plan_throughput(network, table, method="pipeline")
    assert pipeline.value is None or switch.value <= pipeline.value
    single = plan_throughput(network, table, method="single")
    replicate = plan_throughput(network, table, method="replicate")
    if single.value is None:
        assert replicate.reason == single.reason
        return
    assert replicate.value is not None
    assert replicate.lower_bound is not None
    assert all(len(lane.segments) == 1 for lane in replicate.lanes)
    assert bound <= replicate.value <= single.value * 1.002 + 1
    everything = tuple(range(layers))
    alone = [evaluate(network, table, [(everything, unit)]) for unit in table.unit_names]
    least_ns = least_interval_ns([lane for lane in alone if lane.latency_ns is not None])
    assert least_ns * (1 - 2 * TOLERANCE) - 1 <= replicate.lower_bound <= least_ns * (1 + 1e-9)


def chain_and_table() -> tuple[Network, CostTable]:
    """in -> 0 -> x -> 1 -> out; the second unit has a memory of its own."""
    network = network_of([["in"], ["x"]], [["x"], ["out"]], outputs=["out"])
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=("layer0", "layer1"),
        units=(UnitCosts(fake_unit(0), 0), UnitCosts(fake_unit(1, memory="far"), 0)),
        layer_ns=((300, 600), (600, 300)),
        links=(
            Link("host", "far", 0, float("inf"), Provenance.ASSUMED),
            Link("far", "host", 0, float("inf"), Provenance.ASSUMED),
        ),
    )
    return network, table


def test_each_unit_runs_what_it_is_good_at() -> None:
    network, table = chain_and_table()
    plan = plan_throughput(network, table)
    assert [lane.segments for lane in plan.lanes] == [
        (((0,), table.unit_names[0]), ((1,), table.unit_names[1]))
    ]
    assert (plan.value, plan.lower_bound, plan.status) == (300, 300, Status.OPTIMAL)
    alone = plan_throughput(network, table, method="single")
    assert (alone.value, alone.lanes[0].segments) == (900, (((0, 1), table.unit_names[0]),))
    replicated = plan_throughput(network, table, method="replicate")
    assert (replicated.value, [lane.share for lane in replicated.lanes]) == (450, [1, 1])


def test_shares_stay_small_where_lanes_differ_a_little() -> None:
    network, table = chain_and_table()
    nearly = replace(table, layer_ns=((3_000, 6_000), (6_000, 3_003)))
    plan = plan_throughput(network, nearly, method="replicate")
    assert [lane.share for lane in plan.lanes] == [1, 1]


def test_a_network_that_costs_nothing() -> None:
    network, table = chain_and_table()
    free = replace(table, layer_ns=((0, 0), (0, 0)))
    for method in ("auto", "single", "replicate", "pipeline", "switch"):
        plan = plan_throughput(network, free, method=method)
        assert (plan.value, plan.lower_bound, plan.status) == (0, 0, Status.OPTIMAL)


def test_many_states_are_cut_and_the_answer_says_so() -> None:
    network, table = chain_and_table()
    cut = best_pipeline(network, table, [[0, 1], [0, 1]], max_states=1)
    assert cut.labels is not None
    assert not cut.exact


def test_reasons_why_there_is_no_plan() -> None:
    network, table = chain_and_table()
    one, other = table.unit_names
    picky = replace(table, layer_ns=((300, None), (None, 300)))
    assert plan_throughput(network, picky, method="single").reason == (
        f"no unit runs all of random: {one} cannot run layer 'layer1': its time is not known; "
        f"{other} cannot run layer 'layer0': its time is not known"
    )
    assert plan_throughput(network, table, method="replicate", fixed={0: one, 1: other}).reason == (
        f"no unit runs all of random: {one} may not run layer 'layer1'; "
        f"{other} may not run layer 'layer0'"
    )
    three = network_of([["in"], ["x"], ["y"]], [["x"], ["y"], ["out"]], outputs=["out"])
    table = replace(
        table,
        network_hash=three.content_hash,
        layer_names=("layer0", "layer1", "layer2"),
        layer_ns=((3, None), (None, 3), (3, None)),
    )
    assert plan_throughput(three, table, method="pipeline").reason == (
        "no pipeline of random with one segment for each unit is possible"
    )
    assert plan_throughput(three, table, method="switch").value == 6


def test_refuses_what_it_does_not_know() -> None:
    network, table = chain_and_table()
    with pytest.raises(UserInputError, match="unknown method 'best' for throughput; known are: au"):
        plan_throughput(network, table, method="best")
    with pytest.raises(UserInputError, match="unknown compute unit 'x'"):
        plan_throughput(network, table, units=["x"])
    with pytest.raises(UserInputError, match="another network"):
        plan_throughput(network, replace(table, network_hash="other"))


def test_a_labelling_that_the_evaluator_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, table = chain_and_table()

    def twice(network: Network, table: CostTable, segments: tuple[Segment, ...]) -> Evaluation:
        true = evaluate(network, table, segments)
        return replace(true, busy_ns={name: 2 * time for name, time in true.busy_ns.items()})

    monkeypatch.setattr(lane_pricing, "evaluate", twice)
    with pytest.raises(InternalError, match="but its lane costs"):
        plan_throughput(network, table)


@pytest.mark.parametrize("units", [A311D_TWO, A311D_THREE], ids=["2 units", "3 units"])
def test_beats_the_best_pipelines_on_a_board(units: tuple[str, ...]) -> None:
    gains = []
    for name in A311D_NETWORKS:
        network, table = a311d_costs(name, units)
        plan = plan_throughput(network, table)
        pipeline = plan_throughput(network, table, method="pipeline")
        assert plan.value is not None
        assert plan.gap is not None
        assert plan.gap < 0.003
        assert pipeline.value is not None
        assert pipeline.status is Status.OPTIMAL
        gains.append(pipeline.value / plan.value)
    assert sum(gains) / len(gains) >= 1.03


@pytest.mark.parametrize("name", A311D_NETWORKS)
def test_no_order_that_was_measured_on_a_board_is_quicker(name: str) -> None:
    network, table = a311d_costs(name)
    plan = plan_latency(network, table)
    assert plan.value is not None
    for order in a311d_measured_orders(name):
        latency_ns = evaluate(network, table, order).latency_ns
        assert latency_ns is not None
        assert plan.value <= latency_ns
