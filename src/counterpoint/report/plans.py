"""A plan: which unit runs what, what it should take, and how good that is."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.planning.result import PlanResult
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.quantities import duration, percent
from counterpoint.report.tables import add_row, table
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Plan


def plan_document(plan: Plan, planned: PlanResult, path: str | None) -> Document:
    """For programs.

    Args:
        plan: What was planned.
        planned: The planner's answer.
        path: Where the plan was written; ``None`` if nowhere.
    """
    return document("plan-report", {**plan_body(plan), **planned_body(planned), "file": path})


def plan_body(plan: Plan) -> dict[str, JSON]:
    """A plan's lanes and promises, as parts of a document."""
    prediction = plan.prediction
    return {
        "network": plan.network_name,
        "network_hash": plan.network_hash,
        "platform": plan.platform_name,
        "objective": plan.objective,
        "units": list(plan.units),
        "lanes": [
            {
                "share": lane.share,
                "segments": [
                    {
                        "layers": list(segment.layers),
                        "unit": segment.unit,
                        "predicted_ns": segment_ns(plan, index, position),
                    }
                    for position, segment in enumerate(lane.segments)
                ],
            }
            for index, lane in enumerate(plan.lanes)
        ],
        "predicted_latency_ns": prediction.latency_ns,
        "lower_bound_ns": prediction.lower_bound,
    }


def planned_body(planned: PlanResult) -> dict[str, JSON]:
    """How the planner came to it."""
    return {
        "planner": planned.planner,
        "status": str(planned.status),
        "gap": planned.gap,
        "planning_ns": planned.time_spent_ns,
    }


def plan_tables(network: Network, plan: Plan, planned: PlanResult) -> list[RenderableType]:
    """For people."""
    return [
        *segment_tables(network, plan),
        "",
        f"predicted {duration(plan.prediction.latency_ns)} a frame; {bound_sentence(planned)}",
    ]


def segment_tables(network: Network, plan: Plan) -> list[RenderableType]:
    """One table a lane."""
    made: list[RenderableType] = []
    for index, lane in enumerate(plan.lanes):
        title = f"{network.name}: plan for {plan.objective}"
        if len(plan.lanes) > 1:
            title += f", lane {index} ({lane.share} of {sum(other.share for other in plan.lanes)})"
        rows = table(title, ["#", "layers", "unit"], ["count", "predicted"])
        for position, segment in enumerate(lane.segments):
            add_row(
                rows,
                position,
                segment_name(network, segment),
                segment.unit,
                len(segment.layers),
                duration(segment_ns(plan, index, position)),
            )
        made.append(rows)
    return made


def bound_sentence(planned: PlanResult) -> str:
    """How far from the best a plan is, under its costs."""
    if planned.gap is None or planned.lower_bound is None:
        return "how much better another plan might be is not known"
    if planned.gap == 0:
        return "no plan under these costs is faster (proven)"
    return (
        f"no plan under these costs is faster than {duration(planned.lower_bound)} "
        f"(gap {percent(planned.gap)})"
    )


def segment_ns(plan: Plan, lane: int, position: int) -> int | None:
    """Predicted time of one segment; ``None`` where the plan does not tell."""
    times = plan.prediction.segment_ns
    return None if times is None else times[lane][position]
