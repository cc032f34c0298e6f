from __future__ import annotations

import pytest

from counterpoint.errors import InternalError
from counterpoint.planning.result import PlannedLane, PlanResult, Status

LANES = (PlannedLane((((0, 1), "unit"),)),)


def test_the_gap_is_a_part_of_the_value() -> None:
    plan = PlanResult(
        planner="test",
        status=Status.FEASIBLE,
        lanes=LANES,
        value=200,
        lower_bound=150,
    )
    assert plan.gap == 0.25


@pytest.mark.parametrize(("value", "bound", "gap"), [(0, 0, 0.0), (10, 10, 0.0), (10, None, None)])
def test_the_gap_of_what_is_best_or_not_known(
    value: int, bound: int | None, gap: float | None
) -> None:
    plan = PlanResult(
        planner="test",
        status=Status.FEASIBLE,
        lanes=LANES,
        value=value,
        lower_bound=bound,
    )
    assert plan.gap == gap


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Status.FEASIBLE, "lanes": LANES},
        {"status": Status.FEASIBLE, "lanes": LANES, "value": 1, "reason": "why"},
        {"status": Status.FEASIBLE, "lanes": LANES, "value": 1, "lower_bound": 2},
        {"status": Status.OPTIMAL, "lanes": LANES, "value": 2, "lower_bound": 1},
        {"status": Status.INFEASIBLE},
        {"status": Status.INFEASIBLE, "reason": "why", "value": 1},
        {"status": Status.INFEASIBLE, "reason": "why", "lanes": LANES},
    ],
)
def test_contradictions_are_our_own_bug(fields: dict[str, object]) -> None:
    with pytest.raises(InternalError):
        PlanResult(planner="test", **fields)  # type: ignore[arg-type]
