"""Layers against what their unit can do at most.

The roofline of S. Williams, A. Waterman, D. Patterson (*Roofline: an insightful visual performance
model*, CACM 52(4), 2009): no layer exceeds the arithmetic's peak, nor the memory's bandwidth times
the layer's operations a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

from counterpoint.bench.result import Bound, RooflinePoint
from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines, titled
from counterpoint.report.html.figures.palette import GREY, color
from counterpoint.report.html.names import on_axis
from counterpoint.report.quantities import count, duration, number, operations_rate, size

_LOOKS = {Bound.COMPUTE: (0, "circle"), Bound.MEMORY: (1, "square"), Bound.OVERHEAD: (3, "diamond")}
"""Colour and symbol."""

_LEAST_PX, _MOST_PX = 6, 26


def can_be_drawn(point: RooflinePoint) -> bool:
    """A logarithmic axis has no place for a layer without arithmetic, bytes or time."""
    return min(point.operations, point.moved_bytes, point.time_ns) > 0


def roofline_figure(
    title: str,
    points: Sequence[RooflinePoint],
    operations_per_s: float | None,
    bytes_per_s: float | None,
    note: str = "",
) -> Figure:
    """A mark for each layer: as large as its part of the time, coloured by what bounds it.

    Args:
        title: Above it.
        points: Of one network on one unit; all of them can be drawn.
        operations_per_s: The unit's peak; ``None``: not known, so there is no roof.
        bytes_per_s: The memory's; likewise.
        note: Below it.
    """
    longest_ns = max((point.time_ns for point in points), default=1)
    traces = [
        _marks(chosen, bound, longest_ns)
        for bound in Bound
        if (chosen := [point for point in points if point.bound is bound])
    ]
    roof = _roof(points, operations_per_s, bytes_per_s)
    layout: dict[str, JSON] = {
        "xaxis": titled("operations a byte", type="log", dtick=1),
        "yaxis": titled("GFLOP/s", type="log", dtick=1),
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        "margin": {"l": 10, "r": 10, "t": 15, "b": 10},
        "showlegend": True,
        "hovermode": "closest",
    }
    return Figure(title=title, traces=[*roof, *traces], layout=layout, height_px=500, note=note)


def _marks(points: Sequence[RooflinePoint], bound: Bound, longest_ns: int) -> dict[str, JSON]:
    index, symbol = _LOOKS[bound]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": str(bound),
        "x": [point.operations / point.moved_bytes for point in points],
        "y": [point.operations / point.time_ns for point in points],
        "hovertext": [_told(point) for point in points],
        "hoverinfo": "text",
        "marker": {
            "symbol": symbol,
            "color": color(index),
            "opacity": 0.75,
            "line": {"width": 0.5, "color": GREY},
            "size": [
                _LEAST_PX + (_MOST_PX - _LEAST_PX) * sqrt(point.time_ns / longest_ns)
                for point in points
            ],
        },
    }


def _told(point: RooflinePoint) -> str:
    times = point.time_ns / point.roof_ns if point.roof_ns else None
    return lines(
        f"{point.layer} ({point.layer_type})",
        point.network,
        f"{duration(point.time_ns)}, the roof allows {duration(point.roof_ns)}"
        + ("" if times is None else f": {number(times)} times"),
        f"{count(point.operations)} operations, {size(point.moved_bytes)}",
        operations_rate(point.operations * 1e9 / point.time_ns),
        str(point.bound),
    )


def _roof(
    points: Sequence[RooflinePoint], operations_per_s: float | None, bytes_per_s: float | None
) -> list[dict[str, JSON]]:
    """A line along the lower of the two limits, over all points and the ridge between the two."""
    if not points or not (operations_per_s or bytes_per_s):
        return []
    corners = [point.operations / point.moved_bytes for point in points]
    names = ["memory"]
    if operations_per_s and bytes_per_s:
        corners.append(operations_per_s / bytes_per_s)
    if operations_per_s:
        names = [f"peak {operations_rate(operations_per_s)}", *(names if bytes_per_s else [])]
    # Straight on logarithmic axes: two ends and the ridge are enough.
    x = sorted({min(corners) / 2, *corners[len(points) :], max(corners) * 2})
    tops: list[JSON] = [
        min(operations_per_s or inf, place * bytes_per_s if bytes_per_s else inf) / 1e9
        for place in x
    ]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": on_axis(", ".join(names)),
            "x": list(x),
            "y": tops,
            "hoverinfo": "skip",
            "line": {"color": GREY, "width": 2},
        }
    ]
