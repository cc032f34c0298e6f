"""What the records of a bench say, as sentences with figures: the list of all findings."""

from __future__ import annotations

from collections.abc import Callable

from counterpoint.bench.insights.machine import layers_that_lose, what_to_change
from counterpoint.bench.insights.networks import (
    batching,
    more_operations_less_time,
    published_orders,
)
from counterpoint.bench.insights.overhead import batchnorm_share, overhead_by_threads
from counterpoint.bench.insights.prediction import prediction_error
from counterpoint.bench.result import BenchResult, Insight

Finding = Callable[[BenchResult], tuple[Insight, ...]]

FINDINGS: tuple[Finding, ...] = (
    more_operations_less_time,
    published_orders,
    batching,
    batchnorm_share,
    overhead_by_threads,
    layers_that_lose,
    what_to_change,
    prediction_error,
)
"""Each finds what it can in the records that are there, and nothing where they are not."""


def insights(result: BenchResult) -> tuple[Insight, ...]:
    """Everything that the records say; each with the records behind it."""
    return tuple(found for finding in FINDINGS for found in finding(result))
