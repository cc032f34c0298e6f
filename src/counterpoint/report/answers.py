"""What a network says about each image, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath

from rich.console import RenderableType

from counterpoint.frames.detections import Detection
from counterpoint.measure.sampling import Samples
from counterpoint.report.document import JSON, Document, document, finite
from counterpoint.report.layers import shape_text
from counterpoint.report.quantities import count, duration, number
from counterpoint.report.tables import add_row, facts, table
from counterpoint.schedule.pace import Punctuality
from counterpoint.schedule.trace import Incident

MOST_BOXES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of the best ones; ``label`` is ``None`` where no name is known."""

    index: int
    label: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """An output in a line; the three values are ``None`` where there are none or not all finite."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float | None
    mean: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came out for one image or tensor file.

    Attributes:
        name: Of the file.
        time_ns: Of its frame, median over repetitions; ``None`` before it is known.
        classes: Best classes; ``None`` where the network is no classifier.
        detections: Objects found; ``None`` where the network is no detector.
        outputs: The raw tensors.
    """

    name: str
    time_ns: int | None = None
    classes: tuple[ClassScore, ...] | None = None
    detections: tuple[Detection, ...] | None = None
    outputs: tuple[TensorSummary, ...] = ()

    def after(self, time_ns: int) -> Answer:
        """The same with its time."""
        return replace(self, time_ns=time_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A whole run.

    Attributes:
        network: Name.
        units: Names of the units that ran.
        answers: One an image.
        samples: Times of all frames, repetitions included.
        frames_per_s: Sustained; reading files excluded where frames ran one by one.
        wall_ns: From the first file to the last answer, everything included.
        files: What was written.
        punctuality: How well this host kept up with an emulated machine; ``None``: it ran here.
        incidents: What failed, and what was done about it.
    """

    network: str
    units: tuple[str, ...]
    answers: tuple[Answer, ...]
    samples: Samples
    frames_per_s: float
    wall_ns: int
    files: tuple[str, ...] = ()
    punctuality: Punctuality | None = None
    incidents: tuple[Incident, ...] = ()


def run_document(report: RunReport) -> Document:
    """For programs."""
    samples = report.samples
    return document(
        "run",
        {
            "network": report.network,
            "units": list(report.units),
            "answers": [_answer(answer) for answer in report.answers],
            "frames": len(samples.times_ns),
            "latency_ns": {
                "median": samples.median_ns,
                "low": samples.low_ns,
                "high": samples.high_ns,
            },
            "frames_per_s": finite(report.frames_per_s),
            "wall_ns": report.wall_ns,
            "files": list(report.files),
            "emulation": None if report.punctuality is None else asdict(report.punctuality),
            "incidents": [asdict(incident) for incident in report.incidents],
        },
    )


def run_tables(report: RunReport) -> list[RenderableType]:
    """For people."""
    samples = report.samples
    rows: list[tuple[str, object]] = [
        ("ran on", ", ".join(report.units)),
        (
            "per frame",
            f"{duration(samples.median_ns)} "
            f"({duration(samples.low_ns)} .. {duration(samples.high_ns)}, "
            f"{len(samples.times_ns)} timed)",
        ),
        ("throughput", f"{count(report.frames_per_s)} frames/s"),
        ("in all", f"{duration(report.wall_ns)}, reading included"),
    ]
    if report.punctuality is not None:
        rows.append(("emulated", _kept_up(report.punctuality)))
    rows += [("happened", incident.message) for incident in report.incidents]
    if report.files:
        more = f" and {len(report.files) - 1} more" if len(report.files) > 1 else ""
        rows.append(("written", f"{report.files[0]}{more}"))
    return [*_answer_tables(report.answers), "", facts(rows)]


def _kept_up(kept: Punctuality) -> str:
    """How far the times can be trusted."""
    told = [f"time scale {kept.time_scale:g}"] if kept.time_scale != 1 else []
    told.append(f"latest end {duration(kept.worst_lag_ns)} late")
    if kept.overruns:
        needed = kept.least_time_scale
        remedy = "" if needed is None else f"; none would at --time-scale {1.01 * needed:.2g}"
        told.append(f"{kept.overruns} of {kept.runs} runs took too long here{remedy}")
    return ", ".join(told)


def _answer_tables(answers: Sequence[Answer]) -> list[RenderableType]:
    made: list[RenderableType] = []
    classified = [answer for answer in answers if answer.classes is not None]
    if classified:
        rows = table("Classes", ["file", "class", "label"], ["probability", "time"])
        for answer in classified:
            for place, score in enumerate(answer.classes or ()):
                add_row(
                    rows,
                    "" if place else _short(answer),
                    score.index,
                    score.label or "",
                    f"{score.probability:.4f}",
                    "" if place else duration(answer.time_ns),
                )
        made.append(rows)
    for answer in answers:
        if answer.detections is not None:
            made.append(_boxes(answer))
        elif answer.classes is None:
            made.append(_tensors(answer))
    return made


def _short(answer: Answer) -> str:
    """The file without its folder, which in a table only takes room."""
    return PurePath(answer.name).name


def _boxes(answer: Answer) -> RenderableType:
    found = answer.detections or ()
    title = f"{_short(answer)}: {len(found)} found, {duration(answer.time_ns)}"
    rows = table(title, [], ["score", "left", "top", "right", "bottom"])
    for box in found[:MOST_BOXES_SHOWN]:
        edges = (box.left, box.top, box.right, box.bottom)
        add_row(rows, f"{box.score:.4f}", *(f"{edge:.1f}" for edge in edges))
    if len(found) > MOST_BOXES_SHOWN:
        add_row(rows, f"and {len(found) - MOST_BOXES_SHOWN} more")
    return rows


def _tensors(answer: Answer) -> RenderableType:
    title = f"{_short(answer)}: {duration(answer.time_ns)}"
    rows = table(title, ["output", "type", "shape"], ["least", "mean", "most"])
    for output in answer.outputs:
        values = (output.low, output.mean, output.high)
        cells = [number(value) for value in values]
        add_row(rows, output.name, output.dtype, shape_text(output.shape), *cells)
    return rows


def _answer(answer: Answer) -> dict[str, JSON]:
    return {
        "name": answer.name,
        "time_ns": answer.time_ns,
        "classes": None
        if answer.classes is None
        else [
            {
                "index": score.index,
                "label": score.label,
                "probability": finite(score.probability),
            }
            for score in answer.classes
        ],
        "detections": None
        if answer.detections is None
        else [
            {name: finite(value) for name, value in asdict(box).items()}
            for box in answer.detections
        ],
        "outputs": [
            {
                "name": output.name,
                "dtype": output.dtype,
                "shape": list(output.shape),
                "low": finite(output.low),
                "mean": finite(output.mean),
                "high": finite(output.high),
            }
            for output in answer.outputs
        ],
    }
