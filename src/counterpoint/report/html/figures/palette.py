"""Colours that can be told apart on white paper and on dark.

Each has a contrast of at least 3.3 : 1 to both of the page's backgrounds (WCAG 2.1 asks 3 : 1 for
graphics). Where a figure needs more, the same colours come again hatched.
"""

from __future__ import annotations

from counterpoint.report.document import JSON

COLORS = (
    "#2f7fc1",
    "#d9702b",
    "#2f9a62",
    "#c8505a",
    "#8868c8",
    "#0f93a5",
    "#b0722f",
    "#c4569b",
    "#7b8a35",
    "#74808c",
)

GREY = "#808890"
"""For what is no series of its own: whiskers, diagonals, borders."""

_HATCHES = ("", "/", "\\", "x", "-", "|", "+", ".")


def color(index: int) -> str:
    """Of the series with that index."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> dict[str, JSON]:
    """Fill of a bar of the series with that index."""
    hatch = _HATCHES[index // len(COLORS) % len(_HATCHES)]
    made: dict[str, JSON] = {"color": color(index)}
    return {**made, "pattern": {"shape": hatch}} if hatch else made
