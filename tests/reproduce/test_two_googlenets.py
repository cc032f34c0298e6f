from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.contention import Contention, SharedMemory
from counterpoint.reproduce.two_googlenets import (
    APART,
    GROUPS,
    LEAVING_MS,
    XAVIER,
    Step,
    all_orders,
    alone_ns,
    best_pair,
    group_bytes,
    group_ns,
    least_ns,
    steps_of,
    together_ns,
    two_googlenets,
)

_HALVING = Contention(
    peak_gb_per_s=100.0,
    minor_gb_per_s=0.0,
    intensive_gb_per_s=1.0,
    minor_loss=0.0,
    threshold_gb_per_s=0.0,
    balance_gb_per_s=10.0,
    loss_per_gb_per_s=0.025,
)
HALF = SharedMemory({"GPU": _HALVING, "DLA": _HALVING})
"""10 GB/s beside 10 others: half the speed."""

rows = st.lists(st.integers(1, 10**6), min_size=GROUPS, max_size=GROUPS).map(tuple)
steps = st.lists(
    st.builds(
        lambda unit, ns: Step(unit, ns, 10 * ns),
        st.sampled_from(("GPU", "DLA")),
        st.integers(1, 1000),
    ),
    min_size=1,
    max_size=5,
)


def test_the_sums_miss_the_wholes_as_published() -> None:
    gpu, dla = two_googlenets().figures[:2]
    assert gpu.error == pytest.approx(-0.122, abs=5e-4)
    assert dla.error == pytest.approx(0.050, abs=5e-4)
    scaled = group_ns()
    assert sum(scaled["GPU"]) == pytest.approx(1_959_000, abs=5)
    assert sum(scaled["DLA"]) == pytest.approx(3_656_000, abs=5)


def test_orders_are_all_of_at_most_two_changes() -> None:
    every = map("".join, product("GD", repeat=GROUPS))
    expected = {
        order for order in every if sum(one != other for one, other in pairwise(order)) <= 2
    }
    assert set(all_orders()) == expected


def test_a_change_is_paid_by_the_unit_that_is_left() -> None:
    times = group_ns()
    first, second = steps_of("G" * 4 + "D" * 6, times)
    assert (first.unit, second.unit) == ("GPU", "DLA")
    assert first.time_ns == sum(times["GPU"][:4]) + round(1e6 * LEAVING_MS["GPU"][3])
    assert second.time_ns == sum(times["DLA"][4:])


@settings(max_examples=200, deadline=None)
@given(steps, steps, st.sampled_from((APART, HALF)))
def test_two_networks_take_no_less_than_each_and_no_more_than_both(
    one: list[Step], other: list[Step], memory: SharedMemory
) -> None:
    took_ns = together_ns(one, other, memory)
    own_ns = [sum(step.time_ns for step in network) for network in (one, other)]
    unit_ns = [
        sum(step.time_ns for step in (*one, *other) if step.unit == unit) for unit in ("GPU", "DLA")
    ]
    slowest = 2.0 if memory is HALF else 1.0
    assert took_ns >= max(*own_ns, *unit_ns)
    assert took_ns <= slowest * sum(own_ns) + len(one) + len(other)  # ends are rounded up


def test_the_first_to_come_is_served_first() -> None:
    one = [Step("GPU", 10, 100), Step("DLA", 5, 50)]
    other = [Step("DLA", 12, 120), Step("GPU", 7, 70)]
    assert together_ns(one, other) == 19  # DLA until 12; then each takes the other's unit
    assert together_ns(one, other, HALF) == 34  # 20 until the GPU is done, 2 alone, 5 x 2, 2 alone
    assert together_ns([Step("GPU", 3, 30)], [Step("GPU", 4, 40)], HALF) == 7


def test_a_group_moves_what_its_layers_have_to() -> None:
    """The first group by hand: fp16, 224 x 224 x 3 in, 64 x 56 x 56 and 192 x 28 x 28 between."""
    read_or_written = (
        (3 * 224**2, 64 * 112**2),  # conv1
        (64 * 112**2, 64 * 56**2),  # pool1
        (64 * 56**2, 64 * 56**2),  # norm1
        (64 * 56**2, 64 * 56**2),  # conv2 reduce
        (64 * 56**2, 192 * 56**2),  # conv2
        (192 * 56**2, 192 * 56**2),  # norm2
        (192 * 56**2, 192 * 28**2),  # pool2
    )
    weights = 64 * (3 * 49 + 1) + 64 * (64 + 1) + 192 * (64 * 9 + 1)
    assert group_bytes()[0] == 2 * (sum(map(sum, read_or_written)) + weights)
    assert len(group_bytes()) == GROUPS


def test_steps_demand_their_groups_bytes() -> None:
    first, second = steps_of("G" * 4 + "D" * 6, group_ns())
    assert first.moved_bytes == sum(group_bytes()[:4])
    assert second.demand_gb_per_s == sum(group_bytes()[4:]) / second.time_ns
    assert Step("GPU", 0, 5).demand_gb_per_s == 0


@settings(max_examples=4, deadline=None)
@given(rows, rows, st.sampled_from((APART, XAVIER)))
def test_never_worse_than_without_a_change(
    gpu: tuple[int, ...], dla: tuple[int, ...], memory: SharedMemory
) -> None:
    times = {"GPU": gpu, "DLA": dla}
    best = best_pair(times, memory)
    assert best.makespan_ns <= min(alone_ns(times, memory).values())
    assert best.makespan_ns >= least_ns(times) - 2
    assert together_ns(*best.steps(times), memory=memory) == best.makespan_ns


def test_the_best_pair_is_the_best_of_all() -> None:
    """Pruned search against all pairs of ways with at most one change."""
    times = group_ns()
    best = best_pair(times, XAVIER)
    ways = {order: steps_of(order, times) for order in set(all_orders(1))}
    least = min(together_ns(one, other, XAVIER) for one in ways.values() for other in ways.values())
    assert best.makespan_ns <= least


def test_contention_makes_nothing_quicker() -> None:
    times = group_ns()
    apart, shared = alone_ns(times), alone_ns(times, XAVIER)
    assert shared["one on each"] > apart["one on each"]
    assert shared["both on the GPU, in turn"] == apart["both on the GPU, in turn"]
    assert best_pair(times, XAVIER).makespan_ns > best_pair(times).makespan_ns
    planned = [figure for figure in two_googlenets().figures if "planned" in figure.what]
    assert [figure.holds for figure in planned] == [True, True]
