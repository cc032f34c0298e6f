"""Marks over two axes: fronts of Pareto, and predictions over measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines, logarithmic, titled
from counterpoint.report.html.figures.palette import GREY, color
from counterpoint.report.html.names import in_plot, on_axis

_SCALE: list[JSON] = [[0, "#3f5d9a"], [0.33, "#21918c"], [0.66, "#5ec962"], [1, "#d8c520"]]
"""Viridis without its ends, which are lost on dark paper and on white."""

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")


@dataclass(frozen=True, slots=True)
class Mark:
    """One point.

    Attributes:
        x, y: Where.
        told: Under the mouse, a line each.
        shade: What its colour tells, where the figure has a colour bar.
        kind: Which series it belongs to.
    """

    x: float
    y: float
    told: tuple[str, ...]
    shade: float | None = None
    kind: str = ""


def front(
    title: str, marks: Sequence[Mark], *, x: str, y: str, shade: str = "", note: str = ""
) -> Figure:
    """Plans or designs of which none is better in everything.

    Args:
        title: Above it.
        marks: A series for each ``kind``, with a symbol of its own.
        x: What the axis is.
        y: Likewise.
        shade: What colours tell; empty: they tell the kinds.
        note: Below it.
    """
    kinds = list(dict.fromkeys(mark.kind for mark in marks))
    shades = [mark.shade for mark in marks if mark.shade is not None]
    traces: list[dict[str, JSON]] = []
    for index, kind in enumerate(kinds):
        chosen = [mark for mark in marks if mark.kind == kind]
        fill: dict[str, JSON] = {"color": color(index)}
        if shade and shades:
            fill = {
                "color": [mark.shade for mark in chosen],
                "cmin": min(shades),
                "cmax": max(shades),
                "colorscale": _SCALE,
                "showscale": index == 0,
                "colorbar": {
                    "title": {"text": in_plot(shade), "side": "right"},
                    "thickness": 10,
                    "outlinewidth": 0,
                },
            }
        traces.append(_marks(chosen, kind, {**fill, "symbol": _SYMBOLS[index % len(_SYMBOLS)]}))
    layout: dict[str, JSON] = {
        "xaxis": titled(x, rangemode="tozero"),
        "yaxis": titled(y, rangemode="tozero"),
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        "showlegend": len(kinds) > 1,
        "hovermode": "closest",
    }
    return Figure(title=title, traces=traces, layout=layout, height_px=440, note=note)


def against_each_other(
    title: str, marks: Sequence[Mark], *, x: str, y: str, note: str = ""
) -> Figure:
    """Two values of one thing, both logarithmic, with the line on which they are equal."""
    kinds = list(dict.fromkeys(mark.kind for mark in marks))
    values = [value for mark in marks for value in (mark.x, mark.y)]
    ends = min(values) / 1.3, max(values) * 1.3
    equal: dict[str, JSON] = {
        "type": "scatter",
        "mode": "lines",
        "name": "equal",
        "x": [*ends],
        "y": [*ends],
        "hoverinfo": "skip",
        "line": {"color": GREY, "dash": "dash"},
    }
    series = [
        _marks(
            [mark for mark in marks if mark.kind == kind],
            kind,
            {"color": color(index), "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
        )
        for index, kind in enumerate(kinds)
    ]
    layout: dict[str, JSON] = {
        "xaxis": titled(x, **logarithmic(*ends)),
        "yaxis": titled(y, **logarithmic(*ends)),
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        "margin": {"l": 10, "r": 10, "t": 15, "b": 10},
        "showlegend": True,
        "hovermode": "closest",
    }
    return Figure(title=title, traces=[equal, *series], layout=layout, height_px=440, note=note)


def _marks(marks: Sequence[Mark], name: str, marker: dict[str, JSON]) -> dict[str, JSON]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": on_axis(name),
        "x": [mark.x for mark in marks],
        "y": [mark.y for mark in marks],
        "hovertext": [lines(*mark.told) for mark in marks],
        "hoverinfo": "text",
        "marker": {"size": 11, "line": {"width": 1, "color": GREY}, **marker},
    }
