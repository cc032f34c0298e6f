from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.reproduce.two_googlenets import (
    GROUPS,
    LEAVING_MS,
    Step,
    all_orders,
    alone_ns,
    best_pair,
    group_ns,
    least_ns,
    steps_of,
    together_ns,
    two_googlenets,
)

rows = st.lists(st.integers(1, 10**6), min_size=GROUPS, max_size=GROUPS).map(tuple)
steps = st.lists(
    st.builds(Step, st.sampled_from(("GPU", "DLA")), st.integers(1, 1000)), min_size=1, max_size=5
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
@given(steps, steps, st.sampled_from((1.0, 1.3, 2.0)))
def test_two_networks_take_no_less_than_each_and_no_more_than_both(
    one: list[Step], other: list[Step], slow_down: float
) -> None:
    took_ns = together_ns(one, other, slow_down)
    own_ns = [sum(step.time_ns for step in network) for network in (one, other)]
    unit_ns = [
        sum(step.time_ns for step in (*one, *other) if step.unit == unit) for unit in ("GPU", "DLA")
    ]
    assert took_ns >= max(*own_ns, *unit_ns) - 1
    assert took_ns <= slow_down * sum(own_ns) + 1


def test_the_first_to_come_is_served_first() -> None:
    one = [Step("GPU", 10), Step("DLA", 5)]
    other = [Step("DLA", 12), Step("GPU", 7)]
    assert together_ns(one, other) == 19  # DLA until 12; then each takes the other's unit
    assert together_ns(one, other, 2.0) == 34  # 20 until the GPU is done, 2 alone, 5 x 2, 2 alone
    assert together_ns([Step("GPU", 3)], [Step("GPU", 4)], 2.0) == 7


@settings(max_examples=4, deadline=None)
@given(rows, rows, st.sampled_from((1.0, 1.5, 3.0)))
def test_never_worse_than_without_a_change(
    gpu: tuple[int, ...], dla: tuple[int, ...], slow_down: float
) -> None:
    times = {"GPU": gpu, "DLA": dla}
    best = best_pair(times, slow_down)
    assert best.makespan_ns <= min(alone_ns(times, slow_down).values())
    assert best.makespan_ns >= least_ns(times) - 2
    first, second = (steps_of(order, times) for order in best.orders)
    assert together_ns(first, second, slow_down) == best.makespan_ns
