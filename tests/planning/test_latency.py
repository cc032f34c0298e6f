from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.latency import plan_latency, single_unit_plan
from counterpoint.planning.result import Status
from counterpoint.platform.model import Link, Provenance
from tests.random_networks import fake_unit, network_of, random_network, random_table

randoms = st.integers(0, 2**32 - 1).map(Random)


@settings(max_examples=150, deadline=None)
@given(randoms, st.integers(1, 5), st.integers(1, 3), st.sampled_from((0.0, 0.3)))
def test_no_lane_of_runs_in_order_is_better(
    rng: Random, layers: int, units: int, missing_link_chance: float
) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units, missing_link_chance=missing_link_chance)
    costs = []
    for labels in product(range(units), repeat=layers):
        runs = groupby(range(layers), key=labels.__getitem__)
        lane = [(list(members), table.unit_names[unit]) for unit, members in runs]
        costs.append(evaluate(network, table, lane).latency_ns)
    possible = [cost for cost in costs if cost is not None]
    plan = plan_latency(network, table)
    if not possible:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason
        return
    assert plan.status is Status.OPTIMAL
    assert plan.value == plan.lower_bound == min(possible)
    assert plan.gap == 0.0
    assert evaluate(network, table, plan.segments).latency_ns == plan.value


@settings(max_examples=100, deadline=None)
@given(randoms, st.integers(1, 12))
def test_keeps_to_the_units_and_pins(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=4, refusal_chance=0.0)
    units = rng.sample(table.unit_names, 2)
    fixed = {layer: rng.choice(table.unit_names) for layer in range(layers) if rng.random() < 0.3}
    plan = plan_latency(network, table, units=units, fixed=fixed)
    assert plan.value is not None
    unit_of = {layer: unit for members, unit in plan.segments for layer in members}
    assert sorted(unit_of) == list(range(layers))
    for layer, unit in unit_of.items():
        assert unit in ([fixed[layer]] if layer in fixed else units)
    assert all(one[1] != other[1] for one, other in pairwise(plan.segments))
    assert plan.settings["units"] == tuple(units)
    free = plan_latency(network, table)
    assert free.value is not None
    assert free.value <= plan.value


@settings(max_examples=50, deadline=None)
@given(randoms, st.integers(1, 8))
def test_one_unit_alone_is_a_lane_that_may_run(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=2, refusal_chance=0.1)
    for unit in table.unit_names:
        single = single_unit_plan(network, table, unit)
        planned = plan_latency(network, table, units=[unit])
        assert single.value == planned.value
        assert single.segments == planned.segments
        assert (single.status is Status.INFEASIBLE) == (planned.status is Status.INFEASIBLE)
        assert single.lower_bound is None


def chain_and_table() -> tuple[Network, CostTable]:
    """in -> 0 -> x -> 1 -> out; the second unit has a memory of its own."""
    network = network_of([["in"], ["x"]], [["x"], ["out"]], outputs=["out"])
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=("layer0", "layer1"),
        units=(UnitCosts(fake_unit(0), 5), UnitCosts(fake_unit(1, memory="far"), 5)),
        layer_ns=((1, 2), (3, 4)),
        links=(
            Link("host", "far", 7, 1e9, Provenance.ASSUMED),
            Link("far", "host", 7, 1e9, Provenance.ASSUMED),
        ),
    )
    return network, table


def test_says_which_layer_no_unit_runs_and_why() -> None:
    network, table = chain_and_table()
    table = replace(table, layer_ns=((1, 2), (None, None)), refusals={(1, 0): "no such operator"})
    plan = plan_latency(network, table)
    assert plan.reason == (
        "no unit can run layer 'layer1': fake:NPU.0@fp32: no such operator; "
        "fake:NPU.1@fp32: its time is not known"
    )
    assert (plan.segments, plan.value, plan.gap) == ((), None, None)
    alone = single_unit_plan(network, table, table.unit_names[0])
    assert alone.reason == "fake:NPU.0@fp32 cannot run layer 'layer1': no such operator"


def test_says_which_tensor_cannot_move() -> None:
    network, table = chain_and_table()
    there, back = table.links
    far = table.unit_names[1]
    no_way_there = plan_latency(network, replace(table, links=(back,)), fixed={1: far})
    assert no_way_there.reason == (
        "no unit can run layer 'layer1' and get tensor 'x': a link is missing"
    )
    no_way_back = plan_latency(network, replace(table, links=(there,)), fixed={1: far})
    assert (
        no_way_back.reason == "no unit can run layer 'layer1' and return 'out': a link is missing"
    )
    alone = single_unit_plan(network, replace(table, links=(there,)), far)
    assert alone.reason == f"nothing joins {far} to the caller: 'out' cannot move"


def test_refuses_what_the_costs_do_not_know() -> None:
    network, table = chain_and_table()
    with pytest.raises(UserInputError, match="unknown compute unit 'x'; the costs know: fake"):
        plan_latency(network, table, units=["x"])
    with pytest.raises(UserInputError, match="unknown compute unit"):
        single_unit_plan(network, table, "x")
    with pytest.raises(UserInputError, match="unknown layer 2; random has layers 0 to 1"):
        plan_latency(network, table, fixed={2: table.unit_names[0]})
    with pytest.raises(UserInputError, match="another network"):
        plan_latency(network, replace(table, network_hash="other"))


def test_no_allowed_unit_is_a_result() -> None:
    network, table = chain_and_table()
    plan = plan_latency(network, table, units=[])
    assert plan.reason == "no unit can run layer 'layer0': none is allowed"
