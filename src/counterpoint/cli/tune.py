"""The verb ``tune``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.cli.options import (
    Json,
    MachineOptions,
    NetworkOptions,
    Precision,
    StoreOptions,
    TraceFile,
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


def tune(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    store: StoreOptions,
    precision: Precision = None,
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

    Example:
      counterpoint tune model.onnx -o model.plan.json --images photos --preprocess imagenet
    """
    from counterpoint.api import tune as find_plan
    from counterpoint.cli.progress import shown_progress
    from counterpoint.report.tuning import tune_document, tune_tables
    from counterpoint.schedule.plan_file import save_plan

    target = output if output is not None else Path(f"{network.stem}.plan.json")
    for path in (target, trace):
        if path is not None:
            check_writable(path)
    subject = network.load()
    frames = _frames(subject, images, tensors, preprocess, network.path)
    here = machine.machine()
    with store.open() as opened, shown_progress() as progress:
        result = find_plan(
            subject,
            precision=precision,
            machine=here,
            store=opened,
            frames=frames,
            progress=progress,
        )
    save_plan(result.plan, target)
    if trace is not None:
        _write_trace(trace, subject, result.plan, here, frames)
    told = "2 seeded frames" if frames is None else f"{len(frames)} real frames"
    show(
        json,
        lambda: tune_document(result, str(target), told),
        lambda: tune_tables(subject, result, str(target), told),
    )


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
