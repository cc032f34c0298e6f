"""The verb ``plan``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.cli.calibrating import CalibrationOptions
from counterpoint.cli.options import (
    Json,
    MachineOptions,
    MappingOptions,
    NetworkOptions,
    PlatformOptions,
    Precision,
    SharingOptions,
    StoreOptions,
)
from counterpoint.cli.output import check_writable, show
from counterpoint.costs.objective import Objective
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from counterpoint.api import Machine
    from counterpoint.costs.table import CostTable
    from counterpoint.engines.protocol import Tensor
    from counterpoint.network.graph import Network
    from counterpoint.planning.choose import Question
    from counterpoint.platform.file_content import PlatformFile
    from counterpoint.platform.model import Platform


def plan(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    on: PlatformOptions,
    store: StoreOptions,
    mapping: MappingOptions,
    objective: Annotated[
        Objective, Option("--objective", "-hint", "--hint", help="What is made best.")
    ] = Objective.LATENCY,
    sharing: SharingOptions,
    images: CalibrationOptions,
    precision: Precision = None,
    time_limit: Annotated[
        float,
        Option("--time-limit", min=0.1, metavar="S", help="For parallel branches: search so long."),
    ] = 10.0,
    solver_seed: Annotated[
        int, Option("--solver-seed", min=0, metavar="N", help="Of that search's random choices.")
    ] = 0,
    output: Annotated[
        Path | None, Option("-o", "--output", metavar="FILE", help="Write the plan here.")
    ] = None,
    json: Json = False,
) -> None:
    """Finds the best plan by the costs, unverified.

    Quick, but only a prediction; use tune for a plan that was measured and verified. With --map,
    plans what is left to decide, and says what the mapping costs against the best plan. With -p,
    what units get that compute in int8 only is quantised (see --calibration).

    --method tells how a network may be shared: single (one unit), switch (one segment after the
    other), branch (parallel branches at once), split (large layers in parts), and for throughput
    also replicate (one unit for each lane) and pipeline (one segment for each unit).

    Examples:
      counterpoint plan model.onnx -o model.plan.json
      counterpoint plan model.onnx --map 'conv1..pool2=openvino,rest=onnxruntime'
      counterpoint plan model.onnx --objective throughput --cpu-groups 1,1
      counterpoint plan recorded:alexnet -p khadas_vim3
    """
    from counterpoint.api import precisions_of
    from counterpoint.cli.costing import cost_table, with_frames_in_flight
    from counterpoint.cli.elsewhere import chosen_elsewhere
    from counterpoint.planning.by_hand import plan_by_hand
    from counterpoint.planning.choose import Question
    from counterpoint.planning.restriction import named_units
    from counterpoint.report.by_hand import by_hand_document, by_hand_tables
    from counterpoint.report.plans import plan_document, plan_tables
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.tune import chosen_units

    if output is not None:
        check_writable(output)
    splitting = sharing.method == "split" and objective is Objective.LATENCY
    if splitting and mapping.mapping is not None:
        raise UserInputError("--map and --method split exclude each other: parts have new names")
    question = Question(
        objective=objective,
        method="switch" if splitting else sharing.method,
        max_latency_ns=sharing.max_latency_ns,
        time_limit_s=time_limit,
        seed=solver_seed,
    )
    elsewhere = on.load()
    if elsewhere is not None:
        _plan_elsewhere(
            network.load(elsewhere),
            elsewhere,
            question,
            on=on,
            units=chosen_elsewhere(elsewhere, machine, store, precision),
            mapping=mapping,
            images=lambda subject: images.frames(subject, network.path),
            splitting=splitting,
            output=output,
            json=json,
        )
        return
    if images.calibration is not None or images.preprocess is not None:
        raise UserInputError("--calibration is for platforms: give one by -p, or use tune here")
    loaded, here = network.load(), machine.machine()
    question = _judged(question, here.platform)
    software = here.platform.named or mapping.mapping is not None
    units = chosen_units(loaded, here.platform.units, precisions_of(precision), software=software)
    fixed = mapping.fixed(loaded, [unit.name for unit in units])
    costs = cost_table(loaded, here, store, precision, named_units(fixed))
    if splitting:
        _plan_split(loaded, here, costs, question, output=output, json=json)
        return
    by_hand = None if fixed is None else plan_by_hand(loaded, costs, fixed, question)
    planned = question.answer(loaded, costs) if by_hand is None else by_hand.planned
    made = with_frames_in_flight(loaded, here, costs, planned, sharing.max_latency_ns)
    if output is not None:
        save_plan(made, output)
    written = None if output is None else str(output)
    told = [f"written to {written}"] if written else []
    if by_hand is None:
        show(
            json,
            lambda: plan_document(made, planned, written),
            lambda: [*plan_tables(loaded, made, planned), *told],
        )
        return
    best = with_frames_in_flight(loaded, here, costs, by_hand.best, sharing.max_latency_ns)
    show(
        json,
        lambda: by_hand_document(made, best, by_hand, written),
        lambda: [*by_hand_tables(loaded, made, by_hand), *told],
    )


def _judged(question: Question, platform: Platform) -> Question:
    """The question, with somebody who knows what plans reach under its latency limit."""
    from counterpoint.tuning.in_flight import judged_in_virtual_time

    limit_ns = question.max_latency_ns
    if limit_ns is None:
        return question
    return replace(question, judge=judged_in_virtual_time(platform, limit_ns))


def _plan_elsewhere(
    network: Network,
    platform: PlatformFile,
    question: Question,
    *,
    on: PlatformOptions,
    units: tuple[str, ...],
    mapping: MappingOptions,
    images: Callable[[Network], Sequence[Mapping[str, Tensor]] | None],
    splitting: bool,
    output: Path | None,
    json: bool,
) -> None:
    """Plans for a platform that is not here, by its own costs."""
    from counterpoint.api import Machine
    from counterpoint.cli.costing import with_frames_in_flight
    from counterpoint.cli.progress import shown_progress
    from counterpoint.costs.platform_costs import cost_table
    from counterpoint.report.plans import plan_document, plan_tables
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.platform_plan import CLOCK_OBJECTIVES
    from counterpoint.tuning.platform_precision import Wish, plan_with_precision, quantises

    there = Machine(platform.platform, {})
    question = _judged(question, there.platform)
    if splitting:
        costs = cost_table(platform, network, on.clocks, units=units)
        _plan_split(network, there, costs, question, output=output, json=json)
        return
    if on.any_clock and question.objective is Objective.THROUGHPUT:
        raise UserInputError("--clock any is not for throughput: give the steps, CPU.0=3,GPU=4")
    frames = None if quantises(network, platform) is None else images(network)
    with shown_progress() as progress:
        best = plan_with_precision(
            network,
            platform,
            Wish(
                question,
                clocks=on.clocks,
                choose_clocks=on.any_clock or question.objective in CLOCK_OBJECTIVES,
                units=units,
                fixed=lambda subject: mapping.fixed(subject, [u.name for u in platform.units]),
                frames=frames,
                progress=progress,
            ),
        )
    found = best.found
    made = with_frames_in_flight(
        best.network, there, found.table, found.planned, question.max_latency_ns
    )
    made = replace(made, precision=best.precision, notes=(*made.notes, *best.notes))
    if output is not None:
        save_plan(made, output)
    written = None if output is None else str(output)
    told = [*best.notes, *([f"written to {written}"] if written else [])]
    show(
        json,
        lambda: plan_document(made, found.planned, written),
        lambda: [*plan_tables(best.network, made, found.planned), *told],
    )


def _plan_split(
    network: Network,
    machine: Machine,
    costs: CostTable,
    question: Question,
    *,
    output: Path | None,
    json: bool,
) -> None:
    """Plans with large layers in parts, where that pays by estimate."""
    from counterpoint.report.plans import plan_document, plan_tables
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.planned import plan_of
    from counterpoint.tuning.split_plan import plan_split

    found = plan_split(network, costs, time_limit_s=question.time_limit_s, seed=question.seed)
    made = replace(
        plan_of(found.network, machine.platform, machine.engines, found.table, found.planned),
        splits=found.splits,
    )
    if output is not None:
        save_plan(made, output)
    written = None if output is None else str(output)
    told = [
        f"split by {wanted.axis} {':'.join(map(str, wanted.parts))}: {', '.join(wanted.layers)}"
        for wanted in found.splits
    ] or ["no split pays by these costs"]
    show(
        json,
        lambda: plan_document(made, found.planned, written),
        lambda: [
            *plan_tables(found.network, made, found.planned),
            *told,
            *([f"written to {written}"] if written else []),
        ],
    )
