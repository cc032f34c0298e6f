"""Findings about what is not arithmetic: BatchNorm, and threads."""

from __future__ import annotations

from collections.abc import Iterable

from counterpoint.bench.breakdown.layer_types import BATCHNORM
from counterpoint.bench.insights.figures import breakdown_label, ms, percent
from counterpoint.bench.result import BenchResult, Breakdown, Function, Insight

RUNTIME = (Function.WAITING, Function.WAKE_UP, Function.FRAMEWORK)
"""What Xu et al. (NPC 2019) call runtime overhead: yielding, locking, switching."""


def batchnorm_share(result: BenchResult) -> tuple[Insight, ...]:
    """BatchNorm's part of the time against its part of the operations, and the time without it."""
    insights = []
    for kept in result.breakdowns:
        own_ns = sum(part.time_ns for part in kept.parts if part.layer_type == BATCHNORM)
        if not own_ns or not kept.whole_ns:
            continue
        share = own_ns / kept.whole_ns
        text = (
            f"BatchNorm takes {percent(share)} of {kept.network} on {kept.contender.name} "
            f"({ms(own_ns)} of {ms(kept.whole_ns)})"
        )
        operations = _share_of_operations(result, kept)
        if operations is not None:
            text += f" with {percent(operations)} of its operations"
        labels = [breakdown_label(kept)]
        folded = _folded(result.breakdowns, kept)
        if folded is not None:
            text += (
                f"; folded into the convolutions and fused it takes none, and the network "
                f"{ms(folded.whole_ns)} on {folded.contender.name}"
            )
            labels.append(breakdown_label(folded))
        text += ". Published: a share out of proportion to its computation (Xu et al. 2019)"
        holds = None if operations is None else share > operations
        insights.append(Insight("published: BatchNorm's share", text, tuple(labels), holds))
    return tuple(insights)


def _folded(breakdowns: Iterable[Breakdown], kept: Breakdown) -> Breakdown | None:
    """The same network on the same unit as it is, with whatever settings."""
    base = _base(kept)
    found = [
        other
        for other in breakdowns
        if other.network == kept.network
        and _base(other) == base
        and other.threads == kept.threads
        and not any(part.layer_type == BATCHNORM for part in other.parts)
    ]
    return min(found, key=lambda other: other.whole_ns, default=None)


def _share_of_operations(result: BenchResult, kept: Breakdown) -> float | None:
    """BatchNorm's, out of the points of the same run; ``None`` where there are none."""
    points = [
        point
        for point in result.points
        if point.network == kept.network and point.whose == kept.contender.name
    ]
    total = sum(point.operations for point in points)
    own = sum(point.operations for point in points if point.layer_type == BATCHNORM)
    return own / total if own else None


def _base(breakdown: Breakdown) -> str:
    """The contender's name without settings."""
    return breakdown.contender.name.partition("[")[0]


def overhead_by_threads(result: BenchResult) -> tuple[Insight, ...]:
    """Runtime overhead of one engine on one network with few threads and with many."""
    groups: dict[tuple[str, str, str], dict[int, Breakdown]] = {}
    for breakdown in result.breakdowns:
        if breakdown.threads is not None and breakdown.whole_ns:
            key = breakdown.network, _base(breakdown), breakdown.variant
            groups.setdefault(key, {}).setdefault(breakdown.threads, breakdown)
    insights = []
    for (network, name, _), by_threads in groups.items():
        if len(by_threads) < 2:
            continue
        told = []
        for threads, breakdown in sorted(by_threads.items()):
            own_ns = runtime_ns(breakdown)
            told.append(
                f"{ms(own_ns)} of {ms(breakdown.whole_ns)} ({percent(own_ns / breakdown.whole_ns)})"
                f" with {threads} thread{'s' if threads > 1 else ''}"
            )
        fewest, most = by_threads[min(by_threads)], by_threads[max(by_threads)]
        grows = runtime_ns(most) * fewest.whole_ns > runtime_ns(fewest) * most.whole_ns
        insights.append(
            Insight(
                "published: overhead grows with threads",
                f"Waiting, waking threads and the framework take of {network} on {name}: "
                f"{', '.join(told)}. Published: over 40 of MobileNetV1's 86.8 ms on 28 cores, "
                "about 20 of 68.8 ms on 4 (Xu et al. 2019)",
                tuple(breakdown_label(by_threads[threads]) for threads in sorted(by_threads)),
                holds=grows,
            )
        )
    return tuple(insights)


def runtime_ns(breakdown: Breakdown) -> int:
    """Time in the functions of :data:`RUNTIME`."""
    return sum(part.time_ns for part in breakdown.parts if part.function in RUNTIME)
