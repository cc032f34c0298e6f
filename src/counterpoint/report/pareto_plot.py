"""A front as a drawing: time against energy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from counterpoint.frames.files import printable
from counterpoint.planning.pareto import ParetoFront
from counterpoint.report.pareto import units_text
from counterpoint.report.quantities import duration, energy

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 60, 50
TICKS = 5


def pareto_svg(name: str, front: ParetoFront) -> str:
    """An SVG document, with each plan at two places joined by a line.

    A full circle is the latency of one frame alone, an empty one the mean time between frames with
    many under way; both at the energy of a frame. Axes begin at 0, so that lengths compare.

    Args:
        name: Of the network.
        front: What to draw; without points there is only the reason.
    """
    title = f"{name}: energy of a frame against its time"
    key = "full: latency of one frame alone; empty: time between frames, many under way"
    parts = [_text(LEFT, 24, title, size=15), _text(LEFT, 44, front.reason or key)]
    if front.points:
        parts += _plot(front)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _plot(front: ParetoFront) -> Iterator[str]:
    most_ns = max(1, *(point.latency_ns for point in front.points))
    most_pj = max(1, *(point.energy_pj for point in front.points))

    def across(time_ns: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * time_ns / most_ns

    def down(energy_pj: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * energy_pj / most_pj

    for tick in range(TICKS + 1):
        x, y = across(most_ns * tick / TICKS), down(most_pj * tick / TICKS)
        yield _line((x, TOP), (x, HEIGHT - BOTTOM), "#ddd")
        yield _line((LEFT, y), (WIDTH - RIGHT, y), "#ddd")
        yield _text(x, HEIGHT - BOTTOM + 20, duration(most_ns * tick / TICKS), anchor="middle")
        yield _text(LEFT - 8, y + 4, energy(most_pj * tick / TICKS), anchor="end")
    for point in front.points:
        y = down(point.energy_pj)
        alone, dense = across(point.latency_ns), across(point.interval_ns)
        yield _line((dense, y), (alone, y), "#9bc")
        yield _circle(alone, y, "#147", units_text(point))
        yield _circle(dense, y, "white", units_text(point))


def _circle(x: float, y: float, fill: str, title: str) -> str:
    """With a text that is shown when the mouse is on it."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="#147">'
        f"<title>{escape(printable(title))}</title></circle>"
    )


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
