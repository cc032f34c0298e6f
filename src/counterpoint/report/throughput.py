"""What tuning for throughput found: plans and the engines' own modes on the clock."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.report.comparison import comparison_table, contender_body
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.plans import bound_sentence, plan_body, planned_body, segment_tables
from counterpoint.report.quantities import count, duration, percent
from counterpoint.report.tables import facts
from counterpoint.report.tuning import error_sentence, verification_body
from counterpoint.tuning.throughput import ThroughputResult


def throughput_document(result: ThroughputResult, path: str, frames: str) -> Document:
    """For programs.

    Args:
        result: What tuning found.
        path: Where the plan was written.
        frames: What it was verified with.
    """
    measured = result.plan.measured_interval
    return document(
        "throughput-tuning",
        {
            **plan_body(result.plan),
            **(planned_body(result.planned) if result.planned is not None else {}),
            "verdict": throughput_verdict(result),
            "batch": result.plan.batch,
            "frames_in_flight": result.plan.frames_in_flight,
            "images_per_s": images_per_s(result, result.winner),
            "predicted_interval_ns": result.plan.prediction.interval_ns,
            "measured": None
            if measured is None
            else {
                "interval_ns": measured.median_ns,
                "low_ns": measured.low_ns,
                "high_ns": measured.high_ns,
                "samples": measured.samples,
            },
            "comparison": [_contender(result, label) for label in result.comparison.samples],
            "streamed": [
                {"label": plan.label, "batch": plan.batch, "image_ns": round(plan.image_ns)}
                for plan in result.streamed
            ],
            "verification": verification_body(result.verification, frames),
            "rejected": list(result.rejected),
            "tuning_ns": result.time_spent_ns,
            "file": path,
        },
    )


def throughput_tables(
    network: Network, result: ThroughputResult, path: str, frames: str
) -> list[RenderableType]:
    """For people; arguments as :func:`throughput_document`."""
    rejected = ["", "Left out:", *(f"  {line}" for line in result.rejected)]
    return [
        throughput_verdict(result),
        "",
        _comparison(network, result),
        "",
        *segment_tables(network, result.plan),
        "",
        facts(_details(result, path, frames)),
        *(rejected if result.rejected else []),
    ]


def images_per_s(result: ThroughputResult, label: str) -> float:
    """Rate of a contender in the comparison."""
    return result.images * 1e9 / max(1, result.comparison.samples[label].median_ns)


def throughput_verdict(result: ThroughputResult) -> str:
    """What is best here, and by how much against the engines' own modes."""
    said = [f"{result.winner} is best: {count(images_per_s(result, result.winner))} images/s."]
    for mode in result.installed:
        ratio, low, high = result.comparison.ratio(mode.label, result.winner)
        if low <= 1 <= high:
            said.append(
                f"Against {mode.label} (batch {mode.batch}) there is no clear difference "
                f"({low:.2f} to {high:.2f} times)."
            )
        elif ratio > 1:
            said.append(
                f"It is {ratio:.2f} times ({low:.2f} to {high:.2f}) as fast as {mode.label} "
                f"(batch {mode.batch})."
            )
        else:
            said.append(
                f"But {mode.label} (batch {mode.batch}) is {1 / ratio:.2f} times as fast as this."
            )
    return " ".join(said)


def _contender(result: ThroughputResult, label: str) -> dict[str, JSON]:
    return contender_body(
        result.comparison,
        label,
        result.winner,
        as_installed=any(mode.label == label for mode in result.installed),
        images_per_s=images_per_s(result, label),
    )


def _comparison(network: Network, result: ThroughputResult) -> RenderableType:
    batches: dict[str, int] = {mode.label: mode.batch for mode in result.installed}
    batches |= {plan.title: plan.batch for plan in result.streamed}
    return comparison_table(
        f"{network.name}: {result.images} images, run in turn",
        ["batch", "images/s"],
        result.comparison,
        result.winner,
        lambda label: (batches.get(label, 1), count(images_per_s(result, label))),
        as_speed=True,
    )


def _details(result: ThroughputResult, path: str, frames: str) -> list[tuple[str, object]]:
    plan, verification = result.plan, result.verification
    rows: list[tuple[str, object]] = [
        ("frames in flight", f"{plan.frames_in_flight}, {plan.batch or 1} images each")
    ]
    predicted_ns, measured = plan.prediction.interval_ns, plan.measured_interval
    if predicted_ns is not None and measured is not None and measured.median_ns:
        off = (measured.median_ns - predicted_ns) / measured.median_ns
        rows.append(
            (
                "predicted",
                f"a frame each {duration(predicted_ns)}, measured {duration(measured.median_ns)} "
                f"({percent(off)} off)",
            )
        )
    if result.planned is not None:
        rows.append(("bound", bound_sentence(result.planned)))
    return [
        *rows,
        ("error", error_sentence(verification, frames)),
        ("time spent", duration(result.time_spent_ns)),
        ("written to", path),
    ]
