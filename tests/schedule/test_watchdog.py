from __future__ import annotations

import pytest

from counterpoint.errors import UserInputError
from counterpoint.schedule.plan import Prediction
from counterpoint.schedule.watchdog import HangLimits, Watchdog
from tests.fake_engine import fake_network, fake_platform
from tests.schedule.random_plans import plan_for

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_limits_follow_the_prediction_and_have_a_floor() -> None:
    limits = HangLimits(factor=50, floor_ns=10 * S, unknown_ns=300 * S)
    assert limits.limit_ns(1) == 10 * S
    assert limits.limit_ns(S) == 50 * S
    assert limits.limit_ns(None) == 300 * S
    assert HangLimits(floor_ns=400 * S).limit_ns(None) == 400 * S


def test_each_segment_of_a_plan_has_a_limit() -> None:
    network = fake_network([["x"], ["t0"]])
    platform = fake_platform("a", "b")
    names = [unit.name for unit in platform.units]
    lanes: list[list[tuple[tuple[int, ...], str]]] = [
        [((0,), names[0]), ((1,), names[1])],
        [((0, 1), names[0])],
    ]
    plan = plan_for(network, platform, lanes)
    limits = HangLimits(factor=2, floor_ns=1, unknown_ns=7)
    assert limits.of_plan(plan) == ((7, 7), (7,))
    object.__setattr__(plan, "prediction", Prediction(0, ((10, 20), (0,))))
    assert limits.of_plan(plan) == ((20, 40), (1,))


@pytest.mark.parametrize("bad", [{"factor": 0}, {"floor_ns": 0}, {"unknown_ns": -1}])
def test_limits_are_above_nothing(bad: dict[str, int]) -> None:
    with pytest.raises(UserInputError, match="above 0"):
        HangLimits(**bad)


def test_a_run_is_overdue_after_its_own_limit() -> None:
    clock = Clock()
    watchdog = Watchdog(2, ((5, 10), (20,)), clock)
    watchdog.begin(0, frame=3, lane=0, segment=1)
    clock.now_ns = 4
    watchdog.begin(1, frame=4, lane=1, segment=0)
    clock.now_ns = 10
    assert watchdog.overdue() == []
    clock.now_ns = 11
    assert [(thread, run.frame) for thread, run in watchdog.overdue()] == [(0, 3)]
    watchdog.end(0)
    clock.now_ns = 24
    assert watchdog.overdue() == []
    clock.now_ns = 25
    assert [(thread, run.frame) for thread, run in watchdog.overdue()] == [(1, 4)]


def test_a_run_is_told_from_the_next_one_of_the_same_segment() -> None:
    watchdog = Watchdog(1, ((5,),), Clock())
    watchdog.begin(0, 0, 0, 0)
    first = watchdog.run_of(0)
    watchdog.begin(0, 0, 0, 0)
    assert watchdog.run_of(0) is not first


def test_it_looks_often_enough_for_the_least_limit() -> None:
    assert Watchdog(1, ((8_000_000, 10 * S),), Clock()).look_s == pytest.approx(0.001)
    assert Watchdog(1, ((100 * S,),), Clock()).look_s == 1.0
