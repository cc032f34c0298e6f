"""The front of an exploration as a drawing: throughput over area, coloured by PE efficiency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from counterpoint.explore.findings import Findings, Point
from counterpoint.frames.files import printable
from counterpoint.report.quantities import number, percent

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 64, 56
TICKS = 5

_SHAPES = ("circle", "square", "diamond", "triangle")
"""For one, two, three and four cores."""


def exploration_svg(findings: Findings) -> str:
    """An SVG document with a mark for each design of the front.

    Its shape is the number of cores, its darkness the PE efficiency; the mouse shows the cores.
    Both axes begin at 0, so that lengths compare.

    Args:
        findings: What to draw; without designs there is only the heading.
    """
    front = findings.front()
    unit = findings.space.area_unit
    title = f"{findings.workload.name}: images/s over {unit}"
    counts = sorted({len(point.design.cores) for point in front})
    shapes = [f"{_SHAPES[cores - 1]}: {cores}" for cores in counts]
    key = f"cores - {', '.join(shapes)}; the darker, the more PE efficiency" if front else "nothing"
    parts = [_text(LEFT, 24, title, size=15), _text(LEFT, 44, key), *_plot(front, unit)]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _plot(front: Sequence[Point], unit: str) -> Iterator[str]:
    if not front:
        return
    most_area = max(point.area for point in front)
    most_rate = max(point.images_per_s for point in front)
    efficient = max(point.efficiency for point in front)

    def across(area: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * area / most_area

    def down(rate: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / most_rate

    for tick in range(TICKS + 1):
        x, y = across(most_area * tick / TICKS), down(most_rate * tick / TICKS)
        yield _line((x, TOP), (x, HEIGHT - BOTTOM))
        yield _line((LEFT, y), (WIDTH - RIGHT, y))
        yield _text(x, HEIGHT - BOTTOM + 18, f"{most_area * tick / TICKS:.0f}", anchor="middle")
        yield _text(LEFT - 8, y + 4, number(most_rate * tick / TICKS), anchor="end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, unit, anchor="middle")
    for point in front:
        light = round(85 - 60 * point.efficiency / efficient)
        place = across(point.area), down(point.images_per_s)
        told = (
            f"{point.cores_text}: {number(point.images_per_s)} images/s, "
            f"{percent(point.efficiency)}, {point.area} {unit}"
        )
        yield _mark(place, len(point.design.cores), f"hsl(208,70%,{light}%)", told)


def _mark(place: tuple[float, float], cores: int, fill: str, title: str) -> str:
    x, y = place
    corners = {
        2: ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        3: ((0, -6), (6, 0), (0, 6), (-6, 0)),
        4: ((0, -6), (6, 5), (-6, 5)),
    }.get(cores)
    told = f"<title>{escape(printable(title))}</title>"
    if corners is None:
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="#147">{told}</circle>'
        )
    points = " ".join(f"{x + right:.1f},{y + low:.1f}" for right, low in corners)
    return f'<polygon points="{points}" fill="{fill}" stroke="#147">{told}</polygon>'


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
        f'x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="#ddd"/>'
    )


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(printable(text))}</text>"
    )
