"""What units share while they run, as the bandwidth of a memory, is a resource of its own."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.planning.column_generation import TOLERANCE
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.pipeline import best_pipeline
from counterpoint.planning.throughput import plan_throughput
from tests.planning.throughput_oracle import (
    SCALE,
    all_lanes,
    all_pipelines,
    busiest_ns,
    least_interval_ns,
    shared_table,
)
from tests.random_networks import random_network

randoms = st.integers(0, 2**32 - 1).map(Random)


def with_memory(rng: Random, table: CostTable) -> CostTable:
    """Layers keep a memory busy for up to twice their own time: it is the bottleneck at times."""
    rows = tuple(
        tuple(0 if cell is None else rng.randint(0, 2 * cell + SCALE) for cell in row)
        for row in table.layer_ns
    )
    return replace(table, shared_ns={"bandwidth": rows})


@settings(max_examples=60, deadline=None)
@given(randoms, st.integers(1, 4))
def test_throughput_is_limited_by_it(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = with_memory(rng, shared_table(rng, network))
    lanes = all_lanes(network, table)
    for lane in lanes:
        assert "bandwidth" in lane.busy_ns
    plan = plan_throughput(network, table)
    assert plan.value is not None
    assert plan.lower_bound is not None
    least_ns = least_interval_ns(lanes)
    assert least_ns * (1 - 2 * TOLERANCE) - 1 <= plan.lower_bound <= least_ns * (1 + 1e-9)
    assert plan.lower_bound <= plan.value <= least_ns * 1.02 + 1


@settings(max_examples=60, deadline=None)
@given(randoms, st.integers(1, 5))
def test_the_best_pipeline_counts_it(rng: Random, layers: int) -> None:
    network = random_network(rng, layers=layers)
    table = with_memory(rng, shared_table(rng, network))
    allowed = [[c for c, cell in enumerate(row) if cell is not None] for row in table.layer_ns]
    found = best_pipeline(network, table, allowed)
    assert found.exact
    possible = all_pipelines(network, table)
    assert (found.labels is None) == (not possible)
    if found.labels is None:
        return
    lane = plan_throughput(network, table, method="pipeline")
    assert lane.value == min(busiest_ns(one) for one in possible)


def test_a_frame_alone_is_not_delayed_by_it() -> None:
    rng = Random(3)
    network = random_network(rng, layers=4)
    table = shared_table(rng, network)
    plain, shared = plan_latency(network, table), plan_latency(network, with_memory(rng, table))
    assert plain.value == shared.value
    assert plain.segments == shared.segments


def test_the_evaluator_adds_it_up() -> None:
    rng = Random(8)
    network = random_network(rng, layers=3)
    table = with_memory(rng, shared_table(rng, network))
    column = next(
        c for c in range(len(table.units)) if all(row[c] is not None for row in table.layer_ns)
    )
    lane = [((0, 1, 2), table.unit_names[column])]
    busy = evaluate(network, table, lane).busy_ns
    assert busy["bandwidth"] == sum(row[column] for row in table.shared_ns["bandwidth"])


def test_a_table_of_another_form_is_refused() -> None:
    rng = Random(1)
    table = shared_table(rng, random_network(rng, layers=2))
    with pytest.raises(InternalError, match="one use of each shared resource"):
        replace(table, shared_ns={"bandwidth": ((1,),)})
    rows = tuple(tuple(-1 for _ in row) for row in table.layer_ns)
    with pytest.raises(InternalError, match="negative use"):
        replace(table, shared_ns={"bandwidth": rows})
