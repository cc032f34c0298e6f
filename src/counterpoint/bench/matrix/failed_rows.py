"""Rows of contenders that cannot run, or failed before they were measured."""

from __future__ import annotations

from counterpoint.bench.result import Basis, Contender, Metric, Row


def failed_row(network: str, metric: Metric, contender: Contender, error: Exception | str) -> Row:
    """A row without samples that says why."""
    return Row(
        network=network,
        contender=contender,
        metric=metric,
        basis=Basis.MEASURED,
        failure=reason_of(error),
    )


def reason_of(error: Exception | str) -> str:
    """One line."""
    return "not enough memory" if isinstance(error, MemoryError) else " ".join(str(error).split())
