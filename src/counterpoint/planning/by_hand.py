"""What the user's own decisions cost: the best plan that they allow beside the best of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.choose import Question
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import PlanResult, Status


@dataclass(frozen=True, slots=True)
class Difference:
    """Consecutive layers that the two plans give to different units.

    Attributes:
        layers: Their indices.
        unit: Name of their unit by hand.
        best_unit: Name of their unit in the best plan.
        time_ns: Of the layers alone on ``unit``: no entry, no hand-over.
        best_time_ns: Likewise on ``best_unit``.
    """

    layers: tuple[int, ...]
    unit: str
    best_unit: str
    time_ns: int
    best_time_ns: int


@dataclass(frozen=True, slots=True)
class ByHand:
    """A plan under a mapping, and what it is measured against.

    Attributes:
        fixed: The mapping: units that layers may be given, by layer index.
        planned: The best plan that the mapping allows; where it decides every layer, the only one.
            Bound, status and gap are against all plans: the gap is what the mapping may cost.
        best: The best plan without the mapping.
        differences: Where the two differ, in run order; empty when one is infeasible, or has
            several lanes.
    """

    fixed: Fixed
    planned: PlanResult
    best: PlanResult
    differences: tuple[Difference, ...]

    @property
    def ratio(self) -> float | None:
        """How many times as long as the best plan the hand-made one takes.

        ``None`` when the mapping allows no plan, or when the best one takes no time at all.
        """
        if self.planned.value is None or not self.best.value:
            return None
        return self.planned.value / self.best.value


def plan_by_hand(
    network: Network, table: CostTable, fixed: Fixed, question: Question | None = None
) -> ByHand:
    """Plans under a mapping, and without it.

    Args:
        network: What is run.
        table: What it costs.
        fixed: Units that layers may be given, by layer index; the others may have any.
        question: What shall be best; ``None``: latency, one segment at a time.

    Raises:
        UserInputError: An unknown unit or layer, or the costs of another network.
    """
    asked = question or Question(method="switch")
    planned = asked.answer(network, table, fixed=fixed)
    best = asked.answer(network, table)
    if planned.value is not None:
        proven = best.lower_bound == planned.value
        planned = replace(
            planned,
            status=Status.OPTIMAL if proven else Status.FEASIBLE,
            lower_bound=best.lower_bound,
        )
    return ByHand(fixed, planned, best, _differences(table, planned, best))


def _differences(table: CostTable, planned: PlanResult, best: PlanResult) -> tuple[Difference, ...]:
    unit_of, best_of = _unit_of_layers(planned), _unit_of_layers(best)
    if not unit_of or not best_of:  # infeasible, or several lanes
        return ()
    runs = groupby(range(len(table.layer_ns)), key=lambda layer: (unit_of[layer], best_of[layer]))
    found = []
    for (unit, best_unit), members in runs:
        if unit != best_unit:
            layers = tuple(members)
            times = (_alone_ns(table, layers, name) for name in (unit, best_unit))
            found.append(Difference(layers, unit, best_unit, *times))
    return tuple(found)


def _unit_of_layers(planned: PlanResult) -> dict[int, str]:
    if len(planned.lanes) != 1:
        return {}
    return {layer: unit for layers, unit in planned.segments for layer in layers}


def _alone_ns(table: CostTable, layers: tuple[int, ...], unit: str) -> int:
    column = table.unit_names.index(unit)
    return sum(table.layer_ns[layer][column] or 0 for layer in layers)
