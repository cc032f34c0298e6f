"""Records of a bench, made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.bench.result import (
    Basis,
    BenchResult,
    Bound,
    Breakdown,
    Contender,
    Function,
    MachineDescription,
    Method,
    Metric,
    Part,
    RooflinePoint,
    Row,
)
from counterpoint.measure.peak import UnitPeak

PEAK, BANDWIDTH = 1e9, 1e9
"""One operation and one byte a nanosecond."""


def contender(name: str = "e:CPU@fp32", method: Method = Method.UNIT) -> Contender:
    return Contender(name, method, "fp32", "e 1.0", platform="here")


def row(
    network: str,
    samples_ns: Sequence[int],
    name: str = "e:CPU@fp32",
    *,
    metric: Metric = Metric.LATENCY,
    predicted_ns: int | None = None,
    basis: Basis = Basis.MEASURED,
    images: int = 1,
) -> Row:
    return Row(
        network=network,
        contender=contender(name),
        metric=metric,
        basis=basis,
        batch=images,
        images_per_sample=images,
        samples_ns=tuple(samples_ns),
        predicted_ns=predicted_ns,
    )


def point(
    network: str,
    layer: str,
    time_ns: int,
    *,
    operations: int = 0,
    moved_bytes: int = 0,
    kind: str = "Conv",
    unit: str = "e:CPU@fp32",
    bound: Bound | None = None,
    contender: str = "",
) -> RooflinePoint:
    """Under a roof of one operation and one byte a nanosecond."""
    limit = Bound.COMPUTE if operations >= moved_bytes else Bound.MEMORY
    return RooflinePoint(
        network=network,
        unit=unit,
        layer=layer,
        layer_type=kind,
        operations=operations,
        moved_bytes=moved_bytes,
        time_ns=time_ns,
        roof_ns=max(operations, moved_bytes),
        bound=bound or limit,
        contender=contender,
    )


def breakdown(
    network: str,
    parts: Sequence[tuple[Function, int, str]],
    *,
    name: str = "e:CPU@fp32",
    threads: int | None = 2,
    variant: str = "",
) -> Breakdown:
    """Parts as function, time and type of layer."""
    made = tuple(Part(function, time_ns, kind, kind) for function, time_ns, kind in parts)
    return Breakdown(
        network=network,
        contender=contender(name),
        threads=threads,
        whole_ns=sum(part.time_ns for part in made),
        parts=made,
        instruments=("made up",),
        variant=variant,
    )


def result(
    rows: Sequence[Row] = (),
    breakdowns: Sequence[Breakdown] = (),
    points: Sequence[RooflinePoint] = (),
) -> BenchResult:
    units = tuple(dict.fromkeys(found.unit for found in points))
    machine = MachineDescription(
        "here", "f", {}, {}, units, tuple(UnitPeak(unit, PEAK) for unit in units), BANDWIDTH
    )
    return BenchResult(
        machine=machine,
        settings={},
        started="2026-01-01T00:00:00+00:00",
        rows=tuple(rows),
        breakdowns=tuple(breakdowns),
        points=tuple(points),
    )
