"""A matrix of numbers, coloured by how far each is from the best of its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines, named
from counterpoint.report.html.names import in_plot

MOST_TIMES = 16
"""Beyond, colours no longer tell."""

_DARK_FROM = 0.56
"""Part of the scale beyond which white text has more contrast than black, at least 4 : 1."""

_ROW_PX, _FRAME_PX = 34, 150


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One field.

    Attributes:
        shown: In the field.
        times_best: How many times worse than the best of its column, from 1; ``None``: nothing to
            compare, e.g. a failure.
        told: Under the mouse, a line each.
    """

    shown: str
    times_best: float | None
    told: tuple[str, ...]


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], HeatCell],
    note: str,
) -> Figure:
    """Args: ``cells`` by row and column; a field without one stays empty."""
    grid = [
        [cells.get((row, column)) for column in range(len(columns))] for row in range(len(rows))
    ]
    trace: dict[str, JSON] = {
        "type": "heatmap",
        "z": [[_depth(cell) for cell in line] for line in grid],
        "text": [[_ink(cell) if cell else "" for cell in line] for line in grid],
        "hovertext": [[lines(*cell.told) if cell else "" for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "hoverinfo": "text",
        "hoverongaps": False,
        "textfont": {"size": 11},
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "zmax": log2(MOST_TIMES),
        "colorscale": "Viridis",
        "reversescale": True,
        "colorbar": {
            "title": {"text": "times the best", "side": "right"},
            "tickvals": [0, 1, 2, 3, 4],
            "ticktext": ["1", "2", "4", "8", "16 +"],
            "thickness": 10,
            "outlinewidth": 0,
        },
    }
    layout: dict[str, JSON] = {
        "xaxis": named(columns, side="top"),
        "yaxis": named(rows, range=[len(rows) - 0.5, -0.5]),
        "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        "annotations": [
            _beside(row, column, cell)
            for (row, column), cell in cells.items()
            if cell.times_best is None
        ],
    }
    return Figure(
        title=title,
        traces=[trace],
        layout=layout,
        height_px=_FRAME_PX + _ROW_PX * len(rows),
        note=note,
    )


def _depth(cell: HeatCell | None) -> float | None:
    if cell is None or cell.times_best is None:
        return None
    return log2(min(max(cell.times_best, 1.0), MOST_TIMES))


def _ink(cell: HeatCell) -> str:
    """The text in the colour that stands out: Viridis is lighter than 18 % grey up to there."""
    ink = "#ffffff" if (_depth(cell) or 0.0) > _DARK_FROM * log2(MOST_TIMES) else "#101010"
    return f'<span style="color:{ink}">{in_plot(cell.shown)}</span>'


def _beside(row: int, column: int, cell: HeatCell) -> dict[str, JSON]:
    """Text in a field without colour, which the heat map itself leaves empty."""
    return {
        "x": column,
        "y": row,
        "text": in_plot(cell.shown),
        "hovertext": lines(*cell.told),
        "showarrow": False,
    }
