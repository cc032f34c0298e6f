"""Published, predicted and planned as a drawing: each figure in parts of what was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from counterpoint.frames.files import printable
from counterpoint.report.reproduction import figure_value
from counterpoint.reproduce.figure import Figure, Reproduction

WIDTH = 980
LEFT, RIGHT, TOP, ROW = 540, 60, 60, 20
LEAST_SPAN = 1.5
"""The axis goes from 0 to at least so many times what was published."""

TICK = 0.25


def reproduction_svg(reproductions: Sequence[Reproduction]) -> str:
    """An SVG document with a row for each published figure.

    The line at 1 is the published value; a full circle is the model's, an empty one the
    planner's. Figures in percent and those without a published value are left to the tables: a
    gain of 0.01 % has no useful multiples.

    Args:
        reproductions: What to draw.
    """
    rows = [figure for one in reproductions for figure in one.figures if _parts(figure)]
    height = TOP + ROW * max(1, len(rows)) + 30
    most = max([LEAST_SPAN, *(part for figure in rows for part, _, _ in _parts(figure))])
    key = "line: published; full: predicted; empty: planned"
    body = [
        _text(10, 24, "Reproduced, in parts of what was published", size=15),
        _text(10, 44, key),
    ]
    if not rows:
        body.append(_text(10, TOP + ROW, "no figure has a published value"))
    body += _rows(rows, most, height)
    drawn = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n{drawn}\n</svg>\n'
    )


def _rows(rows: Sequence[Figure], most: float, height: int) -> Iterator[str]:
    def across(part: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * part / most

    for tick in range(int(most / TICK) + 1) if rows else ():
        x = across(TICK * tick)
        colour = "#147" if TICK * tick == 1 else "#ddd"
        yield _line((x, TOP), (x, height - 30), colour)
        if tick % max(1, int(most / LEAST_SPAN)) == 0:
            yield _text(x, height - 12, f"{TICK * tick:g}", anchor="middle")
    for number, figure in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        yield _text(LEFT - 8, y + 4, figure.what, anchor="end")
        for part, fill, value in _parts(figure):
            title = f"{value} where {figure_value(figure.published, figure.unit)} was published"
            yield (
                f'<circle cx="{across(part):.1f}" cy="{y:.1f}" r="4" fill="{fill}" '
                f'stroke="#147"><title>{escape(printable(title))}</title></circle>'
            )


def _parts(figure: Figure) -> list[tuple[float, str, str]]:
    """Part of the published value, colour and text of each circle."""
    if not figure.published or figure.unit == "%":
        return []
    return [
        (max(0.0, value / figure.published), fill, figure_value(value, figure.unit))
        for value, fill in ((figure.model, "#147"), (figure.planner, "white"))
        if value is not None
    ]


def _line(start: Sequence[float], end: Sequence[float], colour: str) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
        f'x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{colour}"/>'
    )


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(printable(text))}</text>"
    )
