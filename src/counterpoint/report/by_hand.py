"""The hand-made plan beside the best one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.planning.by_hand import ByHand, Difference
from counterpoint.report.document import Document
from counterpoint.report.plans import (
    OBJECTIVE_TITLE,
    bound_sentence,
    plan_body,
    plan_document,
    planned_body,
    segment_tables,
)
from counterpoint.report.quantities import amount, duration, factor
from counterpoint.report.tables import add_row, table
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Plan, Segment


def by_hand_document(made: Plan, best: Plan, by_hand: ByHand, path: str | None) -> Document:
    """For programs: the report of the hand-made plan, and the best one inside.

    Args:
        made: The hand-made plan.
        best: The best plan without the mapping.
        by_hand: Of both, the planner's answers.
        path: Where the hand-made plan was written; ``None`` if nowhere.
    """
    return {
        **plan_document(made, by_hand.planned, path),
        "mapping": {
            str(layer): [units] if isinstance(units, str) else list(units)
            for layer, units in by_hand.fixed.items()
        },
        "best": {**plan_body(best), **planned_body(by_hand.best)},
        "ratio_to_best": by_hand.ratio,
        "differences": [
            {
                "layers": list(difference.layers),
                "unit": difference.unit,
                "best_unit": difference.best_unit,
                "layers_ns": difference.time_ns,
                "best_layers_ns": difference.best_time_ns,
            }
            for difference in by_hand.differences
        ],
    }


def by_hand_tables(network: Network, made: Plan, by_hand: ByHand) -> list[RenderableType]:
    """For people; arguments as :func:`by_hand_document`."""
    found = by_hand.differences
    return [
        *segment_tables(network, made),
        "",
        *([_difference_table(network, found), ""] if found else []),
        _verdict(by_hand),
        bound_sentence(by_hand.planned),
    ]


def _difference_table(network: Network, found: Sequence[Difference]) -> RenderableType:
    differing = sum(len(difference.layers) for difference in found)
    rows = table(
        f"{differing} of {len(network.layers)} layers run elsewhere in the best plan "
        "(times of the layers alone)",
        ["layers", "by hand", "best"],
        ["count", "by hand", "best"],
    )
    for difference in found:
        add_row(
            rows,
            segment_name(network, Segment(difference.layers, difference.unit)),
            difference.unit,
            difference.best_unit,
            len(difference.layers),
            duration(difference.time_ns),
            duration(difference.best_time_ns),
        )
    return rows


def _verdict(by_hand: ByHand) -> str:
    objective = by_hand.planned.objective
    told = (
        f"predicted {OBJECTIVE_TITLE[objective]} {amount(by_hand.planned.value, objective)} by hand"
    )
    if by_hand.planned.lanes == by_hand.best.lanes:
        return f"{told}: the mapping is what the planner would choose"
    told += f", {amount(by_hand.best.value, objective)} by the best plan without the mapping"
    return told if by_hand.ratio is None else f"{told}: {factor(by_hand.ratio)} as much"
