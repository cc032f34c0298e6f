"""Plans for a platform of a file: at which clocks, and by whole recorded stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from counterpoint.costs.merged_stages import merged_network, merged_table
from counterpoint.costs.objective import Objective
from counterpoint.costs.platform_costs import cost_table
from counterpoint.costs.recorded import StageLayers, stage_layers
from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.choose import Question
from counterpoint.planning.pareto import ParetoFront, plan_pareto
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.platform.file_content import Clocks, PlatformFile

CLOCK_OBJECTIVES = (Objective.ENERGY, Objective.ENERGY_DELAY)
"""Where a slower clock may be better, the planner chooses it unless told not to."""


@dataclass(frozen=True, slots=True)
class PlatformPlan:
    """What was planned for a platform.

    Attributes:
        clocks: The step of each device that has several.
        table: Costs of the network at these clocks.
        planned: The planner's answer; its bound holds for all settings of the clocks that could
            have been chosen.
    """

    clocks: Clocks
    table: CostTable
    planned: PlanResult


def plan_for_platform(
    network: Network,
    platform: PlatformFile,
    question: Question,
    *,
    clocks: Clocks | None = None,
    choose_clocks: bool = False,
    units: Collection[str] | None = None,
    fixed: Fixed | None = None,
) -> PlatformPlan:
    """The best plan, for each device one clock step for the whole plan.

    Every setting of the clocks is planned for, but for those whose least thinkable value is no
    better than the best plan found. A recorded network is planned in whole stages.

    Args:
        network: What is run.
        platform: Where.
        question: What shall be best.
        clocks: Steps that are given.
        choose_clocks: The others are for the planner to choose; else they are the highest.
        units: Names of the units that may be used; ``None``: all.
        fixed: Units of some layers, by layer index.

    Raises:
        UserInputError: As :func:`cost_table` and :meth:`Question.answer`, or the mapping gives
            layers of one stage to different units.
    """
    recorded = platform.recorded(network.name)
    stages = None if recorded is None else stage_layers(platform, recorded, network)
    planned_as = network if stages is None else merged_network(network, stages)
    wanted = dict(clocks or {})
    settings = list(platform.clock_settings(wanted)) if choose_clocks else [platform.clocks(wanted)]
    best: PlatformPlan | None = None
    spent_ns = 0
    bounds: list[int | None] = []
    for setting in settings:
        whole = cost_table(platform, network, setting, units=units)
        table = whole if stages is None else merged_table(whole, planned_as, stages)
        least = _least_value(table, question)
        if best is not None and _is_in_vain(least, best.planned):
            continue
        answer = question.answer(planned_as, table, fixed=_fixed_stages(fixed, stages, table))
        spent_ns += answer.time_spent_ns
        if answer.value is not None:
            bounds.append(answer.lower_bound)
        if best is None or _better(answer, best.planned):
            best = PlatformPlan(setting, whole, _in_layers(answer, stages))
    if best is None:
        raise InternalError(f"{platform.name} has no setting of clocks")
    return replace(best, planned=_bounded(best, bounds, spent_ns))


def front_for_platform(
    network: Network,
    platform: PlatformFile,
    *,
    clocks: Clocks | None = None,
    units: Collection[str] | None = None,
    fixed: Fixed | None = None,
) -> tuple[CostTable, ParetoFront]:
    """Costs, and the plans of which none is better in everything, at one setting of the clocks.

    A recorded network is planned in whole stages.

    Args:
        network: What is run.
        platform: Where.
        clocks: Steps of devices; the highest where it says nothing.
        units: Names of the units that may be used; ``None``: all.
        fixed: Units of some layers, by layer index.

    Raises:
        UserInputError: As for :func:`plan_for_platform`, or the platform tells no energy.
    """
    recorded = platform.recorded(network.name)
    stages = None if recorded is None else stage_layers(platform, recorded, network)
    planned_as = network if stages is None else merged_network(network, stages)
    whole = cost_table(platform, network, clocks, units=units)
    table = whole if stages is None else merged_table(whole, planned_as, stages)
    front = plan_pareto(planned_as, table, fixed=_fixed_stages(fixed, stages, table))
    points = tuple(replace(point, lanes=_lanes(point.lanes, stages)) for point in front.points)
    return whole, replace(front, points=points)


def _is_in_vain(least: int | None, best: PlanResult) -> bool:
    """Nothing better than the best plan can come of a setting with that least value."""
    return least is None or (best.value is not None and least >= best.value)


def _better(answer: PlanResult, than: PlanResult) -> bool:
    if answer.value is None:
        return False
    return than.value is None or answer.value < than.value


def _least_value(table: CostTable, question: Question) -> int | None:
    """No plan with this table has a smaller value; ``None``: there is no plan within the limit."""
    least_ns = _sum_of_least(table.layer_ns)
    if least_ns is None:
        return None
    limit = question.max_latency_ns
    if limit is not None and question.objective is Objective.ENERGY and least_ns > limit:
        return None
    if question.objective is Objective.THROUGHPUT or table.layer_energy_pj is None:
        return 0
    least_pj = _sum_of_least(table.layer_energy_pj, unknown=0) or 0
    least_pj += (table.idle_power_mw or 0) * least_ns
    return {
        Objective.LATENCY: 0,  # parallel branches may take less than the sum
        Objective.ENERGY: least_pj,
        Objective.ENERGY_DELAY: least_pj * least_ns,
    }[question.objective]


def _sum_of_least(rows: Sequence[Sequence[int | None]], unknown: int | None = None) -> int | None:
    total = 0
    for row in rows:
        known = [unknown if cell is None else cell for cell in row]
        able = [cell for cell in known if cell is not None]
        if not able:
            return None
        total += min(able)
    return total


def _fixed_stages(
    fixed: Fixed | None, stages: StageLayers | None, table: CostTable
) -> dict[int, tuple[str, ...]] | None:
    """The mapping in the table's rows and units; a stage is given what all its layers allow."""
    if fixed is None:
        return None
    stage_of = {layer: layer for layer in fixed}
    if stages is not None:
        stage_of = {layer: index for index, layers in enumerate(stages) for layer in layers}
    found: dict[int, tuple[str, ...]] = {}
    for layer, names in fixed.items():
        several = (names,) if isinstance(names, str) else names
        row = stage_of[layer]
        allowed = found.get(row, table.unit_names)
        found[row] = tuple(
            unit for unit in allowed if unit in several or _without_clocks(unit) in several
        )
        if not found[row]:
            raise UserInputError(
                f"the mapping leaves no unit for {table.layer_names[row]!r}: layers of one "
                "recorded stage run together, at one setting of the clocks"
            )
    return found


def _without_clocks(unit: str) -> str:
    """The unit's name as the platform file has it."""
    base, _, settings = unit.rstrip("]").partition("[")
    kept = [
        pair
        for pair in settings.split(",")
        if pair and pair.partition("=")[0] not in ("clock", "host_clock")
    ]
    return f"{base}[{','.join(kept)}]" if kept else base


def _in_layers(answer: PlanResult, stages: StageLayers | None) -> PlanResult:
    """The answer in layers of the network in place of stages."""
    return replace(answer, lanes=_lanes(answer.lanes, stages))


def _lanes(lanes: tuple[PlannedLane, ...], stages: StageLayers | None) -> tuple[PlannedLane, ...]:
    if stages is None:
        return lanes
    return tuple(PlannedLane(tuple(_segments(lane, stages)), lane.share) for lane in lanes)


def _segments(lane: PlannedLane, stages: StageLayers) -> Iterator[tuple[tuple[int, ...], str]]:
    for members, unit in lane.segments:
        yield tuple(sorted(layer for stage in members for layer in stages[stage])), unit


def _bounded(best: PlatformPlan, bounds: list[int | None], spent_ns: int) -> PlanResult:
    """The answer with what all settings prove together."""
    planned = best.planned
    settings = dict(planned.settings)
    if best.clocks:
        settings["clocks"] = clocks_text(best.clocks)
    if planned.value is None:
        return replace(planned, settings=settings, time_spent_ns=spent_ns)
    known = [bound for bound in bounds if bound is not None]
    bound = min(known) if known and len(known) == len(bounds) else None
    return replace(
        planned,
        lower_bound=bound,
        status=Status.OPTIMAL if bound == planned.value else Status.FEASIBLE,
        settings=settings,
        time_spent_ns=spent_ns,
    )


def clocks_text(clocks: Mapping[str, int]) -> str:
    """``CPU.0=7,GPU=4``, as ``--clock`` takes it."""
    return ",".join(f"{name}={step}" for name, step in clocks.items())
