from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning import block_search
from counterpoint.planning.blocks import blocks_of
from counterpoint.planning.branch_model import every_leader
from counterpoint.planning.branch_solver import Effort, solve_branches
from counterpoint.planning.branches import plan_branches
from counterpoint.planning.critical_path import critical_path_ns
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.lane_moves import improved, with_fewer_calls
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import PlanResult, Segment, Status
from tests.planning.random_lanes import random_lane
from tests.random_networks import fake_unit, network_of, random_network, random_table

randoms = st.integers(0, 2**32 - 1).map(Random)


def all_lanes(network: Network, table: CostTable) -> Iterator[tuple[Segment, ...]]:
    """Every order of convex segments that cover the network, on all units."""

    def continued(left: frozenset[int], lane: tuple[Segment, ...]) -> Iterator[tuple[Segment, ...]]:
        if not left:
            yield lane
        some = sorted(left)
        for layers in chain.from_iterable(combinations(some, k + 1) for k in range(len(some))):
            reads = {name for layer in layers for name in network.layers[layer].inputs}
            makers = {network.producer[name] for name in reads if name in network.producer}
            if makers & left - set(layers):
                continue
            for column, unit in enumerate(table.unit_names):
                if all(table.layer_ns[layer][column] is not None for layer in layers):
                    yield from continued(left - set(layers), (*lane, (layers, unit)))

    return continued(frozenset(range(len(network.layers))), ())


def check(plan: PlanResult, network: Network, table: CostTable) -> None:
    """What holds for every answer."""
    one_by_one = plan_latency(network, table)
    if one_by_one.value is None:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason == one_by_one.reason
        return
    assert plan.value == evaluate(network, table, plan.segments).makespan_ns
    assert plan.value is not None
    assert plan.value <= one_by_one.value
    assert plan.lower_bound is not None
    assert plan.lower_bound <= plan.value
    assert (plan.status is Status.OPTIMAL) == (plan.lower_bound == plan.value)


def check_against_all_lanes(plan: PlanResult, network: Network, table: CostTable) -> None:
    check(plan, network, table)
    makespans = [evaluate(network, table, lane).makespan_ns for lane in all_lanes(network, table)]
    possible = [makespan_ns for makespan_ns in makespans if makespan_ns is not None]
    assert bool(possible) == (plan.value is not None)
    if plan.value is None or plan.lower_bound is None:
        return
    assert plan.lower_bound <= min(possible) <= plan.value
    if plan.status is Status.OPTIMAL:
        assert plan.value == min(possible)


@settings(max_examples=40, deadline=None)
@given(
    randoms, st.sampled_from(((2, 3), (3, 3), (4, 2), (4, 3), (5, 1))), st.sampled_from((0.0, 0.2))
)
def test_no_lane_is_better(rng: Random, size: tuple[int, int], missing_link_chance: float) -> None:
    layers, units = size
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units, missing_link_chance=missing_link_chance)
    check_against_all_lanes(plan_branches(network, table), network, table)


@settings(max_examples=15, deadline=None)
@given(randoms)
def test_devices_and_links_may_be_shared(rng: Random) -> None:
    network = random_network(rng, layers=3)
    table = random_table(rng, network, units=3)
    first, second, third = table.units
    both = replace(second.unit, devices=(*second.unit.devices, *first.unit.devices))
    table = replace(
        table,
        units=(first, replace(second, unit=both), third),
        links=tuple(replace(link, occupies=("NPU.0",)) for link in table.links),
    )
    check_against_all_lanes(plan_branches(network, table), network, table)


def test_nearly_always_the_best_lane_and_proven() -> None:
    """No proof where only a device that waits on purpose would reach the bound."""
    proven = best = 0
    for seed in range(60):
        rng = Random(seed)
        network = random_network(rng, layers=4)
        table = random_table(rng, network, units=2, refusal_chance=0.0)
        plan = plan_branches(network, table)
        makespans = [
            evaluate(network, table, lane).makespan_ns for lane in all_lanes(network, table)
        ]
        best += plan.value == min(time_ns for time_ns in makespans if time_ns is not None)
        proven += plan.status is Status.OPTIMAL
    assert best >= 58
    assert proven >= 50


@settings(max_examples=15, deadline=None)
@given(randoms, st.integers(2, 4))
def test_bounds_hold_in_blocks_too_large_for_all_segments(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_search, "MAX_LAYERS", 1)
        check_against_all_lanes(plan_branches(network, table), network, table)


def modules(rng: Random, count: int) -> Network:
    """Modules of two branches, each between layers that everything passes through."""
    reads, makes = [["in"]], [["join0"]]
    for module in range(count):
        before = f"join{module}"
        ends = []
        for branch in range(2):
            name = before
            for step in range(rng.randint(1, 2) if branch else 1):
                reads.append([name])
                name = f"t{module}.{branch}.{step}"
                makes.append([name])
            ends.append(name)
        reads.append(ends)
        makes.append([f"join{module + 1}"])
    names = ["in", *(name for made in makes for name in made)]
    items = {name: rng.randint(1, 8) for name in names}
    return network_of(reads, makes, outputs=[f"join{count}"], items=items)


@settings(max_examples=15, deadline=None)
@given(randoms)
def test_blocks_lose_nothing(rng: Random) -> None:
    network = modules(rng, 2)
    table = random_table(rng, network, units=2, refusal_chance=0.0)
    assert len(blocks_of(network, table)) > 1
    plan = plan_branches(network, table)
    check(plan, network, table)
    assert plan.value is not None
    allowed = [[0, 1]] * len(network.layers)
    whole = solve_branches(
        network,
        table,
        allowed,
        every_leader(network, allowed),
        start=plan.segments,
        limit_ns=plan.value,
        effort=Effort(20.0, 20.0, 0, 1),
    )
    assert whole.finished
    assert plan.lower_bound is not None
    assert plan.lower_bound <= whole.lower_bound_ns <= plan.value
    if plan.status is Status.OPTIMAL:
        assert plan.value == whole.lower_bound_ns


@settings(max_examples=200, deadline=None)
@given(randoms, st.integers(1, 9))
def test_cuts_are_where_everything_passes_through_one_layer(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=1)
    blocks = blocks_of(network, table)
    last = layers - 1
    returned = {network.producer[spec.name] for spec in network.outputs}
    crossing = [
        (network.producer.get(name, -1), reader)
        for name, readers in network.consumers.items()
        for reader in readers
    ]
    for block in blocks:
        for cut, is_cut in (
            (block.first, block.opened),
            (block.first + len(block.network.layers) - 1, block.closed),
        ):
            if is_cut:
                assert cut < last
                assert all(maker == cut for maker, reader in crossing if maker <= cut < reader)
                assert not any(maker <= cut for maker in returned)
    covered = [
        block.first + layer.index
        for block in blocks
        for layer in block.network.layers[1 if block.opened else 0 :]
    ]
    assert covered == list(range(layers))


def test_the_blocks_of_two_modules() -> None:
    network = modules(Random(0), 2)
    blocks = blocks_of(network, random_table(Random(0), network, units=2))
    assert [(block.opened, block.closed, block.is_chain) for block in blocks] == [
        (False, True, False),
        (True, False, False),
    ]


@settings(max_examples=100, deadline=None)
@given(randoms, st.integers(1, 8), st.integers(1, 3))
def test_no_lane_is_quicker_than_the_critical_path(rng: Random, layers: int, units: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units)
    allowed = [
        [unit for unit, time_ns in enumerate(row) if time_ns is not None] for row in table.layer_ns
    ]
    makespan_ns = evaluate(network, table, random_lane(rng, network, table)).makespan_ns
    assert makespan_ns is not None
    assert critical_path_ns(network, table, allowed) <= makespan_ns


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 6))
def test_small_changes_do_no_harm(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=2)
    lane = random_lane(rng, network, table)
    before_ns = evaluate(network, table, lane).makespan_ns
    allowed = [
        [unit for unit, time_ns in enumerate(row) if time_ns is not None] for row in table.layer_ns
    ]
    fewer = with_fewer_calls(network, table, lane)
    assert len(fewer) <= len(lane)
    for other in (fewer, improved(network, table, lane, allowed, 0)):
        after_ns = evaluate(network, table, other).makespan_ns
        assert before_ns is not None
        assert after_ns is not None
        assert after_ns <= before_ns


@settings(max_examples=10, deadline=None)
@given(randoms)
def test_keeps_to_the_units_and_pins_and_repeats_itself(rng: Random) -> None:
    network = modules(rng, 2)
    table = random_table(rng, network, units=3, refusal_chance=0.0)
    units = rng.sample(table.unit_names, 2)
    layer = rng.randrange(len(network.layers))
    fixed = {layer: rng.choice(table.unit_names)}
    plan = plan_branches(network, table, units=units, fixed=fixed, seed=7)
    again = plan_branches(network, table, units=units, fixed=fixed, seed=7)
    for members, unit in plan.segments:
        for member in members:
            assert unit in ([fixed[member]] if member in fixed else units)
    assert (plan.segments, plan.value, plan.lower_bound) == (
        again.segments,
        again.value,
        again.lower_bound,
    )
    assert plan.settings["units"] == tuple(units)
    assert plan.seed == 7


def test_two_branches_on_two_units() -> None:
    network = network_of(
        [["in"], ["x"], ["x"], ["y", "z"]], [["x"], ["y"], ["z"], ["out"]], outputs=["out"]
    )
    table = two_equal_units(network)
    plan = plan_branches(network, table)
    assert (plan.value, plan.lower_bound, plan.status) == (3 * 10, 30, Status.OPTIMAL)
    assert plan_latency(network, table).value == 40
    unit_of = {layer: unit for layers, unit in plan.segments for layer in layers}
    assert unit_of[1] != unit_of[2]


def two_equal_units(network: Network) -> CostTable:
    names = tuple(layer.name for layer in network.layers)
    units = (UnitCosts(fake_unit(0), 0), UnitCosts(fake_unit(1), 0))
    return CostTable(network.content_hash, "test", names, units, ((10, 10),) * len(names))


def test_says_what_is_wrong() -> None:
    network = modules(Random(0), 1)
    table = random_table(Random(0), network, units=2)
    with pytest.raises(UserInputError, match="unknown compute unit 'x'"):
        plan_branches(network, table, units=["x"])
    with pytest.raises(UserInputError, match="workers 0 out of range"):
        plan_branches(network, table, workers=0)
    nowhere = plan_branches(network, table, units=[])
    assert nowhere.reason == "no unit can run layer 'layer0': none is allowed"


def test_with_little_time_there_is_a_lane_and_a_bound() -> None:
    network = modules(Random(0), 2)
    table = random_table(Random(0), network, units=2, refusal_chance=0.0)
    for time_limit_s in (0.0, 1e-6, 1e-4, 1e-3):
        check(plan_branches(network, table, time_limit_s=time_limit_s), network, table)
