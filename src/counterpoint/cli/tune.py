"""The verb ``tune``."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.cli.accuracy import AccuracyOptions
from counterpoint.cli.options import (
    Json,
    MachineOptions,
    MappingOptions,
    NetworkOptions,
    Precision,
    SharingOptions,
    StoreOptions,
    TraceFile,
    parse_batches,
)
from counterpoint.cli.output import check_writable, show
from counterpoint.cli.run import Images, Preprocess, Tensors
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from counterpoint.api import Machine
    from counterpoint.engines.protocol import Tensor
    from counterpoint.network.graph import Network
    from counterpoint.schedule.plan import Plan

MOST_VERIFIED = 8
"""Frames that are compared with the reference, which runs them slowly."""

TRACED_FRAMES = 10


class TuneObjective(StrEnum):
    """What tuning can make best on this machine."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


def tune(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    store: StoreOptions,
    mapping: MappingOptions,
    objective: Annotated[
        TuneObjective, Option("--objective", "-hint", "--hint", help="What is made best.")
    ] = TuneObjective.LATENCY,
    sharing: SharingOptions,
    batches: Annotated[
        str | None,
        Option(
            "--batches",
            metavar="LIST",
            help="For throughput: images in a frame to try. Default: 1,4,16 ... while it pays.",
        ),
    ] = None,
    precision: Precision = None,
    accuracy: AccuracyOptions,
    images: Images = None,
    tensors: Tensors = None,
    preprocess: Preprocess = None,
    output: Annotated[
        Path | None,
        Option("-o", "--output", metavar="FILE", help="The plan. Default: MODEL.plan.json, here."),
    ] = None,
    trace: TraceFile = None,
    json: Json = False,
) -> None:
    """Finds, measures and verifies the best plan.

    The main job: measures layers on every unit, plans, runs the best plans against each other and
    against what the engines do as installed, compares the outputs with a reference, and writes
    the plan. Interrupted, it goes on where it stopped: measurements are kept.

    With --objective throughput: the most images a second. Then batches are tried too, the CPU is
    cut into its cores for lanes side by side, and the engines' own throughput modes are compared.

    With --max-drop or --min-sqnr-db: precision is part of the plan. Layers may be in int8, units in
    bf16 or fp16, as long as the plan keeps that budget on photographs that were held back.

    Examples:
      counterpoint tune model.onnx -o model.plan.json --images photos --preprocess imagenet
      counterpoint tune model.onnx --objective throughput
      counterpoint tune model.onnx --max-drop 1 --calibration photos --preprocess imagenet
    """
    from counterpoint.api import (
        TuneOptions,
        as_planned,
        precisions_of,
        tune_throughput,
    )
    from counterpoint.api import tune as tune_latency
    from counterpoint.cli.progress import shown_progress
    from counterpoint.report.throughput import throughput_document, throughput_tables
    from counterpoint.report.tuning import tune_document, tune_tables
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.tune import chosen_units

    target = output if output is not None else Path(f"{network.stem}.plan.json")
    for path in (target, trace, accuracy.pareto):
        if path is not None:
            check_writable(path)
    if accuracy.wanted:
        _tune_within_budget(
            network,
            machine,
            store=store,
            mapping=mapping,
            throughput=objective is TuneObjective.THROUGHPUT,
            sharing=sharing,
            batches=batches,
            precision=precision,
            accuracy=accuracy,
            frames=images or tensors,
            preprocess=preprocess,
            target=target,
            trace=trace,
            json=json,
        )
        return
    subject = network.load()
    frames = _frames(subject, images, tensors, preprocess, network.path)
    told = "2 seeded frames" if frames is None else f"{len(frames)} real frames"
    side_by_side = objective is TuneObjective.THROUGHPUT
    here = _machine(machine, side_by_side, sharing, batches)
    units = chosen_units(
        subject,
        here.platform.units,
        precisions_of(precision),
        side_by_side=side_by_side,
        software=here.platform.named or mapping.mapping is not None,
    )
    common: TuneOptions = {
        "precision": precision,
        "machine": here,
        "frames": frames,
        "fixed": mapping.fixed(subject, [unit.name for unit in units]),
    }
    with store.open() as opened, shown_progress() as progress:
        common |= {"store": opened, "progress": progress}
        if side_by_side:
            fast = tune_throughput(
                subject,
                batches=parse_batches(batches),
                method=sharing.method,
                max_latency_ns=sharing.max_latency_ns,
                **common,
            )
            found = fast.plan
        else:
            result = tune_latency(subject, **common)
            found = result.plan
    save_plan(found, target)
    if trace is not None:
        shown = frames if found.batch is None else None
        _write_trace(trace, as_planned(subject, found), found, here, shown)
    if side_by_side:
        show(
            json,
            lambda: throughput_document(fast, str(target), told),
            lambda: throughput_tables(as_planned(subject, found), fast, str(target), told),
        )
        return
    show(
        json,
        lambda: tune_document(result, str(target), told),
        lambda: tune_tables(subject, result, str(target), told),
    )


def _machine(
    machine: MachineOptions, side_by_side: bool, sharing: SharingOptions, batches: str | None
) -> Machine:
    from counterpoint.api import one_core_each

    if not side_by_side and (sharing != SharingOptions() or batches is not None):
        raise UserInputError(
            "--method, --max-latency-ms and --batches are for --objective throughput"
        )
    if side_by_side and machine.cpu_groups is None:
        machine = replace(machine, cpu_groups=one_core_each())
    return machine.machine()


def _tune_within_budget(
    network: NetworkOptions,
    machine: MachineOptions,
    *,
    store: StoreOptions,
    mapping: MappingOptions,
    throughput: bool,
    sharing: SharingOptions,
    batches: str | None,
    precision: str | None,
    accuracy: AccuracyOptions,
    frames: object,
    preprocess: str | None,
    target: Path,
    trace: Path | None,
    json: bool,
) -> None:
    from counterpoint.api import as_planned
    from counterpoint.cli.budgeted_tune import tune_within_budget

    if frames:
        raise UserInputError("--calibration has the images to verify with: leave out --images")
    if mapping.mapping is not None:
        raise UserInputError("--map and an accuracy budget exclude each other")
    here = _machine(machine, throughput, sharing, batches)
    plan = tune_within_budget(
        network=network,
        machine=here,
        store=store,
        accuracy=accuracy,
        throughput=throughput,
        sharing=sharing,
        batches=parse_batches(batches),
        precision=precision,
        preprocess=preprocess,
        target=target,
        json=json,
    )
    if trace is not None:
        _write_trace(trace, as_planned(network.load(), plan), plan, here, None)


def _frames(
    network: Network,
    images: list[Path] | None,
    tensors: list[str] | None,
    preprocess: str | None,
    model: Path | None,
) -> list[Mapping[str, Tensor]] | None:
    from counterpoint.cli.frame_source import chosen_recipe, image_frames, tensor_frames

    if images and tensors:
        raise UserInputError("--images and --tensors exclude each other")
    if images:
        named = image_frames(network, images, chosen_recipe(preprocess, model), model)
    elif tensors:
        named = tensor_frames(network, tensors)
    elif preprocess is not None:
        raise UserInputError("--preprocess is for --images, which is not given")
    else:
        return None
    return [frame.inputs for frame in islice(named, MOST_VERIFIED)]


def _write_trace(
    path: Path,
    network: Network,
    plan: Plan,
    machine: Machine,
    frames: list[Mapping[str, Tensor]] | None,
) -> None:
    """Some frames by the plan, and beside them the same in virtual time."""
    from counterpoint.api import Session
    from counterpoint.cli.running import predicted_trace
    from counterpoint.schedule.perfetto import write_perfetto
    from counterpoint.tuning.frames import seeded_frame

    given = frames or [seeded_frame(network.inputs)]
    with Session(network, plan, machine=machine, trace=True) as session:
        for frame in given[:1] * 3:  # warm-up
            session.run(None, frame)
        cycle = [given[number % len(given)] for number in range(TRACED_FRAMES)]
        for _ in session.stream(cycle):
            pass
        measured = session.trace()
    predicted = predicted_trace(network, plan, machine.platform, TRACED_FRAMES)
    write_perfetto(path, [trace for trace in (measured, predicted) if trace is not None])
