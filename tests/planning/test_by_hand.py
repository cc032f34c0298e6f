from __future__ import annotations

from itertools import groupby, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import UserInputError
from counterpoint.planning.by_hand import plan_by_hand
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import Status
from tests.random_networks import random_network, random_table

randoms = st.integers(0, 2**32 - 1).map(Random)


@settings(max_examples=100, deadline=None)
@given(randoms, st.integers(1, 5))
def test_best_of_what_the_mapping_allows_beside_the_best_of_all(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=3, missing_link_chance=0.1)
    fixed = {
        layer: tuple(rng.sample(table.unit_names, rng.randint(1, 2)))
        for layer in range(layers)
        if rng.random() < 0.6
    }
    costs: dict[tuple[str, ...], int] = {}
    for names in product(table.unit_names, repeat=layers):
        runs = groupby(range(layers), key=names.__getitem__)
        latency_ns = evaluate(network, table, [(list(run), unit) for unit, run in runs]).latency_ns
        if latency_ns is not None:
            costs[names] = latency_ns
    allowed = [
        cost
        for names, cost in costs.items()
        if all(names[layer] in units for layer, units in fixed.items())
    ]
    by_hand = plan_by_hand(network, table, fixed)
    assert by_hand.best.value == min(costs.values(), default=None)
    assert by_hand.planned.value == min(allowed, default=None)
    if not allowed:
        assert by_hand.planned.reason
        assert by_hand.ratio is None
        assert by_hand.differences == ()
        return
    assert by_hand.planned.lower_bound == min(costs.values())
    proven = min(allowed) == min(costs.values())
    assert by_hand.planned.status is (Status.OPTIMAL if proven else Status.FEASIBLE)
    if by_hand.best.value:
        assert by_hand.ratio == min(allowed) / min(costs.values())


@settings(max_examples=50, deadline=None)
@given(randoms, st.integers(1, 12))
def test_a_full_mapping_is_taken_as_it_is(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=3, refusal_chance=0.0)
    names = [rng.choice(table.unit_names) for _ in range(layers)]
    by_hand = plan_by_hand(network, table, dict(enumerate(names)))
    runs = groupby(range(layers), key=names.__getitem__)
    segments = tuple((tuple(run), unit) for unit, run in runs)
    assert by_hand.planned.segments == segments
    assert by_hand.planned.value == evaluate(network, table, segments).latency_ns


@settings(max_examples=50, deadline=None)
@given(randoms, st.integers(1, 12))
def test_differences_lead_from_one_plan_to_the_other(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=3, refusal_chance=0.0)
    fixed = {layer: rng.choice(table.unit_names) for layer in range(0, layers, 2)}
    by_hand = plan_by_hand(network, table, fixed)
    unit_of = {layer: unit for run, unit in by_hand.planned.segments for layer in run}
    for difference in by_hand.differences:
        assert difference.unit != difference.best_unit
        assert {unit_of[layer] for layer in difference.layers} == {difference.unit}
        unit_of.update(dict.fromkeys(difference.layers, difference.best_unit))
        column = table.unit_names.index(difference.unit)
        assert difference.time_ns == sum(table.layer_ns[i][column] or 0 for i in difference.layers)
        column = table.unit_names.index(difference.best_unit)
        alone = sum(table.layer_ns[i][column] or 0 for i in difference.layers)
        assert difference.best_time_ns == alone
    best = {layer: unit for run, unit in by_hand.best.segments for layer in run}
    assert unit_of == best


def test_a_refused_layer_is_a_result_and_an_unknown_unit_an_error() -> None:
    rng = Random(1)
    network = random_network(rng, layers=2)
    table = random_table(rng, network, units=2, refusal_chance=1.0)
    unwilling = next(
        unit for unit, cell in zip(table.unit_names, table.layer_ns[1], strict=True) if cell is None
    )
    by_hand = plan_by_hand(network, table, {1: unwilling})
    assert by_hand.planned.reason == (
        f"no unit can run layer 'layer1': {unwilling}: operator of layer 1 is unknown"
    )
    assert by_hand.best.segments == plan_latency(network, table).segments
    with pytest.raises(UserInputError, match="unknown compute unit 'x'"):
        plan_by_hand(network, table, {0: "x"})
