"""What every planner answers: the plan's lane, how good it is, and how good any could be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from counterpoint.costs.objective import Objective
from counterpoint.errors import InternalError

Segment = tuple[tuple[int, ...], str]
"""Layer indices, ascending, and the name of the unit that runs them in one call."""

Setting = str | int | float | bool | tuple[str, ...] | None


class Status(StrEnum):
    """How far the search got."""

    OPTIMAL = "optimal"
    """Nothing better exists under these costs."""
    FEASIBLE = "feasible"
    """A plan that can run; better ones may exist."""
    INFEASIBLE = "infeasible"
    """No plan exists; the result says what stands in the way."""


@dataclass(frozen=True, slots=True)
class PlannedLane:
    """One way through the network.

    Attributes:
        segments: In run order.
        share: Frames that take this lane out of the sum of all lanes' shares; at least 1.
    """

    segments: tuple[Segment, ...]
    share: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """A planner's answer.

    Attributes:
        planner: Who planned.
        status: How far the search got.
        lanes: Empty when infeasible.
        objective: What was made least.
        value: Its predicted value, in the objective's unit; ``None`` when infeasible.
        lower_bound: No plan under the same costs and limits is better than that; ``None`` when
            the planner proves nothing.
        reason: What stands in the way, one line; ``None`` unless infeasible.
        settings: Whatever else decided the answer.
        seed: Of the planner's random choices; ``None`` when it makes none.
        time_spent_ns: By the planner.
    """

    planner: str
    status: Status
    lanes: tuple[PlannedLane, ...] = ()
    objective: Objective = Objective.LATENCY
    value: int | None = None
    lower_bound: int | None = None
    reason: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    seed: int | None = None
    time_spent_ns: int = 0

    def __post_init__(self) -> None:
        infeasible = self.status is Status.INFEASIBLE
        if infeasible != (self.reason is not None) or infeasible != (self.value is None):
            raise InternalError(f"{self.planner}: a plan has a value, an infeasible one a reason")
        if infeasible and self.lanes:
            raise InternalError(f"{self.planner}: an infeasible result has no lanes")
        if self.value is None:
            return
        bound = self.lower_bound
        if bound is not None and bound > self.value:
            raise InternalError(f"{self.planner}: the bound {bound} lies above the plan's value")
        if self.status is Status.OPTIMAL and bound != self.value:
            raise InternalError(f"{self.planner}: optimal, but the bound does not say so")

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Of the only lane; empty when infeasible."""
        if len(self.lanes) > 1:
            raise InternalError(f"{self.planner}: {len(self.lanes)} lanes, where one was expected")
        return self.lanes[0].segments if self.lanes else ()

    @property
    def gap(self) -> float | None:
        """By which part of its value the plan may at most be improved; ``None``: not known."""
        if self.value is None or self.lower_bound is None:
            return None
        if self.value == 0:
            return 0.0
        return (self.value - self.lower_bound) / self.value
