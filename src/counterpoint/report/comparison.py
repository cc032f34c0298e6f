"""Contenders that were timed in turn: rows of a table, and what a document says of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType

from counterpoint.measure.sampling import Comparison
from counterpoint.report.document import JSON, finite
from counterpoint.report.quantities import factor
from counterpoint.report.tables import add_row, table


def comparison_table(
    title: str,
    headings: Sequence[str],
    comparison: Comparison,
    winner: str,
    cells: Callable[[str], tuple[object, ...]],
    *,
    as_speed: bool = False,
) -> RenderableType:
    """A row for each contender, the fastest first; the winner's stands out.

    Args:
        title: Above the table.
        headings: Of the columns of ``cells``.
        comparison: What was measured.
        winner: The plan's contender.
        cells: What is told of a contender before its ratio to the plan.
        as_speed: The ratio is of speeds and not of times: more is better.
    """
    rows = table(title, ["", "contender"], [*headings, "to the plan", "spread"])
    samples = comparison.samples
    for label in sorted(samples, key=lambda name: samples[name].median_ns):
        chosen = label == winner
        ratio, low, high = comparison.ratio(label, winner)
        if as_speed:
            ratio, low, high = 1 / ratio, 1 / high, 1 / low
        add_row(
            rows,
            "*" if chosen else "",
            f"{label} (this plan)" if chosen else label,
            *cells(label),
            factor(ratio),
            "" if chosen else f"{low:.2f} .. {high:.2f}",
            style="bold" if chosen else None,
        )
    return rows


def contender_body(
    comparison: Comparison, label: str, winner: str, *, as_installed: bool, **told: JSON
) -> dict[str, JSON]:
    """A contender for programs, with its time over the plan's.

    Args:
        comparison: What was measured.
        label: The contender.
        winner: The plan's.
        as_installed: It is an engine's documented default call.
        told: What else there is to say.
    """
    ratio, low, high = comparison.ratio(label, winner)
    return {
        "label": label,
        "is_plan": label == winner,
        "as_installed": as_installed,
        **told,
        "ratio_to_plan": {"median": finite(ratio), "low": finite(low), "high": finite(high)},
    }
