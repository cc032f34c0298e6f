"""What the records of a bench say, in a list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.bench.result import Insight
from counterpoint.report.document import JSON
from counterpoint.report.tables import add_row, table

_HOLDS = {True: "holds", False: "does not hold", None: ""}


def insights_body(found: Sequence[Insight]) -> list[JSON]:
    """For programs."""
    return [
        {
            "name": insight.name,
            "text": insight.text,
            "holds": insight.holds,
            "rows": list(insight.rows),
        }
        for insight in found
    ]


def insight_tables(found: Sequence[Insight]) -> list[RenderableType]:
    """For people; nothing where nothing was found."""
    if not found:
        return []
    rows = table("What it says", ["finding", "here", "figures"])
    for insight in found:
        add_row(rows, insight.name, _HOLDS[insight.holds], insight.text)
    return [rows]
