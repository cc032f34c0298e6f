from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.planning.evaluator import evaluate, interval_ns
from counterpoint.planning.problem import Weights, latency_problem, weighted_problem
from counterpoint.platform.model import Link, Provenance
from tests.planning.labelling_oracle import all_costs
from tests.random_networks import fake_unit, network_of, random_network, random_table

A, B = "fake:NPU.0@fp32", "fake:NPU.1@fp32"


@pytest.fixture
def network() -> Network:
    """in -> 0 -> x -> 1 -> y -> 3 -> out, and x -> 2 -> z -> 3; z is returned as well."""
    return network_of(
        [["in"], ["x"], ["x"], ["y", "z"]],
        [["x"], ["y"], ["z"], ["out"]],
        outputs=["out", "z"],
        items={"in": 1, "x": 2, "y": 3, "z": 4, "out": 5},
    )


@pytest.fixture
def table(network: Network) -> CostTable:
    """A computes in the host's memory, B in its own; a link moves 1 byte a nanosecond."""
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=tuple(layer.name for layer in network.layers),
        units=(
            UnitCosts(fake_unit(0), 1000, read=LinearCost(10, 0), write=LinearCost(20, 0)),
            UnitCosts(fake_unit(1, memory="far"), 2000, LinearCost(30, 0), LinearCost(40, 0)),
        ),
        layer_ns=((1, 100), (2, 200), (3, 300), (4, None)),
        refusals={(3, 1): "no Softmax"},
        links=(
            Link("host", "far", 0, 1e9, Provenance.ASSUMED),
            Link("far", "host", 0, 1e9, Provenance.ASSUMED),
        ),
    )


def test_charges_each_segment_with_what_it_reads_and_returns(
    network: Network, table: CostTable
) -> None:
    lane = [([0], A), ([1], B), ([2, 3], A)]
    evaluation = evaluate(network, table, lane)
    first = 1000 + 1 + 10 + 20  # reads in, writes x for B
    second = 2000 + 200 + 30 + 40  # reads x, writes y for A
    third = 1000 + 3 + 4 + 10 + 20 + 20  # reads y, returns z and out
    assert evaluation.segment_ns == (first, second, third)
    assert [(t.tensor, t.link, t.time_ns) for t in evaluation.transfers] == [
        ("x", "host->far", 8),
        ("y", "far->host", 12),
    ]
    assert evaluation.latency_ns == first + second + third + 8 + 12
    assert evaluation.busy_ns == {
        "NPU.0": first + third,
        "NPU.1": second,
        "host->far": 8,
        "far->host": 12,
    }
    assert evaluation.energy_pj is None
    assert evaluation.violations == ()


def test_the_busiest_resource_sets_the_pace(network: Network, table: CostTable) -> None:
    alone = evaluate(network, table, [([0, 1, 2, 3], A)])
    mixed = evaluate(network, table, [([0], A), ([1], B), ([2, 3], A)])
    busy_ns = 2 * alone.busy_ns["NPU.0"] + mixed.busy_ns["NPU.0"]
    assert busy_ns > mixed.busy_ns["NPU.1"]
    assert interval_ns([(alone, 2), (mixed, 1)]) == Fraction(busy_ns, 3)


def test_adds_up_energy(network: Network, table: CostTable) -> None:
    a, b = table.units
    table = replace(
        table,
        units=(replace(a, overhead_power_mw=3), b),
        layer_energy_pj=((5, 50), (6, 60), (7, 70), (8, None)),
    )
    evaluation = evaluate(network, table, [([0], A), ([1], B), ([2, 3], A)])
    assert evaluation.energy_pj == 5 + 60 + 7 + 8 + 3 * (1000 + 10 + 20) + 3 * (1000 + 10 + 40)


def test_hands_a_tensor_to_a_unit_once(network: Network, table: CostTable) -> None:
    apart = evaluate(network, table, [([0], A), ([1], B), ([2], B), ([3], A)])
    together = evaluate(network, table, [([0], A), ([1, 2], B), ([3], A)])
    assert apart.segment_ns[2] == 2000 + 300 + 40 + 40  # x is there already; z for A and caller
    assert apart.latency_ns is not None
    assert together.latency_ns is not None
    assert apart.latency_ns == together.latency_ns + 2000  # one more call


def test_order_within_the_lane_is_free_where_the_graph_lets_it(
    network: Network, table: CostTable
) -> None:
    evaluation = evaluate(network, table, [([0, 2], A), ([1], B), ([3], A)])
    assert evaluation.violations == ()


def test_counts_unknown_sizes_as_nothing(network: Network, table: CostTable) -> None:
    tensors = {**network.tensors, "x": TensorSpec("x", "float32", None)}
    evaluation = evaluate(
        replace(network, tensors=tensors), table, [([0], A), ([1], B), ([2, 3], A)]
    )
    assert evaluation.segment_ns[1] == 2000 + 200 + (30 + 40)


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        ([([0, 1, 2], A)], ["layer 'layer3' runs never"]),
        ([([0, 1, 2], A), ([2, 3], A)], ["layer 'layer2' runs 2 times"]),
        ([([0, 1, 2, 3, 9], A)], ["there is no layer 9"]),
        ([([0, 1, 2, 3, -1], A)], ["there is no layer -1"]),
        ([([0, 1, 2, 3], "fake:TPU@fp32")], ["unit 'fake:TPU@fp32' is not in the cost table"]),
        ([([0, 1, 2], A), ([3], B)], [f"{B} cannot run layer 'layer3': no Softmax"]),
        ([([0, 1, 2, 3], A), ([], B)], ["segment 1 is empty"]),
        (
            [([0, 3], A), ([1, 2], B)],
            [
                "segment 0 is not convex: a path leaves it and comes back",
                "segment 0 reads 'y', which segment 1 makes later",
                "segment 0 reads 'z', which segment 1 makes later",
            ],
        ),
        (
            [([1], B), ([0, 2, 3], A)],
            [
                "segment 0 reads 'x', which segment 1 makes later",
                "segment 1 is not convex: a path leaves it and comes back",
            ],
        ),
    ],
)
def test_lists_broken_rules(
    network: Network, table: CostTable, lane: list[tuple[list[int], str]], expected: list[str]
) -> None:
    evaluation = evaluate(network, table, lane)
    assert list(evaluation.violations) == expected
    assert evaluation.latency_ns is None
    assert evaluation.segment_ns == ()


def test_lists_moves_that_nothing_makes(network: Network, table: CostTable) -> None:
    cut = replace(table, links=())
    evaluation = evaluate(network, cut, [([0], A), ([1, 2], B), ([3], A)])
    assert evaluation.violations == (
        f"nothing joins {A} to {B}: 'x' cannot move",
        f"nothing joins {B} to the caller: 'z' cannot move",
        f"nothing joins {B} to {A}: 'y' cannot move",
        f"nothing joins {B} to {A}: 'z' cannot move",
    )
    assert evaluation.latency_ns is None


def test_refuses_the_costs_of_another_network(network: Network, table: CostTable) -> None:
    evaluation = evaluate(network, replace(table, network_hash="other"), [([0, 1, 2, 3], A)])
    assert evaluation.violations == ("the costs are those of another network",)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1).map(Random), st.integers(1, 12), st.integers(1, 4))
def test_agrees_with_the_definition_of_the_labelling_problem(
    rng: Random, layers: int, units: int
) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units, missing_link_chance=rng.choice((0.0, 0.2)))
    problem = latency_problem(network, table)
    for _ in range(20):
        labels = [rng.randrange(units) for _ in range(layers)]
        if rng.random() < 0.5:  # longer segments
            labels = sorted(labels)
        runs = groupby(range(layers), key=labels.__getitem__)
        lane = [(list(members), table.unit_names[unit]) for unit, members in runs]
        evaluation = evaluate(network, table, lane)
        expected = all_costs(problem, np.array([labels]))[0]
        assert evaluation.latency_ns == (None if np.isinf(expected) else round(expected))
        assert bool(evaluation.violations) == np.isinf(expected)
        parts = [*evaluation.segment_ns, *(t.time_ns for t in evaluation.transfers)]
        assert sum(parts) == (evaluation.latency_ns or 0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1).map(Random), st.integers(1, 12), st.integers(1, 4))
def test_agrees_with_the_labelling_problem_under_any_prices(
    rng: Random, layers: int, units: int
) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units)
    power_mw = [rng.randint(0, 5) for _ in range(units)]
    table = replace(
        table,
        units=tuple(
            replace(costs, overhead_power_mw=power)
            for costs, power in zip(table.units, power_mw, strict=True)
        ),
        layer_energy_pj=tuple(tuple(rng.randint(0, 99) for _ in row) for row in table.layer_ns),
    )
    weights = Weights(
        time=rng.choice((0.0, 1.0)),
        device={device.name: float(rng.randint(0, 3)) for device in table.devices},
        link={link.name: float(rng.randint(0, 3)) for link in table.links},
        energy=rng.choice((0.0, 2.0)),
    )
    problem = weighted_problem(network, table, weights)
    for _ in range(10):
        labels = sorted(rng.randrange(units) for _ in range(layers))
        runs = groupby(range(layers), key=labels.__getitem__)
        evaluation = evaluate(
            network, table, [(list(members), table.unit_names[unit]) for unit, members in runs]
        )
        expected = all_costs(problem, np.array([labels]))[0]
        assert bool(evaluation.violations) == np.isinf(expected)
        if evaluation.latency_ns is None or evaluation.energy_pj is None:
            continue
        prices = {**weights.device, **weights.link}
        paid = weights.time * evaluation.latency_ns + weights.energy * evaluation.energy_pj
        paid += sum(prices[name] * time_ns for name, time_ns in evaluation.busy_ns.items())
        assert paid == expected
