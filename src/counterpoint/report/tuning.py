"""What tuning found: the contenders on the clock, and how far the prediction was off."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.report.comparison import comparison_table, contender_body
from counterpoint.report.document import JSON, Document, document, finite
from counterpoint.report.plans import bound_sentence, plan_body, planned_body, segment_tables
from counterpoint.report.quantities import duration, milliseconds, percent
from counterpoint.report.tables import facts
from counterpoint.report.verdict import verdict
from counterpoint.tuning.tune import TuneResult
from counterpoint.tuning.verification import Verification


def tune_document(result: TuneResult, path: str, frames: str) -> Document:
    """For programs.

    Args:
        result: What tuning found.
        path: Where the plan was written.
        frames: What it was verified with.
    """
    measured = result.plan.measured_latency
    return document(
        "tuning",
        {
            **plan_body(result.plan),
            **planned_body(result.planned),
            "verdict": verdict(result),
            "measured": None
            if measured is None
            else {
                "latency_ns": measured.median_ns,
                "low_ns": measured.low_ns,
                "high_ns": measured.high_ns,
                "samples": measured.samples,
            },
            "comparison": [_contender(result, label) for label in result.comparison.samples],
            "candidates": [
                {"label": candidate.label, "latency_ns": candidate.latency_ns}
                for candidate in result.candidates
            ],
            "verification": verification_body(result.verification, frames),
            "rejected": list(result.rejected),
            "tuning_ns": result.time_spent_ns,
            "file": path,
        },
    )


def tune_tables(
    network: Network, result: TuneResult, path: str, frames: str
) -> list[RenderableType]:
    """For people; arguments as :func:`tune_document`."""
    rejected = ["", "Left out:", *(f"  {line}" for line in result.rejected)]
    return [
        verdict(result),
        "",
        _comparison(network, result),
        "",
        *segment_tables(network, result.plan),
        "",
        facts(_details(result, path, frames)),
        *(rejected if result.rejected else []),
    ]


def verification_body(verification: Verification, frames: str) -> dict[str, JSON]:
    """How far the outputs are from the reference; ``frames`` says what was compared."""
    return {
        "frames": frames,
        "relative_error": finite(verification.relative_error),
        "tolerance": verification.tolerance,
        "passed": verification.passed,
    }


def error_sentence(verification: Verification, frames: str) -> str:
    """The same in words."""
    error = verification.relative_error
    shown = "not finite" if error is None else f"{error:.2g}"
    return f"{shown} relative to the reference, {verification.tolerance:.2g} allowed ({frames})"


def _contender(result: TuneResult, label: str) -> dict[str, JSON]:
    samples = result.comparison.samples[label]
    return contender_body(
        result.comparison,
        label,
        result.winner,
        as_installed=label in result.installed,
        median_ns=samples.median_ns,
        low_ns=samples.low_ns,
        high_ns=samples.high_ns,
        samples=len(samples.times_ns),
    )


def _comparison(network: Network, result: TuneResult) -> RenderableType:
    def times(label: str) -> tuple[object, ...]:
        one = result.comparison.samples[label]
        return tuple(map(milliseconds, (one.median_ns, one.low_ns, one.high_ns)))

    return comparison_table(
        f"{network.name}: one frame, run in turn",
        ["median ms", "p10 ms", "p90 ms"],
        result.comparison,
        result.winner,
        times,
    )


def _details(result: TuneResult, path: str, frames: str) -> list[tuple[str, object]]:
    plan, verification = result.plan, result.verification
    predicted_ns = plan.prediction.latency_ns
    rows: list[tuple[str, object]] = []
    if plan.measured_latency is not None:
        measured_ns = plan.measured_latency.median_ns
        off = (measured_ns - predicted_ns) / measured_ns if measured_ns else None
        rows.append(
            (
                "predicted",
                f"{duration(predicted_ns)}, measured {duration(measured_ns)} ({percent(off)} off)",
            )
        )
    return [
        *rows,
        ("bound", bound_sentence(result.planned)),
        ("error", error_sentence(verification, frames)),
        ("time spent", duration(result.time_spent_ns)),
        ("written to", path),
    ]
