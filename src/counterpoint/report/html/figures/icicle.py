"""Where the time of one run went, from the whole down to layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.bench.result import Function, Part
from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines
from counterpoint.report.html.figures.palette import GREY, color
from counterpoint.report.html.names import on_axis
from counterpoint.report.quantities import duration, percent

FUNCTION_INDEX = {function: index for index, function in enumerate(Function)}
"""Colours of functions, the same in all figures."""

NO_TYPE = "other"
"""Parts without type of layer stand under it."""


@dataclass(slots=True)
class _Node:
    """A field: its place in the tree by name, and the sum of what is in it."""

    label: str
    parent: str
    color: str
    time_ns: int = 0


def icicle(title: str, parts: Sequence[Part], note: str = "") -> Figure:
    """Fields as wide as their time: the whole, functions, types of layers, layers.

    Parts below zero have no width and are left out: the reader is to be told by ``note``.
    """
    nodes = _tree([part for part in parts if part.time_ns > 0])
    whole_ns = nodes[""].time_ns if "" in nodes else 0
    trace: dict[str, JSON] = {
        "type": "icicle",
        "ids": [f"/{name}" for name in nodes],
        "labels": [on_axis(node.label) for node in nodes.values()],
        "parents": [f"/{node.parent}" if name else "" for name, node in nodes.items()],
        "values": [node.time_ns for node in nodes.values()],
        "hovertext": [
            lines(
                node.label,
                duration(node.time_ns),
                percent(node.time_ns / whole_ns if whole_ns else None) + " of the whole",
            )
            for node in nodes.values()
        ],
        "hoverinfo": "text",
        "branchvalues": "total",
        "textinfo": "label+percent root",
        "sort": True,
        "maxdepth": 4,
        "tiling": {"orientation": "v", "pad": 1},
        "marker": {
            "colors": [node.color for node in nodes.values()],
            "line": {"width": 0.5, "color": "#ffffff"},
        },
        "pathbar": {"visible": True},
    }
    layout: dict[str, JSON] = {
        "margin": {"l": 4, "r": 4, "t": 28, "b": 4},
        "uniformtext": {"minsize": 8, "mode": "hide"},
    }
    return Figure(title=title, traces=[trace], layout=layout, height_px=420, note=note)


def _tree(parts: Sequence[Part]) -> dict[str, _Node]:
    """Nodes by path; a stranger's name is only a label, and its number stands in the path."""
    nodes: dict[str, _Node] = {}
    numbers: dict[str, int] = {}
    for part in parts:
        fill = color(FUNCTION_INDEX[part.function])
        steps = [("", "one run", GREY), (f"{FUNCTION_INDEX[part.function]}", part.function, fill)]
        for name in (part.layer_type or (NO_TYPE if part.layer else ""), part.layer):
            if name:
                number = numbers.setdefault(name, len(numbers))
                steps.append((f"{steps[-1][0]}.{number}", name, fill))
        parent = ""
        for path, label, shade in steps:
            nodes.setdefault(path, _Node(label, parent, shade)).time_ns += part.time_ns
            parent = path
    return nodes
