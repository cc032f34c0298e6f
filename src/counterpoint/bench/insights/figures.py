"""Numbers inside of sentences, and the names of the records behind them."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.bench.result import Breakdown, RooflinePoint, Row


def ms(time_ns: float) -> str:
    """``12.3 ms``: three digits."""
    return f"{_three(time_ns / 1e6)} ms"


def percent(part: float) -> str:
    """``12 %``; one decimal below ten."""
    value = 100 * part
    return f"{value:.1f} %" if abs(value) < 9.95 else f"{value:.0f} %"


def times(ratio: float) -> str:
    """``2.3 times``."""
    return f"{_three(ratio)} times"


def gop(operations: float) -> str:
    """``1.14 GOP``, two operations a multiply-add."""
    return f"{_three(operations / 1e9)} GOP"


def listed(items: Sequence[str], most: int = 4) -> str:
    """``a, b and 3 more``."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[: most - 1])} and {len(items) - most + 1} more"


def row_label(row: Row) -> str:
    """Network, who ran, and by which metric."""
    return f"{row.network} / {row.contender.name} / {row.metric}"


def breakdown_label(breakdown: Breakdown) -> str:
    """Network, who ran, and what was done to the network."""
    label = f"{breakdown.network} / {breakdown.contender.name} / breakdown"
    return f"{label} ({breakdown.variant})" if breakdown.variant else label


def point_label(point: RooflinePoint) -> str:
    """Network, unit and layer."""
    return f"{point.network} / {point.unit} / {point.layer}"


def _three(value: float) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{decimals}f}"
