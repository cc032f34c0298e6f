"""Plans as contenders: what they are called, and what they put where."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.bench.matrix.entrants import Where
from counterpoint.bench.result import Contender, Method
from counterpoint.schedule.plan import Lane, Plan


def plan_contender(label: str, plan: Plan, where: Where) -> Contender:
    """The plan as a contender.

    Args:
        label: ``plan fp32``.
        plan: Which.
        where: Whose units it uses.
    """
    units = [where.platform.unit(name) for name in plan.units]
    precisions = {unit.precision for unit in units}
    return Contender(
        label,
        Method.PLAN,
        precisions.pop() if len(precisions) == 1 else "mixed",
        where.software(plan.units),
        placement(plan.lanes),
        where.platform.name,
    )


def failed_plan(label: str, platform: str) -> Contender:
    """A plan that could not be made, as a contender."""
    return Contender(label, Method.PLAN, label.rpartition(" ")[2], "", platform=platform)


def placement(lanes: Sequence[Lane]) -> str:
    """``openvino:CPU@fp32 (12 layers) > onnxruntime:CPU@fp32 (8)``, lanes between bars."""
    told = []
    for lane in lanes:
        steps = [f"{segment.unit} ({len(segment.layers)})" for segment in lane.segments]
        shown = " > ".join(steps) if len(steps) > 1 else lane.segments[0].unit
        told.append(shown if lane.share == 1 else f"{lane.share} x {shown}")
    return " | ".join(told)
