"""Why a plan is as it is: what each layer costs where it runs, and what it would cost elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import RenderableType

from counterpoint.costs.lifting import Lift
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.lifting import Gain, gains
from counterpoint.planning.result import PlanResult
from counterpoint.report.costs import cell_text, refusal_lines, whole_ns
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.lifting import gain_lines, gains_body
from counterpoint.report.plans import bound_sentence
from counterpoint.report.quantities import duration, factor, milliseconds, size
from counterpoint.report.tables import add_row, facts, table
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Plan, Segment


@dataclass(frozen=True, slots=True)
class Boundary:
    """The start of a segment.

    Attributes:
        segment: What starts.
        entry_ns: Fixed price of the call.
        moved_bytes: What it reads from elsewhere; ``None`` when a size is not known.
        move_ns: Reading that, transfers over links included; writing what others read elsewhere,
            and returning the network's outputs that it makes.
        layers_ns: Its layers.
    """

    segment: Segment
    entry_ns: int
    moved_bytes: int | None
    move_ns: int
    layers_ns: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan's first lane, priced by a cost table.

    Attributes:
        plan: What is explained.
        costs: What the layers cost.
        evaluation: The lane under these costs.
        boundaries: One for each segment; empty where the lane cannot run under these costs.
        planned: What the planner would do with these costs.
        single_ns: The whole network on each unit; ``None`` where that unit refuses a layer.
        gains: What lifting refusals would gain.
    """

    plan: Plan
    costs: CostTable
    evaluation: Evaluation
    boundaries: tuple[Boundary, ...]
    planned: PlanResult
    single_ns: dict[str, int | None]
    gains: tuple[Gain, ...] = ()


def explain(
    network: Network, costs: CostTable, plan: Plan, refused: Iterable[Lift] = ()
) -> Explanation:
    """Prices a plan and its alternatives.

    Args:
        network: What is planned.
        costs: Of its layers; the plan's units among the columns.
        plan: A plan of that network. Only its first lane is looked at.
        refused: Refusals to plan without, from :func:`counterpoint.costs.lifting.lifts`.
    """
    segments = plan.lanes[0].segments
    evaluation = evaluate(network, costs, [(s.layers, s.unit) for s in segments])
    boundaries = []
    for position, own_ns in enumerate(evaluation.segment_ns):
        segment = segments[position]
        total_ns = own_ns + sum(
            transfer.time_ns
            for transfer in evaluation.transfers
            if (transfer.origin if transfer.target is None else transfer.target) == position
        )
        column = costs.unit_names.index(segment.unit)
        entry_ns = costs.units[column].entry_ns
        layers_ns = sum(costs.layer_ns[layer][column] or 0 for layer in segment.layers)
        sizes = [spec.size_bytes for spec in network.subnetwork(segment.layers).inputs]
        moved = None if None in sizes else sum(value or 0 for value in sizes)
        boundaries.append(
            Boundary(segment, entry_ns, moved, total_ns - entry_ns - layers_ns, layers_ns)
        )
    return Explanation(
        plan,
        costs,
        evaluation,
        tuple(boundaries),
        plan_latency(network, costs),
        {unit: whole_ns(network, costs, unit) for unit in costs.unit_names},
        gains(network, costs, refused),
    )


def explanation_document(network: Network, explained: Explanation) -> Document:
    """For programs."""
    costs, plan = explained.costs, explained.plan
    unit_of = _unit_of(plan)
    layers: list[JSON] = []
    for layer in network.layers:
        cells: list[JSON] = [
            {
                "unit": unit,
                "time_ns": costs.layer_ns[layer.index][column],
                "refused_because": costs.refusals.get((layer.index, column)),
            }
            for column, unit in enumerate(costs.unit_names)
        ]
        layers.append(
            {"index": layer.index, "name": layer.name, "unit": unit_of[layer.index], "costs": cells}
        )
    return document(
        "explanation",
        {
            "network": plan.network_name,
            "lanes": len(plan.lanes),
            "layers": layers,
            "segments": [
                {
                    "unit": boundary.segment.unit,
                    "layers": list(boundary.segment.layers),
                    "entry_ns": boundary.entry_ns,
                    "moved_bytes": boundary.moved_bytes,
                    "move_ns": boundary.move_ns,
                    "layers_ns": boundary.layers_ns,
                }
                for boundary in explained.boundaries
            ],
            "latency_ns": explained.evaluation.latency_ns,
            "violations": list(explained.evaluation.violations),
            "promised": {
                "latency_ns": plan.prediction.latency_ns,
                "lower_bound_ns": plan.prediction.lower_bound,
                "measured_ns": plan.measured_latency.median_ns if plan.measured_latency else None,
            },
            "best_under_these_costs": {
                "latency_ns": explained.planned.value,
                "lower_bound_ns": explained.planned.lower_bound,
                "gap": explained.planned.gap,
                "status": str(explained.planned.status),
            },
            "single_units_ns": dict(explained.single_ns),
            "without_refusals": gains_body(explained.gains),
        },
    )


def explanation_tables(network: Network, explained: Explanation) -> list[RenderableType]:
    """For people."""
    costs, plan = explained.costs, explained.plan
    lines = refusal_lines(costs, range(len(costs.units)))
    note = [f"the plan has {len(plan.lanes)} lanes; this is the first"]
    return [
        *(note if len(plan.lanes) > 1 else []),
        _layers(network, explained),
        *(["- refused:", *(f"  {line}" for line in lines)] if lines else []),
        "",
        *(f"cannot run: {line}" for line in explained.evaluation.violations),
        *([_segments(network, explained), ""] if explained.boundaries else []),
        _units(explained),
        "",
        facts(_promises(explained)),
        *(["", *lifted] if (lifted := gain_lines(network, explained.gains)) else []),
    ]


def _layers(network: Network, explained: Explanation) -> RenderableType:
    costs = explained.costs
    unit_of = _unit_of(explained.plan)
    rows = table(
        f"{network.name}: cost of each layer in ms, * where it runs",
        ["#", "layer", "runs on"],
        [f"{unit}" for unit in costs.unit_names],
    )
    for layer in network.layers:
        cells = [
            cell_text(costs, layer.index, column) + (" *" if unit == unit_of[layer.index] else "  ")
            for column, unit in enumerate(costs.unit_names)
        ]
        add_row(rows, layer.index, layer.name, unit_of[layer.index], *cells)
    return rows


def _segments(network: Network, explained: Explanation) -> RenderableType:
    rows = table(
        "Segments, ms", ["#", "layers", "unit"], ["layers", "entry", "hand-over", "of", "sum"]
    )
    for position, boundary in enumerate(explained.boundaries):
        add_row(
            rows,
            position,
            segment_name(network, boundary.segment),
            boundary.segment.unit,
            milliseconds(boundary.layers_ns),
            milliseconds(boundary.entry_ns),
            milliseconds(boundary.move_ns),
            size(boundary.moved_bytes),
            milliseconds(boundary.layers_ns + boundary.entry_ns + boundary.move_ns),
        )
    return rows


def _units(explained: Explanation) -> RenderableType:
    own_ns = explained.evaluation.latency_ns
    rows = table("Everything on one unit", ["unit"], ["time", "to the plan"])
    for unit, time_ns in explained.single_ns.items():
        ratio = time_ns / own_ns if time_ns is not None and own_ns else None
        shown = duration(time_ns) if time_ns is not None else "cannot"
        add_row(rows, unit, shown, factor(ratio) if ratio is not None else "")
    return rows


def _promises(explained: Explanation) -> list[tuple[str, object]]:
    plan, planned = explained.plan, explained.planned
    rows: list[tuple[str, object]] = [
        ("this plan", f"{duration(explained.evaluation.latency_ns)} by these costs"),
        ("promised", duration(plan.prediction.latency_ns)),
    ]
    if plan.measured_latency is not None:
        rows.append(("measured", duration(plan.measured_latency.median_ns)))
    best = duration(planned.value)
    return [*rows, ("best", f"{best} by these costs; {bound_sentence(planned)}")]


def _unit_of(plan: Plan) -> dict[int, str]:
    return {layer: segment.unit for segment in plan.lanes[0].segments for layer in segment.layers}
