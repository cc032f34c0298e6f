"""The verb ``run``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.cli.failing import FailureOptions
from counterpoint.cli.options import (
    CpuGroups,
    Json,
    MachineOptions,
    NetworkOptions,
    PlanOptions,
    PlatformOptions,
    TraceFile,
)
from counterpoint.cli.output import check_writable, show
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from counterpoint.api import Machine
    from counterpoint.cli.frame_source import NamedFrame
    from counterpoint.frames.recipe import FrameRecipe
    from counterpoint.network.graph import Network
    from counterpoint.schedule.plan import Plan

Images = Annotated[
    list[Path] | None,
    Option("--images", "-i", metavar="DIR|FILE...", help="Photographs: JPEG, PNG or BMP."),
]
Tensors = Annotated[
    list[str] | None,
    Option(
        "--tensors",
        metavar="[INPUT=]FILE...",
        help="Frames as they are: .npy, or .f32 (raw float32).",
    ),
]
Preprocess = Annotated[
    str | None,
    Option(
        "--preprocess",
        metavar="PRESET|FILE.toml",
        help="How photographs become inputs. Default: MODEL's .preprocess.toml beside it.",
    ),
]


class TaskName(StrEnum):
    """What the outputs are."""

    CLASSIFY = "classify"
    DETECT = "detect"
    RAW = "raw"


def run(
    *,
    network: NetworkOptions,
    plan: PlanOptions,
    on: PlatformOptions,
    time_scale: Annotated[
        float | None,
        Option(
            "--time-scale",
            metavar="X",
            help="With -p: X times slower than that machine (default 1), for hosts that are slow.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        Option("--unit", metavar="UNIT", help="Without a plan: everything on this unit."),
    ] = None,
    images: Images = None,
    tensors: Tensors = None,
    preprocess: Preprocess = None,
    task: Annotated[TaskName | None, Option("--task", help="What the outputs are.")] = None,
    labels: Annotated[
        Path | None, Option("--labels", metavar="FILE", help="Class names, one a line.")
    ] = None,
    top: Annotated[int, Option("--top", min=1, metavar="N", help="How many classes to tell.")] = 5,
    output_dir: Annotated[
        Path | None,
        Option("--output-dir", metavar="DIR", help="Write each output as .npy here."),
    ] = None,
    repeat: Annotated[
        int,
        Option(
            "-niter",
            "--niter",
            min=1,
            max=10_000_000,
            metavar="N",
            help="Run each frame so often.",
        ),
    ] = 1,
    failing: FailureOptions,
    trace: TraceFile = None,
    cpu_groups: CpuGroups = None,
    allow_other_machine: Annotated[
        bool, Option("--allow-other-machine", help="Accept a plan that was made elsewhere.")
    ] = False,
    json: Json = False,
) -> None:
    """Runs photographs or tensors by a plan.

    Without --images and --tensors, -niter N times a seeded frame. With -p, a machine that is not
    here is emulated: this one computes, and each segment takes the time that it takes there.

    Examples:
      counterpoint run model.onnx --plan model.plan.json --images photos --preprocess imagenet
      counterpoint run model.onnx --unit openvino:CPU@fp32 -niter 100
      counterpoint run recorded:alexnet -p khadas_vim3 --plan alexnet.plan.json -niter 100
      counterpoint run model.onnx --plan model.plan.json --images photos --allow-fallback
    """
    import time

    from counterpoint.api import Session
    from counterpoint.cli.answering import OutputFolder, answering_for
    from counterpoint.cli.frame_source import batch_of, chosen_recipe
    from counterpoint.cli.running import predicted_trace, run_one_by_one, run_together
    from counterpoint.engines.protocol import Tensor
    from counterpoint.measure.sampling import Samples
    from counterpoint.report.answers import Answer, RunReport, run_document, run_tables
    from counterpoint.schedule.perfetto import write_perfetto

    if trace is not None:
        check_writable(trace)
    failures = failing.settings()
    subject, here, chosen = _what(network, plan, unit, cpu_groups, on=on, time_scale=time_scale)
    recipe = chosen_recipe(preprocess, network.path)
    frames = _frames(
        network=subject,
        images=images,
        tensors=tensors,
        recipe=recipe,
        model=network.path,
        repeat=repeat,
    )
    answering = answering_for(
        subject,
        recipe,
        batch=batch_of(subject),
        task=None if task is None else task.value,
        labels=labels,
        top=top,
    )
    folder = OutputFolder(output_dir) if output_dir is not None else None
    answers: list[list[Answer]] = []

    def keep(frame: NamedFrame, outputs: list[Tensor]) -> None:
        answers.append(answering.answers(frame, outputs))
        if folder is not None:
            folder.write(frame, answering, outputs)

    together = trace is not None or chosen.frames_in_flight > 1
    begin = time.perf_counter_ns()
    with Session(
        subject,
        chosen,
        machine=here,
        allow_other_machine=allow_other_machine,
        trace=together,
        **failures,
    ) as session:
        drive = run_together if together else run_one_by_one
        times = drive(session, frames, repeat, keep)
        measured, punctuality = session.trace(), session.punctuality()
        incidents, followed = session.incidents, session.plan
    wall_ns = time.perf_counter_ns() - begin
    flat = tuple(taken for frame_ns in times.frame_ns for taken in frame_ns)
    if trace is not None and measured is not None:
        predicted = predicted_trace(subject, chosen, here.platform, len(flat))
        write_perfetto(trace, [measured, *([predicted] if predicted else [])])
    timed = [
        answer.after(Samples(frame_ns).median_ns)
        for group, frame_ns in zip(answers, times.frame_ns, strict=True)
        for answer in group
    ]
    report = RunReport(
        network=subject.name,
        units=tuple(dict.fromkeys((*chosen.units, *followed.units))),
        answers=tuple(timed),
        samples=Samples(flat),
        frames_per_s=times.frames_per_s,
        wall_ns=wall_ns,
        files=tuple(folder.written) if folder is not None else (),
        punctuality=punctuality,
        incidents=incidents,
    )
    show(json, lambda: run_document(report), lambda: run_tables(report))


def _what(
    network: NetworkOptions,
    plan: PlanOptions,
    unit: str | None,
    cpu_groups: str | None,
    *,
    on: PlatformOptions,
    time_scale: float | None,
) -> tuple[Network, Machine, Plan]:
    """What runs, where and how."""
    from counterpoint.api import devices
    from counterpoint.cli.emulating import emulated_run
    from counterpoint.tuning.planned import plan_on_unit

    if unit is not None and plan.plan is not None:
        raise UserInputError("--plan and --unit exclude each other")
    if unit is None and plan.plan is None:
        raise UserInputError(
            f"no plan: make one with 'counterpoint tune {network.name} -o plan.json' and give "
            "--plan plan.json, or run on one unit with --unit openvino:CPU@fp32"
        )
    platform = on.load()
    if platform is not None:
        if cpu_groups is not None:
            raise UserInputError("--cpu-groups is for this machine: a platform has its own devices")
        scale = 1.0 if time_scale is None else time_scale
        return emulated_run(network, plan, unit, platform, clocks=on.clocks, time_scale=scale)
    if time_scale is not None:
        raise UserInputError("--time-scale is for platforms: give one by -p")
    loaded = plan.load() if unit is None else None
    if unit is not None:
        subject = network.load()
        here = devices(cpu_groups=cpu_groups)
        return subject, here, plan_on_unit(subject, here.platform, here.engines, unit)
    assert loaded is not None  # noqa: S101 - one of the two is given
    here = MachineOptions(cpu_groups=cpu_groups).machine(loaded)
    return network.load_for(loaded), here, loaded


def _frames(
    *,
    network: Network,
    images: list[Path] | None,
    tensors: list[str] | None,
    recipe: FrameRecipe | None,
    model: Path | None,
    repeat: int,
) -> Iterator[NamedFrame]:
    from counterpoint.cli.frame_source import NamedFrame, image_frames, tensor_frames
    from counterpoint.costs.stage_network import NoModel
    from counterpoint.engines.emulated import zeros
    from counterpoint.tuning.frames import seeded_frame

    if images and tensors:
        raise UserInputError("--images and --tensors exclude each other")
    if images:
        return image_frames(network, images, recipe, model)
    if tensors:
        return tensor_frames(network, tensors)
    if repeat == 1:
        raise UserInputError(
            "nothing to run: give --images, or --tensors, or -niter N for a seeded frame"
        )
    if isinstance(network.source, NoModel):
        blank = {spec.name: zeros(spec) for spec in network.inputs}
        return iter([NamedFrame(("no image, no model",), blank)])
    return iter([NamedFrame(("seeded frame",), seeded_frame(network.inputs))])
