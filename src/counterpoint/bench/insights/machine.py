"""Findings about layers and hardware: where time is lost, and what would bring it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoint.bench.insights.figures import breakdown_label, listed, ms, percent, point_label
from counterpoint.bench.insights.overhead import RUNTIME
from counterpoint.bench.result import (
    BenchResult,
    Bound,
    Breakdown,
    Function,
    Insight,
    RooflinePoint,
)

SHOWN = 3

Points = list[RooflinePoint]


def fastest_points(result: BenchResult) -> Mapping[tuple[str, str], Points]:
    """The layers of each network on the unit, or in the plan, that is fastest with it."""
    groups: dict[tuple[str, str], Points] = {}
    for point in result.points:
        groups.setdefault((point.network, point.whose), []).append(point)
    best: dict[str, tuple[str, str]] = {}
    for key, points in groups.items():
        other = best.get(key[0])
        if other is None or _time_ns(points) < _time_ns(groups[other]):
            best[key[0]] = key
    return {key: groups[key] for key in best.values()}


def layers_that_lose(result: BenchResult) -> tuple[Insight, ...]:
    """The layers with the most time above their roof."""
    insights = []
    for (network, unit), points in fastest_points(result).items():
        losing = sorted(points, key=_loss_ns, reverse=True)[:SHOWN]
        if not losing or _loss_ns(losing[0]) <= 0:
            continue
        told = [
            f"{point.layer} ({point.layer_type}, {ms(point.time_ns)} where the roof is "
            f"{ms(point.roof_ns)}, {point.bound})"
            for point in losing
        ]
        lost_ns = sum(max(0, _loss_ns(point)) for point in points)
        insights.append(
            Insight(
                "layers-that-lose",
                f"{network} on {unit} loses {ms(lost_ns)} of {ms(_time_ns(points))} against the "
                f"roofline, most in {listed(told)}",
                tuple(point_label(point) for point in losing),
            )
        )
    return tuple(insights)


def what_to_change(result: BenchResult) -> tuple[Insight, ...]:
    """In the network: the type of layer that pays the least for its time. In the machine: what
    twice the bandwidth, twice the arithmetic and no overhead would bring.
    """
    insights = []
    for (network, unit), points in fastest_points(result).items():
        change = _in_network(network, unit, points)
        if change is not None:
            insights.append(change)
        breakdown = next(
            (
                found
                for found in result.breakdowns
                if (found.network, found.contender.name) == (network, unit)
            ),
            None,
        )
        insights.append(_in_machine(result, network, unit, points, breakdown))
    return tuple(insights)


def _in_network(network: str, unit: str, points: Sequence[RooflinePoint]) -> Insight | None:
    kinds: dict[str, Points] = {}
    for point in points:
        kinds.setdefault(point.layer_type, []).append(point)
    total_ns = _time_ns(points)
    if not total_ns:
        return None
    kind, own = max(kinds.items(), key=lambda item: sum(map(_loss_ns, item[1])))
    own_ns, roof_ns = _time_ns(own), sum(point.roof_ns for point in own)
    operations = sum(point.operations for point in points)
    part = sum(point.operations for point in own) / operations if operations else 0.0
    gain_ns = max(0, own_ns - roof_ns)
    bounds = [str(point.bound) for point in own]
    most = max(sorted(set(bounds)), key=bounds.count)
    return Insight(
        "change-network",
        f"{network} on {unit}: {kind} layers take {percent(own_ns / total_ns)} of the time for "
        f"{percent(part)} of the operations and reach {percent(roof_ns / own_ns)} of their roof "
        f"(mostly {most}): at the roof they would save {percent(gain_ns / total_ns)} of the "
        f"layers' time, left out {percent(own_ns / total_ns)}",
        tuple(point_label(point) for point in own),
    )


def _in_machine(
    result: BenchResult,
    network: str,
    unit: str,
    points: Sequence[RooflinePoint],
    breakdown: Breakdown | None,
) -> Insight:
    total_ns = max(1, _time_ns(points))
    by_bound = {
        bound: sum(point.time_ns for point in points if point.bound is bound) for bound in Bound
    }
    told = [f"{bound} {percent(time_ns / total_ns)}" for bound, time_ns in by_bound.items()]
    text = f"{network} on {unit}: {', '.join(told)} of the layers' time"
    rows = [point_label(point) for point in points]
    bandwidth = result.machine.copy_bytes_per_s
    rate = next((p.operations_per_s for p in result.machine.peaks if p.unit == unit), None)
    if bandwidth and rate:
        memory = _saved(points, rate, 2 * bandwidth)
        compute = _saved(points, 2 * rate, bandwidth)
        text += (
            f"; at the same part of the roof, twice the memory's bandwidth would save "
            f"{percent(memory / total_ns)} of it, twice the arithmetic "
            f"{percent(compute / total_ns)}"
        )
    if breakdown is not None and breakdown.whole_ns:
        kinds = (*RUNTIME, Function.PYTHON, Function.COPIES)
        idle_ns = sum(part.time_ns for part in breakdown.parts if part.function in kinds)
        text += (
            f"; no waiting, re-layout and overhead at all would save "
            f"{percent(max(0, idle_ns) / breakdown.whole_ns)} of the whole"
        )
        rows.append(breakdown_label(breakdown))
    return Insight("change-machine", text, tuple(rows))


def _saved(points: Sequence[RooflinePoint], rate: float, bandwidth: float) -> float:
    """Time that another roof would save, each layer reaching the same part of it."""
    saved = 0.0
    for point in points:
        roof_ns = 1e9 * max(point.operations / rate, point.moved_bytes / bandwidth)
        if point.bound is not Bound.OVERHEAD and point.roof_ns:
            saved += point.time_ns * max(0.0, 1 - roof_ns / point.roof_ns)
    return saved


def _time_ns(points: Sequence[RooflinePoint]) -> int:
    return sum(point.time_ns for point in points)


def _loss_ns(point: RooflinePoint) -> int:
    return point.time_ns - point.roof_ns
