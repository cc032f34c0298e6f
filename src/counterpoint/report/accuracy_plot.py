"""Mixes of precisions as a drawing: time against noise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from counterpoint.frames.files import printable
from counterpoint.report.quantities import duration
from counterpoint.tuning.accuracy import sqnr_db
from counterpoint.tuning.mixed_precision import Found
from counterpoint.tuning.mixes import Mix

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 60, 50
TICKS = 5


def accuracy_svg(name: str, found: Found) -> str:
    """An SVG document: a circle for each mix, full where it was judged and keeps the budget.

    Right is slower, up is less noise: the SQNR on the held-back images, or the predicted one where
    nobody looked (a dashed circle). A line joins those of which none is slower and noisier than
    another. Time begins at 0.

    Args:
        name: Of the network.
        found: What was tried; without mixes there is only the reason.
    """
    title = f"{name}: noise of mixes against the time of a frame"
    shown = [mix for mix in found.mixes if _db(mix) is not None]
    key = "full: keeps the budget; empty: breaks it; dashed: as predicted, not judged"
    if not shown:
        key = "; ".join(found.notes) or "no mix of precisions was tried"
    parts = [_text(LEFT, 24, title, size=15), _text(LEFT, 44, key)]
    parts += _plot(shown, found)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _plot(shown: list[Mix], found: Found) -> Iterator[str]:
    if not shown:
        return
    most_ns = max(1, *(mix.latency_ns for mix in shown))
    levels = [_db(mix) or 0.0 for mix in shown]
    low, high = min(levels) - 1, max(levels) + 1

    def across(time_ns: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * time_ns / most_ns

    def down(db: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (db - low) / (high - low)

    for tick in range(TICKS + 1):
        x, db = across(most_ns * tick / TICKS), low + (high - low) * tick / TICKS
        yield _line(x, TOP, x, HEIGHT - BOTTOM, "#ddd")
        yield _line(LEFT, down(db), WIDTH - RIGHT, down(db), "#ddd")
        yield _text(x, HEIGHT - BOTTOM + 20, duration(most_ns * tick / TICKS), anchor="middle")
        yield _text(LEFT - 8, down(db) + 4, f"{db:.0f} dB", anchor="end")
    front = [(across(mix.latency_ns), down(_db(mix) or 0.0)) for mix in found.front if _db(mix)]
    for (x, y), (to_x, to_y) in pairwise(front):
        yield _line(x, y, to_x, to_y, "#9bc")
    for mix in shown:
        dash = ' stroke-dasharray="2 2"' if mix.accuracy is None else ""
        fill = "#147" if mix.accuracy is not None and mix.reason is None else "white"
        yield (
            f'<circle cx="{across(mix.latency_ns):.1f}" cy="{down(_db(mix) or 0.0):.1f}" r="5" '
            f'fill="{fill}" stroke="#147"{dash}>'
            f"<title>{escape(printable(found.label(mix)))}</title></circle>"
        )


def _db(mix: Mix) -> float | None:
    noise = mix.predicted_noise if mix.accuracy is None else mix.accuracy.noise
    return None if noise is None else sqnr_db(noise)


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(printable(text))}</text>"
    )
