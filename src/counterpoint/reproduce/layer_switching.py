"""Layer switching on a Khadas VIM3: each layer on the component that suits it (DSD 2022).

All that was measured on the board, predicted by :mod:`switched_board`; the orders that we would
take; and why where the two do not agree.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean

from counterpoint.errors import InternalError
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.throughput import plan_throughput
from counterpoint.reproduce.a311d_runs import Recorded, Run, recorded_networks
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, within
from counterpoint.reproduce.hand_over_fit import HandOvers, fit_hand_overs, left_out_errors
from counterpoint.reproduce.switched_board import SwitchedBoard, board

NAME = "layer-switching"

TOLERANCE = 0.03
"""Of a switched run: the spread of repeated measurements in the source."""

OUTLIER = ("alexnet", "GGBBBGGB")
"""The run that no sum explains; told, and not judged."""

MEASURED_MEAN_GAIN = 4.58
"""Percent, of the four networks below: from the runs in :mod:`a311d_runs`."""

PAPER_MEAN_GAIN = 4.72
"""Percent, of the paper's five networks: its abstract."""


def layer_switching() -> Reproduction:
    """All that was measured on the board, predicted; and the orders that we would take."""
    measured = [recorded for recorded in recorded_networks() if recorded.runs]
    switched = [(one, run) for one in measured for run in one.runs if run.is_switched]
    others = [hand_overs(recorded, run) for recorded, run in switched]
    left_out = left_out_errors(others)
    runs = [
        _run(recorded, run, error)
        for (recorded, run), error in zip(switched, left_out, strict=True)
    ]
    gains = [_gain(recorded) for recorded in measured]
    unmeasured = [_unmeasured(recorded) for recorded in recorded_networks() if not recorded.runs]
    dense = [
        _throughput(recorded, components) for recorded in measured for components in ("BG", "BGL")
    ]
    return Reproduction(
        name=NAME,
        title="CPU-GPU layer switching for low latency, Khadas VIM3 (Amlogic A311D)",
        sources=(
            "Aghapour, Sapra, Pimentel, Pathania: CPU-GPU Layer-Switched Low Latency CNN "
            "Inference, DSD 2022 (the mean gain of five networks)",
            "Ehsan-aghapour/CO-UP-Profiling, Profiling/ParaPipe/Profiling2/Data (stages and "
            "switched runs, later than the paper)",
        ),
        figures=(*runs, *gains, *_means(gains), *unmeasured, *dense),
        notes=_notes(others),
    )


def hand_overs(recorded: Recorded, run: Run) -> HandOvers:
    """A switched run as what its hand-overs have to explain.

    Raises:
        InternalError: The sizes between the network's stages are not known.
    """
    if recorded.border_bytes is None:
        raise InternalError(f"{recorded.name}: what its stages hand over is not known")
    changes = [
        (stage, pair) for stage, pair in enumerate(pairwise(run.order)) if len(set(pair)) > 1
    ]
    return HandOvers(
        to_gpu=sum(target == "G" for _, (_, target) in changes),
        to_cpu=sum(origin == "G" for _, (origin, _) in changes),
        moved_bytes=sum(recorded.border_bytes[stage] for stage, _ in changes),
        stages_ms=board(recorded).task_ns(run.order) / 1e6,
        measured_ms=run.task_ms,
    )


def _notes(switched: list[HandOvers]) -> tuple[str, ...]:
    fitted = fit_hand_overs(switched)
    return (
        "B: 4 x Cortex-A73, G: Mali-G52, L: 2 x Cortex-A53; one letter a stage.",
        "Stages that are measured one by one pay a synchronisation at each border, inside a run "
        "they do not: where stages add up to more than the whole network, the excess is the cost "
        "of entering the component; else stages are scaled to the whole. No switched run decides "
        "anything in it.",
        "AlexNet GGBBBGGB differs from GGBBBGGG in its last stage alone, of 4 ms on B and 6 ms on "
        "G, and took 6 ms longer instead of 2 ms less. Run as a pipeline, its second part on G "
        "(two stages) took 47.5 ms, where the same two stages and a third took 48.4 ms in "
        "GGBBBGGG: the time seems lost on the GPU before the last hand-over, and the same one "
        "in BBBBBBGB shows nothing of it.",
        "Hand-overs fitted: a set-up by direction and a time by size, none below 0, by least "
        f"squares on top of this model. To all {len(switched)} rows they are "
        f"{fitted.to_gpu_ms:.2f} ms to G, {fitted.to_cpu_ms:.2f} ms to B and "
        f"{fitted.per_megabyte_ms:.2f} ms/MB; each row's note has its error when the fit leaves "
        "that row out. Without GGBBBGGB the others ask for no hand-over that would explain it.",
        "Hand-overs as on an RK3399Pro (linear in bytes, by direction) narrow that row more, but "
        "cost MobileNet, ResNet and GoogLeNet more than 3 %: on the A311D a hand-over is cheaper.",
        "A gain is over the better of B and G alone, with input and output counted. The gains' "
        "notes tell by how much the better component's whole run, and the switched one, took "
        "more or less than the sum of their stages as these were measured by themselves.",
        "ResNet-50's gain has no order that could be predicted to reach it, as the bound says: "
        "alone, B took 5.0 % more than the sum of its stages, by which its stages are scaled, "
        "while the switched run, and its slower half as a pipeline (137.6 ms of B where the "
        "stages add up to 135.8 ms), took what the stages had told. The gain is measured against "
        "a run that was slow for a reason that the stages do not show. Stages as they are would "
        "promise 9.6 % there; they would also promise AlexNet 2.5 % and MobileNet nothing, and "
        "miss GoogLeNet's switched runs by 4 %. So the rule is kept and the bar is missed.",
    )


def _run(recorded: Recorded, run: Run, left_out: float) -> Figure:
    predicted_ms = board(recorded).task_ns(run.order) / 1e6
    sums_ms = board(recorded, model="sums").task_ns(run.order) / 1e6
    moved_ms = board(recorded, model="moved").task_ns(run.order) / 1e6
    return Figure(
        what=f"{recorded.name} as {run.order}",
        unit="ms",
        published=run.task_ms,
        model=predicted_ms,
        bar=None if (recorded.name, run.order) == OUTLIER else within(run.task_ms, TOLERANCE),
        note=(
            f"plain sums {_error(sums_ms, run)}, RK3399Pro's hand-overs {_error(moved_ms, run)}, "
            f"hand-overs fitted to the other rows {100 * left_out:+.1f} %"
        ),
    )


def _error(predicted_ms: float, run: Run) -> str:
    return f"{100 * (predicted_ms / run.task_ms - 1):+.1f} %"


def _gain(recorded: Recorded) -> Figure:
    singles = [recorded.whole(letter) for letter in "BG"]
    quickest = min((run for run in recorded.runs if run.is_switched), key=lambda run: run.total_ms)
    subject = board(recorded)
    planned = subject.best_order()
    better = min((run for run in singles if run is not None), key=lambda run: run.total_ms)

    def gain(total_ms: float) -> float:
        return 100 * (1 - total_ms / better.total_ms)

    published = gain(quickest.total_ms)
    known = [gain(run.total_ms) for run in recorded.runs if run.order == planned]
    note = f"planned as {planned}"
    if known:
        note += f", which was measured at {known[0]:+.2f} %"
    note += (
        f"; against the sum of its stages {better.order[0]} alone took "
        f"{_beyond_stages(recorded, better)}, {quickest.order} "
        f"{_beyond_stages(recorded, quickest)}"
    )
    return Figure(
        what=f"{recorded.name}: gain over the better component, measured as {quickest.order}",
        unit="%",
        published=published,
        model=gain(subject.total_ns(quickest.order) / 1e6),
        planner=gain(subject.total_ns(planned) / 1e6),
        bound=gain(_least_ns(subject) / 1e6),
        bar=at_least(published),
        judges_planner=True,
        note=note,
    )


def _beyond_stages(recorded: Recorded, run: Run) -> str:
    """By how much a run differs from the sum of its stages as they were measured."""
    return f"{100 * (run.task_ms / recorded.stages_ms(run.order) - 1):+.1f} %"


def _least_ns(subject: SwitchedBoard) -> int:
    """No order is predicted to take less: the planner's own bound, and the least outside of it."""
    planned = plan_latency(subject.staged.network, subject.staged.table)
    return (planned.lower_bound or 0) + min(subject.outside_ns.values(), default=0)


def _means(gains: list[Figure]) -> tuple[Figure, Figure]:
    planned = fmean(figure.planner or 0.0 for figure in gains)
    predicted = fmean(figure.model or 0.0 for figure in gains)
    bound = fmean(figure.bound or 0.0 for figure in gains)
    return (
        Figure(
            what="mean gain of the four, later runs",
            unit="%",
            published=MEASURED_MEAN_GAIN,
            model=predicted,
            planner=planned,
            bound=bound,
        ),
        Figure(
            what="mean gain of the paper's five networks, beside our four",
            unit="%",
            published=PAPER_MEAN_GAIN,
            model=predicted,
            planner=planned,
            note="the fifth network's stages were not published",
        ),
    )


def _unmeasured(recorded: Recorded) -> Figure:
    """A prediction that somebody may check: no whole run of the network was published."""
    subject = board(recorded)
    planned = subject.best_order()
    stages = len(recorded.stage_ms["B"])
    single_ns = min(subject.total_ns(letter * stages) for letter in "BG")
    total_ns = subject.total_ns(planned)
    return Figure(
        what=f"{recorded.name}: gain over the better component, not measured",
        unit="%",
        planner=100 * (1 - total_ns / single_ns),
        note=f"planned as {planned}, {total_ns / 1e6:.1f} ms; plain sums of stages",
    )


def _throughput(recorded: Recorded, components: str) -> Figure:
    subject = board(recorded, components)
    network, table = subject.staged.network, subject.staged.table
    single, pipeline, lanes = (
        plan_throughput(network, table, method=method) for method in ("single", "pipeline", "auto")
    )
    if not (single.value and pipeline.value and lanes.value and lanes.lower_bound):
        raise InternalError(f"{recorded.name}: a chain of stages has no plan")
    return Figure(
        what=f"{recorded.name}: frames/s over the best component, {len(components)} components",
        unit="x",
        model=single.value / pipeline.value,
        planner=single.value / lanes.value,
        bound=single.value / lanes.lower_bound,
        bar=at_least(single.value / pipeline.value),
        judges_planner=True,
        note="model: the best pipeline; planner: lanes",
    )
