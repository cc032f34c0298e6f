"""What every planner answers: the plan's lane, how good it is, and how good any could be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """A planner's answer.

    Attributes:
        planner: Who planned.
        status: How far the search got.
        segments: The lane, in run order; empty when infeasible.
        objective: What was made least, unit included: ``latency_ns``.
        objective_ns: Its predicted value; ``None`` when infeasible.
        lower_bound_ns: No plan under the same costs and limits is better than that; ``None`` when
            the planner proves nothing.
        reason: What stands in the way, one line; ``None`` unless infeasible.
        settings: Whatever else decided the answer.
        seed: Of the planner's random choices; ``None`` when it makes none.
        time_spent_ns: By the planner.
    """

    planner: str
    status: Status
    segments: tuple[Segment, ...] = ()
    objective: str = "latency_ns"
    objective_ns: int | None = None
    lower_bound_ns: int | None = None
    reason: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    seed: int | None = None
    time_spent_ns: int = 0

    def __post_init__(self) -> None:
        infeasible = self.status is Status.INFEASIBLE
        if infeasible != (self.reason is not None) or infeasible != (self.objective_ns is None):
            raise InternalError(f"{self.planner}: a plan has a value, an infeasible one a reason")
        if infeasible and self.segments:
            raise InternalError(f"{self.planner}: an infeasible result has no segments")
        if self.objective_ns is None:
            return
        bound = self.lower_bound_ns
        if bound is not None and bound > self.objective_ns:
            raise InternalError(f"{self.planner}: the bound {bound} lies above the plan's value")
        if self.status is Status.OPTIMAL and bound != self.objective_ns:
            raise InternalError(f"{self.planner}: optimal, but the bound does not say so")

    @property
    def gap(self) -> float | None:
        """By which part of its value the plan may at most be improved; ``None``: not known."""
        if self.objective_ns is None or self.lower_bound_ns is None:
            return None
        if self.objective_ns == 0:
            return 0.0
        return (self.objective_ns - self.lower_bound_ns) / self.objective_ns
