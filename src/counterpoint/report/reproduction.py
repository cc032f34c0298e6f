"""Published results beside predictions and plans: tables, a document, and a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.report.document import JSON, Document, document, finite
from counterpoint.report.quantities import UNKNOWN
from counterpoint.report.tables import add_row, table
from counterpoint.reproduce.figure import Figure, Reproduction

_LEFT = ("figure",)
_RIGHT = ("published", "model", "error", "planner", "bound", "bar")
_HOLDS = {True: "met", False: "missed", None: ""}


def reproduction_document(reproductions: Sequence[Reproduction]) -> Document:
    """For programs."""
    return document(
        "reproduction-report",
        {"reproductions": [_reproduction(one) for one in reproductions]},
    )


def reproduction_tables(reproductions: Sequence[Reproduction]) -> list[RenderableType]:
    """For people."""
    parts: list[RenderableType] = []
    for one in reproductions:
        rows = table(f"{one.name}: {one.title}", _LEFT, _RIGHT)
        rows.add_column("note", justify="left", overflow="fold")
        for figure in one.figures:
            add_row(rows, *_cells(figure))
        parts += [rows, ""]
        parts += [f"source: {source}" for source in one.sources]
        parts += [*one.notes, ""]
    return [*parts, verdict(reproductions)]


def reproduction_page(reproductions: Sequence[Reproduction]) -> str:
    """A page of Markdown, which says by which command it was made."""
    lines = [
        "# Reproduced",
        "",
        "What publications say, what our models predict for it, and what our planners find beyond "
        "it. Made by `counterpoint reproduce --page docs/reproduced.md`.",
        "",
        "`x`: times as fast as the reference. Errors of `%` are in points. A bar is for the "
        "planner where the figure is of a plan, else for the model. `bound`: nothing is better "
        "under the same costs.",
        "",
        verdict(reproductions),
    ]
    for one in reproductions:
        lines += ["", f"## {one.name}", "", f"{one.title}.", ""]
        lines += ["| " + " | ".join((*_LEFT, *_RIGHT, "note")) + " |"]
        lines += ["|---|" + "---:|" * len(_RIGHT) + "---|"]
        lines += ["| " + " | ".join(map(_escaped, _cells(figure))) + " |" for figure in one.figures]
        lines += ["", *(f"* {note}" for note in one.notes)]
        lines += ["", *(f"Source: {source}  " for source in one.sources)]
    return "\n".join(lines).rstrip() + "\n"


def verdict(reproductions: Sequence[Reproduction]) -> str:
    """How many bars are met, and which are not, in one line."""
    judged = [figure for one in reproductions for figure in one.figures if figure.holds is not None]
    missed = [figure.what for one in reproductions for figure in one.missed]
    told = f"{len(judged) - len(missed)} of {len(judged)} bars met"
    return f"{told}; missed: {'; '.join(missed)}" if missed else told


def figure_value(value: float | None, unit: str) -> str:
    """``1.97 x``, ``100.9 ms``, ``4.58 %``."""
    if value is None:
        return UNKNOWN
    decimals = 2 if abs(value) < 99.995 else 1
    return f"{value:.{decimals}f} {unit}"


def _cells(figure: Figure) -> tuple[str, ...]:
    values = (figure.published, figure.model, figure.planner, figure.bound)
    published, model, planner, bound = (
        "" if value is None else figure_value(value, figure.unit) for value in values
    )
    bar = "" if figure.bar is None else f"{figure.bar.text}: {_HOLDS[figure.holds]}"
    return (figure.what, published, model, _error(figure), planner, bound, bar, figure.note)


def _error(figure: Figure) -> str:
    if figure.error is None:
        return ""
    return f"{figure.error:+.2f}" if figure.unit == "%" else f"{100 * figure.error:+.1f} %"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _reproduction(one: Reproduction) -> dict[str, JSON]:
    return {
        "name": one.name,
        "title": one.title,
        "sources": list(one.sources),
        "notes": list(one.notes),
        "figures": [
            {
                "what": figure.what,
                "unit": figure.unit,
                "published": finite(figure.published),
                "model": finite(figure.model),
                "error": finite(figure.error),
                "planner": finite(figure.planner),
                "bound": finite(figure.bound),
                "bar": None if figure.bar is None else figure.bar.text,
                "bar_is_for": "planner" if figure.judges_planner else "model",
                "holds": figure.holds,
                "note": figure.note,
            }
            for figure in one.figures
        ],
    }
