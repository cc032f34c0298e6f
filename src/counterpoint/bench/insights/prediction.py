"""How well the cost tables foretold what was measured."""

from __future__ import annotations

from statistics import median

from counterpoint.bench.insights.figures import ms, percent, row_label
from counterpoint.bench.result import Basis, BenchResult, Insight, Row


def prediction_error(result: BenchResult) -> tuple[Insight, ...]:
    """Relative errors of all predictions whose runs were measured."""
    errors: list[tuple[float, Row]] = []
    for row in result.rows:
        found = row.samples
        if row.basis is not Basis.MEASURED or row.predicted_ns is None or found is None:
            continue
        if found.median_ns:
            errors.append((row.predicted_ns / found.median_ns - 1, row))
    if not errors:
        return ()
    sizes = sorted(abs(error) for error, _ in errors)
    middle, worst = median(sizes), max(errors, key=lambda item: abs(item[0]))
    within = sum(size <= 0.1 for size in sizes)
    row = worst[1]
    took = ms(row.samples.median_ns) if row.samples is not None else "?"
    text = (
        f"The cost tables' predictions are off by {percent(middle)} in the median over "
        f"{len(errors)} rows ({within} within 10 %; on the whole they are "
        f"{percent(abs(median(error for error, _ in errors)))} too "
        f"{'low' if median(error for error, _ in errors) < 0 else 'high'}); worst: "
        f"{row.network} on {row.contender.name}, {ms(row.predicted_ns or 0)} against {took}"
    )
    return (Insight("prediction-error", text, tuple(row_label(row) for _, row in errors)),)
