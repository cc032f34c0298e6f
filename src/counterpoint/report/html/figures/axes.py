"""Axes whose ticks are names.

Categories are numbered, and their names are only shown: two names that look alike when they are cut
to fit stay two categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from counterpoint.report.document import JSON
from counterpoint.report.html.names import in_plot, on_axis

_DECADES = 1e4
"""Over more, ticks at 2 and 5 would stand too close."""


def named(names: Sequence[str], **more: JSON) -> dict[str, JSON]:
    """An axis with a tick at 0, 1, 2, ... for each name; a name may have lines."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": ["<br>".join(map(on_axis, name.split("\n"))) for name in names],
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "range": [-0.5, len(names) - 0.5],
        **more,
    }


def titled(title: str, **more: JSON) -> dict[str, JSON]:
    """An axis of numbers."""
    return {"title": {"text": in_plot(title), "standoff": 8}, **more}


def logarithmic(low: float, high: float) -> dict[str, JSON]:
    """What makes an axis from ``low`` to ``high``, above 0, logarithmic, with ticks at 1, 2, 5."""
    ends: list[JSON] = [log10(low), log10(high)]
    return {"type": "log", "dtick": "D2" if high / low < _DECADES else 1, "range": ends}


def lines(*texts: str) -> str:
    """What a label under the mouse says, a line each; empty lines are left out."""
    return "<br>".join(in_plot(text, 100) for text in texts if text)
