"""Findings about networks: which one beats which, and what batches bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from statistics import median

from counterpoint.bench.insights.figures import gop, listed, ms, row_label, times
from counterpoint.bench.result import BenchResult, Insight, Metric, Row


@dataclass(frozen=True, slots=True)
class Claim:
    """What was published of two networks.

    Attributes:
        faster, slower: Names as in the zoo.
        where: On which processors, and where it was the other way round.
    """

    faster: str
    slower: str
    where: str


PUBLISHED = (
    Claim("alexnet", "mobilenet_v1", "on a Xeon E5 and a P100; the reverse on a Core i5"),
    Claim("vgg16", "resnet50", "on a P100"),
)
"""Xu et al., NPC 2019: orders that are not those of the networks' operations."""

BATCH_PAYS = 1.1
"""Less than a tenth more images a second is no reason to wait for a batch."""


def plain_name(network: str) -> str:
    """``alexnet`` of ``zoo:alexnet`` or ``models/alexnet.onnx``."""
    return network.rpartition(":")[2].rpartition("/")[2].removesuffix(".onnx").lower()


def operations_of(result: BenchResult) -> Mapping[str, float]:
    """Two for each multiply-add of each network, as its roofline points tell."""
    sums: dict[tuple[str, str], int] = {}
    for point in result.points:
        key = point.network, point.unit
        sums[key] = sums.get(key, 0) + point.operations
    found: dict[str, list[int]] = {}
    for (network, _), operations in sums.items():
        found.setdefault(network, []).append(operations)
    return {network: median(values) for network, values in found.items()}


def more_operations_less_time(result: BenchResult) -> tuple[Insight, ...]:
    """Pairs of networks of which the one that computes more takes less time on the same unit."""
    operations = operations_of(result)
    found: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    compared = False
    for rows in _by_contender(result.rows):
        known = [row for row in rows if row.network in operations]
        for more, less in permutations(known, 2):
            if operations[more.network] <= operations[less.network]:
                continue
            compared = True
            if _faster(more, less):
                found.setdefault((more.network, less.network), []).append((more, less))
    insights = []
    for (large, small), pairs in found.items():
        first, second = pairs[0]
        names = [row.contender.name for row, _ in pairs]
        insights.append(
            Insight(
                "more-operations-less-time",
                f"{large} computes {times(operations[large] / operations[small])} as much as "
                f"{small} ({gop(operations[large])} against {gop(operations[small])}) and is "
                f"faster on {listed(names)}: {ms(_median_ns(first))} against "
                f"{ms(_median_ns(second))} on {names[0]}",
                tuple(row_label(row) for pair in pairs for row in pair),
            )
        )
    if compared:
        pairs_text = listed([f"{large} before {small}" for large, small in found])
        insights.append(
            Insight(
                "published: order of networks",
                "Published: the order of networks by time is not that by operations (Xu et al. "
                "2019). Here "
                + (f"it is not either: {pairs_text}" if found else "it is, on every unit"),
                tuple(dict.fromkeys(row for insight in insights for row in insight.rows)),
                holds=bool(found),
            )
        )
    return tuple(insights)


def published_orders(result: BenchResult) -> tuple[Insight, ...]:
    """The published orders of two networks, looked for here."""
    insights = []
    for claim in PUBLISHED:
        yes, no, rows = [], [], []
        for own in _by_contender(result.rows):
            by_name = {plain_name(row.network): row for row in own}
            if claim.faster not in by_name or claim.slower not in by_name:
                continue
            one, other = by_name[claim.faster], by_name[claim.slower]
            rows += [row_label(one), row_label(other)]
            if _faster(one, other):
                yes.append(
                    f"{one.contender.name} ({ms(_median_ns(one))} against {ms(_median_ns(other))})"
                )
            elif _faster(other, one):
                no.append(
                    f"{one.contender.name} ({ms(_median_ns(one))} against {ms(_median_ns(other))})"
                )
        if not rows:
            continue
        here = [
            *([f"it is so on {listed(yes)}"] if yes else []),
            *([f"not so on {listed(no)}"] if no else []),
        ]
        insights.append(
            Insight(
                f"published: {claim.faster} before {claim.slower}",
                f"Published: {claim.faster} faster than {claim.slower} {claim.where} (Xu et al. "
                f"2019). Here {'; '.join(here) or 'the two cannot be told apart'}",
                tuple(rows),
                holds=bool(yes),
            )
        )
    return tuple(insights)


def batching(result: BenchResult) -> tuple[Insight, ...]:
    """Images a second at the best batch over images a second one at a time."""
    alone = {
        (row.network, row.contender.name): row
        for row in result.rows
        if row.metric is Metric.LATENCY and row.batch == 1
    }
    gains = []
    for row in result.rows:
        one = alone.get((row.network, row.contender.name))
        if row.metric is not Metric.THROUGHPUT or one is None:
            continue
        if row.images_per_s is not None and one.images_per_s is not None:
            gains.append((row.images_per_s / one.images_per_s, row, one))
    if not gains:
        return ()
    gains.sort(key=lambda gain: gain[0])
    pays = sum(gain > BATCH_PAYS for gain, _, _ in gains)
    least, most = gains[0], gains[-1]
    text = (
        f"Batches and requests side by side bring a tenth or more in {pays} of {len(gains)} "
        f"cases: from {times(least[0])} ({least[1].network} on {least[1].contender.name}, batch "
        f"{least[1].batch}) to {times(most[0])} ({most[1].network} on {most[1].contender.name}, "
        f"batch {most[1].batch}) the images a second of one at a time"
    )
    rows = tuple(row_label(row) for _, *pair in gains for row in pair)
    return (Insight("batching", text, rows),)


def _by_contender(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows of latency, those of one contender together."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.metric is Metric.LATENCY and row.samples is not None:
            found.setdefault((row.contender.name, row.contender.platform), []).append(row)
    return list(found.values())


def _median_ns(row: Row) -> int:
    return row.samples.median_ns if row.samples is not None else 0


def _faster(one: Row, other: Row) -> bool:
    """Three quarters of its samples are below three quarters of the other's."""
    if one.samples is None or other.samples is None:
        return False
    return one.samples.quantile_ns(0.75) < other.samples.quantile_ns(0.25)
