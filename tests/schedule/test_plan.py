from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.errors import PlanFileError
from counterpoint.schedule.plan import (
    MAX_FRAMES_IN_FLIGHT,
    Lane,
    Measurement,
    Plan,
    Prediction,
    Segment,
    check_plan,
)
from tests.fake_engine import fake_network, fake_platform
from tests.schedule.random_plans import networks, plan_for, plans

DIAMOND = fake_network([["x"], ["t0"], ["t0"], ["t1", "t2"]])
PLATFORM = fake_platform("a", "b")
A, B = "fake:a@fp32", "fake:b@fp32"
GOOD = plan_for(DIAMOND, PLATFORM, [[((0, 1), A), ((2,), B), ((3,), A)], [(range(4), B)]])


def with_lane(*segments: tuple[tuple[int, ...], str]) -> Plan:
    return plan_for(DIAMOND, PLATFORM, [segments])


def test_good_plan_passes() -> None:
    check_plan(GOOD, DIAMOND, PLATFORM)
    assert GOOD.units == (A, B)


@given(data=st.data())
def test_random_good_plans_pass(data: st.DataObject) -> None:
    network = data.draw(networks())
    check_plan(data.draw(plans(network, PLATFORM)), network, PLATFORM)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (with_lane(((0, 1, 2), A)), "lane 0 of the plan: layer 3 ('layer3') is missing"),
        (with_lane(((0, 1, 2, 3, 1), A)), "layer 1 ('layer1') runs twice"),
        (with_lane(((0, 1, 2), A), ((2, 3), B)), "layer 2 ('layer2') runs twice"),
        (with_lane(((0, 1, 2, 3, 4), A)), "there is no layer 4, only 0 to 3"),
        (with_lane(((-1, 0, 1, 2, 3), A)), "there is no layer -1, only 0 to 3"),
        (with_lane(((0, 3), A), ((1, 2), B)), "segment 0 is not convex"),
        (with_lane(((0,), A), ((3,), A), ((1, 2), B)), "segment 1 reads 't1' before segment 2"),
        (with_lane(((0, 1, 2, 3), "fake:c@fp32")), "'fake:c@fp32'; this machine has: fake:a@fp32"),
        (replace(GOOD, network_hash="other", network_name="alex"), "network 'alex'"),
        (replace(GOOD, network_hash="other", network_name="alex"), "this is 'fake'"),
        (replace(GOOD, platform_fingerprint="other"), "machine 'fake machine' ('other')"),
        (replace(GOOD, layer_names=("p", "q")), "into other layers"),
    ],
)
def test_names_the_fault(plan: Plan, message: str) -> None:
    with pytest.raises(PlanFileError, match=re.escape(message)) as caught:
        check_plan(plan, DIAMOND, PLATFORM)
    assert "\n" not in str(caught.value)


def test_two_segments_that_need_each_other() -> None:
    network = fake_network([["x"], ["x"], ["t0"], ["t1"]])
    plan = plan_for(network, PLATFORM, [[((0, 3), A), ((1, 2), B)]])
    with pytest.raises(PlanFileError, match="segment 0 reads 't1' before segment 1"):
        check_plan(plan, network, PLATFORM)


def test_another_machine_may_be_allowed() -> None:
    plan = replace(GOOD, platform_fingerprint="other")
    check_plan(plan, DIAMOND, PLATFORM, allow_other_machine=True)


def test_another_machine_must_have_the_units() -> None:
    plan = replace(GOOD, platform_fingerprint="other")
    with pytest.raises(PlanFileError, match="unknown compute unit"):
        check_plan(plan, DIAMOND, fake_platform("a"), allow_other_machine=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Segment((), A),
        lambda: Lane(()),
        lambda: Lane((Segment((0,), A),), 0),
        lambda: Lane((Segment((0,), A),), 2_000_000),
        lambda: Prediction(-1),
        lambda: Prediction(2**63),
        lambda: Prediction(1, ((1, -1),)),
        lambda: Prediction(1, None, -1),
        lambda: Measurement(5, 6, 7, 1),
        lambda: Measurement(6, 5, 7, 0),
        lambda: Measurement(0, -1, 7, 1),
        lambda: replace(GOOD, lanes=()),
        lambda: replace(GOOD, frames_in_flight=0),
        lambda: replace(GOOD, frames_in_flight=MAX_FRAMES_IN_FLIGHT + 1),
        lambda: replace(GOOD, prediction=Prediction(1, ((1, 1, 1),))),
        lambda: replace(GOOD, prediction=Prediction(1, ((1, 1, 1), (1, 1)))),
    ],
)
def test_values_are_checked_when_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()
