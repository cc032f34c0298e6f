"""Rows of platforms that are not here: planned by their own costs, run in virtual time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from counterpoint.bench.matrix.failed_rows import reason_of
from counterpoint.bench.matrix.plans import placement
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.result import Basis, Contender, Energy, Method, Metric, Row
from counterpoint.costs.objective import Objective
from counterpoint.errors import CounterpointError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.choose import Question
from counterpoint.platform.file_content import Clocks, PlatformFile
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import simulate
from counterpoint.tuning.in_flight import frames_in_flight
from counterpoint.tuning.planned import plan_of
from counterpoint.tuning.platform_precision import PrecisePlan, Wish, plan_with_precision

_PJ_PER_UJ = 1_000_000

_OBJECTIVES = {Metric.LATENCY: Objective.LATENCY, Metric.THROUGHPUT: Objective.THROUGHPUT}


def modelled_rows(
    name: str,
    network: Network,
    platform: PlatformFile,
    settings: BenchSettings,
    *,
    units: Collection[str],
    clocks: Clocks,
) -> Iterator[Row]:
    """A row for each unit alone and for the best plan, by each metric.

    Args:
        name: Of the network, as given.
        network: What is run.
        platform: Where.
        settings: Which metrics and methods; peers have not been modelled.
        units: Names of the units that may be used.
        clocks: Steps of devices; the highest where it says nothing.
    """
    alone = [entry for entry in platform.units if entry.name in units]
    for metric in settings.metrics:
        images = 1 if metric is Metric.LATENCY else settings.throughput_images
        if Method.UNIT in settings.methods:
            for entry in alone:
                contender = Contender(
                    entry.name, Method.UNIT, entry.precision, "", "", platform.name
                )
                row = Row(network=name, contender=contender, metric=metric, basis=Basis.MODELLED)
                wish = Wish(_question(row), clocks, units=(entry.name,))
                yield _filled(row, network, platform, wish, images)
        if Method.PLAN in settings.methods:
            contender = Contender("plan", Method.PLAN, "mixed", "", "", platform.name)
            row = Row(network=name, contender=contender, metric=metric, basis=Basis.MODELLED)
            wish = Wish(_question(row), clocks, units=units)
            yield _filled(row, network, platform, wish, images)


def _question(row: Row) -> Question:
    method = "single" if row.contender.method is Method.UNIT else "auto"
    return Question(objective=_OBJECTIVES[row.metric], method=method)


def _filled(row: Row, network: Network, platform: PlatformFile, wish: Wish, images: int) -> Row:
    """The row with what virtual time says of so many images."""
    contender = row.contender
    try:
        precise = plan_with_precision(network, platform, wish)
        found, plan = precise.found, _plan(precise, platform)
    except CounterpointError as error:
        return replace(row, failure=reason_of(error))
    predicted = predicted_graph(precise.network, plan, platform.platform)
    if predicted is None:
        return replace(row, failure=f"{platform.name} does not tell how long segments take")
    taken_ns = simulate(*predicted, images, record=False).makespan_ns
    used = {costs.unit.precision for costs in found.table.units if costs.unit.name in plan.units}
    return replace(
        row,
        contender=replace(
            contender,
            precision=used.pop() if len(used) == 1 else contender.precision,
            placement="" if contender.method is Method.UNIT else placement(plan.lanes),
        ),
        images_per_sample=images,
        samples_ns=(taken_ns,),
        rounds_ns=(taken_ns,),
        energy=_energy(plan),
        note="; ".join(["in virtual time", *precise.notes]),
    )


def _plan(precise: PrecisePlan, platform: PlatformFile) -> Plan:
    found = precise.found
    if found.planned.value is None:
        raise UserInputError(found.planned.reason or "there is no plan")
    plan = plan_of(precise.network, platform.platform, {}, found.table, found.planned)
    if found.planned.objective is Objective.THROUGHPUT:
        return frames_in_flight(precise.network, plan, platform.platform)
    return plan


def _energy(plan: Plan) -> Energy | None:
    energy_pj = plan.prediction.energy_pj
    if energy_pj is None:
        return None
    told = "modelled: the cost table's energies above idle, summed over the plan"
    return Energy(round(energy_pj / _PJ_PER_UJ), Basis.MODELLED, told)
