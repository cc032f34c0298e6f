"""What tuning under an accuracy budget found: the plan, what it loses, what images prove of that,
and the mixes of precisions that were tried.
"""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.costs.objective import Objective
from counterpoint.measure.confidence import Drop
from counterpoint.network.graph import Network
from counterpoint.report.comparison import comparison_table, contender_body
from counterpoint.report.document import JSON, Document, document, finite
from counterpoint.report.plans import plan_body, segment_tables
from counterpoint.report.quantities import count, duration, milliseconds
from counterpoint.report.tables import add_row, facts, table
from counterpoint.report.tuning import error_sentence, verification_body
from counterpoint.tuning.accuracy import Accuracy, sqnr_db
from counterpoint.tuning.mixed_precision import Found
from counterpoint.tuning.mixes import Mix
from counterpoint.tuning.precision_tuning import PrecisionResult

MOST_LAYERS = 5
"""So many of the most sensitive layers are shown."""


def accuracy_document(network: Network, result: PrecisionResult, path: str) -> Document:
    """For programs.

    Args:
        network: As it was loaded.
        result: What tuning found.
        path: Where the plan was written.
    """
    samples = result.compared.comparison.samples
    choice = result.plan.precision
    return document(
        "precision-tuning",
        {
            **plan_body(result.plan),
            "int8_layers": [] if choice is None else list(choice.int8),
            "verdict": accuracy_verdict(result),
            "budget": {
                "max_drop_points": result.budget.max_drop,
                "min_sqnr_db": result.budget.min_sqnr_db,
            },
            "images": {
                "calibration": result.calibration_images,
                "verification": result.verification_images,
                "needed_for_proof": _needed(result),
                "plans_judged": result.judged,
            },
            "accuracy": _accuracy_body(result.accuracy),
            "proven": result.budget.proven_by(result.accuracy),
            "comparison": [
                contender_body(
                    result.compared.comparison,
                    label,
                    result.winner,
                    as_installed=label in result.compared.installed,
                    median_ns=samples[label].median_ns,
                    low_ns=samples[label].low_ns,
                    high_ns=samples[label].high_ns,
                    samples=len(samples[label].times_ns),
                )
                for label in samples
            ],
            "images_in_a_run": result.compared.images,
            "mixes": [_mix_body(network, mix, result.found) for mix in result.found.mixes],
            "sensitivity": [
                {
                    "layer": network.layers[index].name,
                    "noise": finite(each.noise),
                    "changed": each.changed,
                    "images": each.images,
                }
                for index, each in sorted(result.found.sensitivity.items())
            ],
            "verification": verification_body(
                result.tuned.verification, f"{_HELD_BACK_SHOWN} held-back images"
            ),
            "rejected": list(result.rejected),
            "tuning_ns": result.time_spent_ns,
            "file": path,
        },
    )


_HELD_BACK_SHOWN = 2
"""Images whose outputs are compared with those of the rewritten network, run node by node."""


def accuracy_tables(network: Network, result: PrecisionResult, path: str) -> list[RenderableType]:
    """For people; arguments as :func:`accuracy_document`."""
    rejected = ["", "Left out:", *(f"  {line}" for line in result.rejected)]
    return [
        accuracy_verdict(result),
        "",
        _comparison(network, result),
        "",
        *_mixes(network, result.found),
        *segment_tables(result.network, result.plan),
        "",
        facts(_details(network, result, path)),
        *(rejected if result.rejected else []),
    ]


def accuracy_verdict(result: PrecisionResult) -> str:
    """What is best here, what it loses, and what is proven of that; in sentences."""
    choice = result.plan.precision
    if choice is not None:
        inside = f"{len(choice.int8)} of {len(result.found.sensitivity)} layers in int8"
        said = [f"Best with {result.budget.text}: {inside}, on {' + '.join(result.plan.units)}."]
    else:
        said = [
            f"Best with {result.budget.text}: the network as it was loaded, on "
            f"{' + '.join(result.plan.units)}."
        ]
        if result.found.mixes and result.found.best is None:
            said.append("No mix with layers in int8 keeps the budget.")
    said.append(f"On {result.verification_images} images that were held back {_loss(result)}.")
    drop = result.accuracy.drop
    if result.budget.max_drop is not None and drop is not None:
        said.append(_proof(result, drop))
    return " ".join(said)


def _loss(result: PrecisionResult) -> str:
    accuracy = result.accuracy
    db = accuracy.sqnr_db
    noise = "its outputs are the same" if db is None else f"its SQNR is {db:.1f} dB"
    drop = accuracy.drop
    if drop is None:
        return noise
    what = "top-1" if accuracy.labelled else "images whose best class changes"
    return f"it loses {100 * drop.value:.1f} points of {what}, and {noise}"


def _proof(result: PrecisionResult, drop: Drop) -> str:
    """What so many images can prove, and how many would do."""
    level = f"{100 * drop.confidence:.3g} %"
    if result.judged > 1:
        level += f", for {result.judged} plans that were judged by the same images"
    limit = result.budget.max_drop or 0.0
    proven = f"That proves a drop of at most {100 * drop.high:.1f} points (at {level})"
    if drop.proves(limit / 100):
        return proven + ", which is within the budget."
    needed = _needed(result)
    if needed is None:
        return proven + "; that nothing is lost no number of images can prove."
    points = "point" if limit == 1 else "points"
    return (
        f"{proven}; to prove {limit:g} {points} takes at least {needed} held-back images, even if "
        "none changes."
    )


def _needed(result: PrecisionResult) -> int | None:
    drop = result.accuracy.drop
    return None if drop is None else result.budget.images_needed(drop.confidence)


def _comparison(network: Network, result: PrecisionResult) -> RenderableType:
    samples = result.compared.comparison.samples
    if result.plan.objective is Objective.THROUGHPUT:

        def rate(label: str) -> tuple[object, ...]:
            return (count(result.compared.images * 1e9 / max(1, samples[label].median_ns)),)

        return comparison_table(
            f"{network.name}: {result.compared.images} images, run in turn",
            ["images/s"],
            result.compared.comparison,
            result.winner,
            rate,
            as_speed=True,
        )

    def times(label: str) -> tuple[object, ...]:
        one = samples[label]
        return tuple(map(milliseconds, (one.median_ns, one.low_ns, one.high_ns)))

    return comparison_table(
        f"{network.name}: one frame, run in turn",
        ["median ms", "p10 ms", "p90 ms"],
        result.compared.comparison,
        result.winner,
        times,
    )


def _mixes(network: Network, found: Found) -> list[RenderableType]:
    if not found.mixes:
        return []
    rows = table(
        f"{network.name}: mixes of precisions, by time",
        ["", "layers in int8", "unit"],
        ["ms", "predicted dB", "measured dB", "points lost"],
    )
    for mix in found.mixes:
        accuracy = mix.accuracy
        drop = None if accuracy is None else accuracy.drop
        add_row(
            rows,
            "*" if found.best is not None and mix.key == found.best.key else "",
            f"{len(mix.layers)} of {len(found.sensitivity)}",
            mix.unit,
            milliseconds(mix.latency_ns),
            _db(mix.predicted_noise),
            "" if accuracy is None else _db(accuracy.noise),
            "" if drop is None else f"{100 * drop.value:.1f}",
        )
    return [rows, ""]


def _details(network: Network, result: PrecisionResult, path: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("images", f"{result.calibration_images} calibrate, {result.verification_images} verify")
    ]
    noisy = sorted(result.found.sensitivity.items(), key=lambda each: -each[1].noise)[:MOST_LAYERS]
    if noisy:
        told = ", ".join(f"{network.layers[i].name} {_db(each.noise)} dB" for i, each in noisy)
        rows.append(("most sensitive", told))
    return [
        *rows,
        ("error", error_sentence(result.tuned.verification, "against its own definition")),
        ("time spent", duration(result.time_spent_ns)),
        ("written to", path),
    ]


def _accuracy_body(accuracy: Accuracy | None) -> dict[str, JSON] | None:
    if accuracy is None:
        return None
    drop = accuracy.drop
    return {
        "sqnr_db": accuracy.sqnr_db,
        "labelled": accuracy.labelled,
        "right": accuracy.right,
        "reference_right": accuracy.reference_right,
        "drop": None
        if drop is None
        else {
            "points": 100 * drop.value,
            "lost": drop.lost,
            "won": drop.won,
            "images": drop.images,
            "low_points": 100 * drop.low,
            "high_points": 100 * drop.high,
            "confidence": drop.confidence,
        },
    }


def _mix_body(network: Network, mix: Mix, found: Found) -> dict[str, JSON]:
    noise = mix.predicted_noise
    return {
        "unit": mix.unit,
        "int8_layers": [network.layers[index].name for index in mix.layers],
        "latency_ns": mix.latency_ns,
        "predicted_sqnr_db": None if noise is None else sqnr_db(noise),
        "accuracy": _accuracy_body(mix.accuracy),
        "reason": mix.reason,
        "on_front": any(mix.key == other.key for other in found.front),
    }


def _db(noise: float | None) -> str:
    db = None if noise is None else sqnr_db(noise)
    return "-" if db is None else f"{db:.1f}"
