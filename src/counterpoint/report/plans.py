"""A plan: which unit runs what, what it should take, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType

from counterpoint.costs.objective import Objective
from counterpoint.network.graph import Network
from counterpoint.planning.result import PlanResult
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.quantities import amount, count, duration, energy, percent
from counterpoint.report.tables import add_row, facts, table
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Plan

OBJECTIVE_TITLE: Mapping[Objective, str] = {
    Objective.LATENCY: "latency",
    Objective.THROUGHPUT: "interval",
    Objective.ENERGY: "energy",
    Objective.ENERGY_DELAY: "energy x delay",
}
"""What an objective's value is."""


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
        "frames_in_flight": plan.frames_in_flight,
        "batch": plan.batch,
        "splits": [
            {"layers": list(wanted.layers), "axis": wanted.axis, "parts": list(wanted.parts)}
            for wanted in plan.splits
        ],
        "predicted_latency_ns": prediction.latency_ns,
        "predicted_interval_ns": prediction.interval_ns,
        "predicted_energy_pj": prediction.energy_pj,
        "lower_bound": prediction.lower_bound,
    }


def planned_body(planned: PlanResult) -> dict[str, JSON]:
    """How the planner came to it."""
    return {
        "planner": planned.planner,
        "value": planned.value,
        "value_unit": planned.objective.unit,
        "status": str(planned.status),
        "gap": planned.gap,
        "planning_ns": planned.time_spent_ns,
    }


def plan_tables(network: Network, plan: Plan, planned: PlanResult) -> list[RenderableType]:
    """For people."""
    return [
        *segment_tables(network, plan),
        "",
        facts(_promises(plan, planned)),
    ]


def _promises(plan: Plan, planned: PlanResult) -> list[tuple[str, object]]:
    prediction = plan.prediction
    rows: list[tuple[str, object]] = [
        ("predicted latency", f"{duration(prediction.latency_ns)} a frame")
    ]
    if prediction.interval_ns:
        rate = count(1e9 / prediction.interval_ns)
        rows.append(
            (
                "throughput",
                f"{rate} frames/s, a frame each {duration(prediction.interval_ns)} "
                f"with {plan.frames_in_flight} in flight",
            )
        )
    if prediction.energy_pj is not None:
        rows.append(("energy above idle", f"{energy(prediction.energy_pj)} a frame"))
    title = f"{OBJECTIVE_TITLE[planned.objective]}, planned"
    rows.append((title, amount(planned.value, planned.objective)))
    return [*rows, ("bound", bound_sentence(planned))]


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
    timed = planned.objective in (Objective.LATENCY, Objective.THROUGHPUT)
    better = "is faster" if timed else "takes less"
    if planned.gap == 0:
        return f"no plan under these costs {better} (proven)"
    return (
        f"no plan under these costs {better} than {amount(planned.lower_bound, planned.objective)} "
        f"(gap {percent(planned.gap)})"
    )


def segment_ns(plan: Plan, lane: int, position: int) -> int | None:
    """Predicted time of one segment; ``None`` where the plan does not tell."""
    times = plan.prediction.segment_ns
    return None if times is None else times[lane][position]
