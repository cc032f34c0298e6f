"""Bars: contenders side by side in groups, one under the other, or parts on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines, logarithmic, named, titled
from counterpoint.report.html.figures.palette import GREY, color, marker
from counterpoint.report.html.names import on_axis

LOG_FROM = 20
"""Values that differ by more than so many times start on a logarithmic axis."""

_LEGEND: dict[str, JSON] = {"orientation": "h", "y": -0.18, "yanchor": "top", "x": 0}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        group: Index of the group it stands in.
        value: Its length.
        low, high: Ends of the spread; ``None`` for none.
        told: Under the mouse, a line each.
    """

    group: int
    value: float
    low: float | None = None
    high: float | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one colour."""

    name: str
    bars: tuple[Bar, ...] = field(default=())


def grouped_bars(
    title: str, groups: Sequence[str], series: Sequence[Series], axis: str, note: str = ""
) -> Figure:
    """A group of bars for each name in ``groups``, one bar of each series in it."""
    values = [bar.value for one in series for bar in one.bars if bar.value > 0]
    scale: dict[str, JSON] = {"rangemode": "tozero"}
    if values and max(values) > LOG_FROM * min(values):
        scale = logarithmic(min(values) / 2, max(values) * 1.3)
    traces: list[dict[str, JSON]] = [
        {
            "type": "bar",
            "name": on_axis(one.name),
            "x": [bar.group for bar in one.bars],
            "y": [bar.value for bar in one.bars],
            "hovertext": [lines(*bar.told) for bar in one.bars],
            "hoverinfo": "text",
            "marker": marker(index),
            "error_y": _whiskers(one.bars),
        }
        for index, one in enumerate(series)
    ]
    layout: dict[str, JSON] = {
        "barmode": "group",
        "bargap": 0.18,
        "xaxis": named(groups),
        "yaxis": titled(axis, **scale),
        "legend": _LEGEND,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
        "showlegend": True,
    }
    height = 380 + 12 * len(series)
    return Figure(
        title=title, traces=traces, layout=layout, height_px=height, note=note, scale_of="y"
    )


def ranked_bars(
    title: str,
    names: Sequence[str],
    bars: Sequence[Bar],
    axis: str,
    *,
    chosen: str = "",
    note: str = "",
) -> Figure:
    """A bar for each name, in their order from above, from 0.

    Args:
        title: Above it.
        names: Beside the bars.
        bars: ``group`` is the index of its name.
        axis: What the lengths are.
        chosen: The name whose bar stands out; empty: all are alike.
        note: Below it.
    """
    trace: dict[str, JSON] = {
        "type": "bar",
        "orientation": "h",
        "y": [bar.group for bar in bars],
        "x": [bar.value for bar in bars],
        "hovertext": [lines(*bar.told) for bar in bars],
        "hoverinfo": "text",
        "marker": {
            "color": [color(0) if chosen in ("", names[bar.group]) else GREY for bar in bars]
        },
        "error_x": _whiskers(bars),
    }
    layout: dict[str, JSON] = {
        "xaxis": titled(axis, rangemode="tozero"),
        "yaxis": named(names, range=[len(names) - 0.5, -0.5]),
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
    }
    height = 90 + 34 * len(names)
    return Figure(title=title, traces=[trace], layout=layout, height_px=height, note=note)


def stacked_bars(
    title: str, rows: Sequence[str], series: Sequence[Series], axis: str, note: str = ""
) -> Figure:
    """A bar of parts for each name in ``rows``, from above; a colour for each series."""
    traces: list[dict[str, JSON]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": on_axis(one.name),
            "y": [bar.group for bar in one.bars],
            "x": [bar.value for bar in one.bars],
            "hovertext": [lines(*bar.told) for bar in one.bars],
            "hoverinfo": "text",
            "marker": marker(index),
        }
        for index, one in enumerate(series)
    ]
    layout: dict[str, JSON] = {
        "barmode": "relative",
        "xaxis": {**titled(axis), "side": "top"},
        "yaxis": named(rows, range=[len(rows) - 0.5, -0.5]),
        "legend": {
            "orientation": "h",
            "y": -0.02,
            "yanchor": "top",
            "x": 0,
            "traceorder": "normal",
        },
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "showlegend": True,
    }
    height = 150 + 36 * len(rows) + 8 * len(series)
    return Figure(title=title, traces=traces, layout=layout, height_px=height, note=note)


def _whiskers(bars: Sequence[Bar]) -> dict[str, JSON]:
    above: list[JSON] = [
        0.0 if bar.high is None else max(0.0, bar.high - bar.value) for bar in bars
    ]
    below: list[JSON] = [0.0 if bar.low is None else max(0.0, bar.value - bar.low) for bar in bars]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": GREY,
        "thickness": 1.2,
        "width": 3,
        "visible": any(above) or any(below),
    }
