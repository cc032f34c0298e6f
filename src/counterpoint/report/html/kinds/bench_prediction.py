"""What planners expected, over what a clock said."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from counterpoint.bench.result import Basis, Row
from counterpoint.report.html.content import Section, Text
from counterpoint.report.html.figures.scatter import Mark, against_each_other
from counterpoint.report.html.kinds.bench_matrix import prediction_error
from counterpoint.report.quantities import duration, percent


def prediction_section(rows: Sequence[Row]) -> Section:
    """Empty where nothing was both predicted and measured."""
    pairs = [
        (row, error)
        for row in rows
        if row.basis is Basis.MEASURED and (error := prediction_error(row)) is not None
    ]
    drawn = [(row, error) for row, error in pairs if row.predicted_ns and row.samples]
    if not drawn:
        return Section("Predictions", ())
    errors = [abs(error) for _, error in pairs]
    text = Text(
        f"The median prediction is {percent(statistics.median(errors))} off, the worst "
        f"{percent(max(errors))}, of {len(errors)}."
    )
    marks = [
        Mark(
            row.samples.median_ns / row.images_per_sample / 1e6,
            (row.predicted_ns or 0) / row.images_per_sample / 1e6,
            (
                row.contender.name,
                f"{row.network}, {row.metric}",
                f"predicted {duration(row.predicted_ns)}, "
                f"measured {duration(row.samples.median_ns)} ({percent(error)})",
            ),
            kind=row.metric,
        )
        for row, error in drawn
        if row.samples is not None
    ]
    figure = against_each_other(
        "Predicted over measured time of an image",
        marks,
        x="measured, ms",
        y="predicted, ms",
        note="On the dashed line a prediction is exact; above it the planner was too careful.",
    )
    return Section("Predictions", (text, figure))
