from __future__ import annotations

import pytest

from counterpoint.errors import UserInputError
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import PlanResult, Status
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Segment, check_plan
from counterpoint.tuning.planned import plan_of, plan_on_unit
from tests.fake_engine import FakeEngine, fake_platform
from tests.report.costed import A, B, chain, costs

PLATFORM = Platform("fake machine", "fake-fingerprint", (A.devices[0], B.devices[0]), (A, B))
ENGINES = {"a": FakeEngine(name="a"), "b": FakeEngine(name="b")}


def test_a_planners_answer_as_a_plan_that_fits() -> None:
    network = chain()
    table = costs(network)
    planned = plan_latency(network, table)
    plan = plan_of(network, PLATFORM, ENGINES, table, planned)
    check_plan(plan, network, PLATFORM)
    assert [segment.unit for segment in plan.lanes[0].segments] == [A.name, B.name, A.name]
    assert plan.engines == {"a": "1.0", "b": "1.0"}
    assert plan.prediction.latency_ns == planned.value
    assert plan.prediction.lower_bound == planned.lower_bound
    assert plan.prediction.segment_ns is not None
    assert sum(plan.prediction.segment_ns[0]) == planned.value


def test_no_plan_is_an_error_with_its_reason() -> None:
    network = chain()
    nothing = PlanResult(planner="p", status=Status.INFEASIBLE, reason="no unit runs layer0")
    with pytest.raises(UserInputError, match="no plan for fake: no unit runs layer0"):
        plan_of(network, PLATFORM, ENGINES, costs(network), nothing)


def test_everything_on_one_unit() -> None:
    network, platform = chain(), fake_platform("NPU.0")
    unit = platform.units[0].name
    plan = plan_on_unit(network, platform, {"fake": FakeEngine()}, unit)
    check_plan(plan, network, platform)
    assert plan.lanes[0].segments == (Segment((0, 1, 2, 3), unit),)


def test_a_unit_that_is_not_here_or_refuses_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    network, platform = chain(), fake_platform("NPU.0")
    with pytest.raises(UserInputError, match="unknown compute unit 'x'"):
        plan_on_unit(network, platform, {"fake": FakeEngine()}, "x")
    engine = FakeEngine()
    monkeypatch.setattr(engine, "unsupported_reason", lambda layer, unit: "too large")
    with pytest.raises(UserInputError, match="cannot run layer 'layer0': too large"):
        plan_on_unit(network, platform, {"fake": engine}, platform.units[0].name)
