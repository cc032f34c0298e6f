"""What a bench found: tables for people and one document for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import RenderableType

from counterpoint.bench.matrix.order_statistics import median_interval
from counterpoint.bench.result import Basis, BenchResult, Control, Insight, Metric, Row
from counterpoint.report.document import JSON, Document, document
from counterpoint.report.insights import insight_tables, insights_body
from counterpoint.report.quantities import count, energy
from counterpoint.report.tables import add_row, table

_PJ_PER_UJ = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """What ``bench`` tells.

    Attributes:
        result: All records of the file.
        insights: Computed from them.
        written: The file.
        notes: What else there is to say, a line each.
    """

    result: BenchResult
    insights: tuple[Insight, ...]
    written: str
    notes: tuple[str, ...] = ()


def bench_document(report: BenchReport) -> Document:
    """For programs; raw samples are in the file."""
    result = report.result
    machine = result.machine
    return document(
        "bench-summary",
        {
            "file": report.written,
            "started": result.started,
            "settings": dict(result.settings),
            "machine": {
                "name": machine.name,
                "fingerprint": machine.fingerprint,
                "facts": dict(machine.facts),
                "software": dict(machine.software),
                "units": list(machine.units),
            },
            "rows": [_row_body(row) for row in result.rows],
            "noise": [_control_body(control) for control in result.controls],
            "insights": insights_body(report.insights),
            "notes": list(report.notes),
        },
    )


def bench_tables(report: BenchReport) -> list[RenderableType]:
    """For people: a table for each network and metric, the fastest first."""
    shown: list[RenderableType] = []
    for (network, metric), rows in _groups(report.result.rows):
        make = _latency_table if metric is Metric.LATENCY else _throughput_table
        shown += ["", make(network, rows)]
        shown += _remarks(rows)
    if report.result.controls:
        shown += ["", _noise_table(report.result.controls)]
    found = insight_tables(report.insights)
    if found:
        shown += ["", *found]
    return [*shown, "", *report.notes, f"written to {report.written}"]


def _groups(rows: Iterable[Row]) -> list[tuple[tuple[str, Metric], list[Row]]]:
    groups: dict[tuple[str, Metric], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.network, row.metric), []).append(row)
    return list(groups.items())


def _latency_table(network: str, rows: Sequence[Row]) -> RenderableType:
    made = table(
        f"{network}: latency in ms",
        ["contender", "", "precision"],
        ["average", "median", "95 % interval", "p90", "p99", "predicted", *_energy_heading(rows)],
    )
    for row in sorted(_measured(rows), key=lambda row: row.average_ns or 0):
        samples = row.samples
        if samples is None:
            continue
        add_row(
            made,
            row.contender.name,
            _kind(row),
            row.contender.precision,
            _ms(row.average_ns),
            _ms(samples.median_ns),
            _interval(row),
            _ms(samples.quantile_ns(0.9)),
            _ms(samples.quantile_ns(0.99)),
            _prediction(row),
            *_energy_cells(row, rows),
        )
    return made


def _throughput_table(network: str, rows: Sequence[Row]) -> RenderableType:
    made = table(
        f"{network}: images a second",
        ["contender", "", "precision"],
        ["images/s", "95 % interval", "batch", "images", "predicted", *_energy_heading(rows)],
    )
    for row in sorted(_measured(rows), key=lambda row: -(row.images_per_s or 0)):
        add_row(
            made,
            row.contender.name,
            _kind(row),
            row.contender.precision,
            count(row.images_per_s),
            _rate_interval(row),
            row.batch,
            len(row.samples_ns) * row.images_per_sample,
            _prediction(row),
            *_energy_cells(row, rows),
        )
    return made


def _remarks(rows: Sequence[Row]) -> list[str]:
    """Placements of plans, notes and failures, a line each; alike ones once."""
    told: dict[str, list[str]] = {}
    for row in rows:
        name = _named(row)
        if row.contender.placement:
            told.setdefault(row.contender.placement, []).append(name)
        for text in (row.note, row.failure and f"failed: {row.failure}"):
            if text:
                told.setdefault(text, []).append(name)
    return [f"{', '.join(names)}: {text}" for text, names in told.items()]


def _noise_table(controls: Sequence[Control]) -> RenderableType:
    made = table(
        "The machine's noise: one contender against itself",
        ["network", "contender"],
        ["median ratio", "spread of the rounds"],
    )
    for control in controls:
        ratios = _ratios(control)
        spread = f"{ratios[0]:.3f} .. {ratios[-1]:.3f}"
        add_row(made, control.network, control.contender.name, f"{median(ratios):.3f}", spread)
    return made


def _measured(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.samples_ns]


def _ratios(control: Control) -> list[float]:
    """Of the two medians of each round, ascending."""
    one, other = control.rounds_ns
    return sorted(first / max(1, second) for first, second in zip(one, other, strict=False))


def _named(row: Row) -> str:
    return (
        row.contender.name
        if row.basis is Basis.MEASURED
        else f"{row.contender.name} of {row.contender.platform}"
    )


def _kind(row: Row) -> str:
    kind = str(row.contender.method)
    marks = [kind]
    if row.basis is Basis.MODELLED:
        marks.append(f"modelled: {row.contender.platform}")
    if row.failure is not None:
        marks.append("failed early")
    return ", ".join(marks)


def _ms(time_ns: float | None) -> str:
    return "?" if time_ns is None else f"{time_ns / 1e6:.2f}"


def _interval(row: Row) -> str:
    found = median_interval(row.samples_ns)
    return "" if found is None else f"{_ms(found.low_ns)} .. {_ms(found.high_ns)}"


def _rate_interval(row: Row) -> str:
    found = median_interval(row.samples_ns)
    if found is None or not found.low_ns:
        return ""
    low, high = (row.images_per_sample * 1e9 / time for time in (found.high_ns, found.low_ns))
    return f"{count(low)} .. {count(high)}"


def _prediction(row: Row) -> str:
    error = _prediction_error(row)
    return "" if error is None else f"{100 * error:+.1f} %"


def _prediction_error(row: Row) -> float | None:
    """Predicted over measured median, less one."""
    samples = row.samples
    if row.predicted_ns is None or samples is None or not samples.median_ns:
        return None
    return row.predicted_ns / samples.median_ns - 1


def _energy_heading(rows: Sequence[Row]) -> list[str]:
    return ["energy"] if any(row.energy is not None for row in rows) else []


def _energy_cells(row: Row, rows: Sequence[Row]) -> list[str]:
    if not _energy_heading(rows):
        return []
    if row.energy is None:
        return [""]
    shown = energy(row.energy.energy_uj * _PJ_PER_UJ)
    return [f"{shown} (modelled)" if row.energy.basis is Basis.MODELLED else shown]


def _row_body(row: Row) -> JSON:
    samples = row.samples
    interval = median_interval(row.samples_ns)
    times: JSON = None
    if samples is not None:
        times = {
            "count": len(samples.times_ns),
            "average_of_one_image": row.average_ns,
            "median": samples.median_ns,
            "median_interval": None
            if interval is None
            else {
                "low": interval.low_ns,
                "high": interval.high_ns,
                "confidence": interval.confidence,
            },
            "p50": samples.quantile_ns(0.5),
            "p90": samples.quantile_ns(0.9),
            "p99": samples.quantile_ns(0.99),
        }
    energy_body: JSON = None
    if row.energy is not None:
        energy_body = {
            "energy_uj": row.energy.energy_uj,
            "basis": str(row.energy.basis),
            "method": row.energy.method,
        }
    contender = row.contender
    return {
        "network": row.network,
        "metric": str(row.metric),
        "contender": contender.name,
        "method": str(contender.method),
        "precision": contender.precision,
        "software": contender.software,
        "placement": contender.placement,
        "platform": contender.platform,
        "basis": str(row.basis),
        "batch": row.batch,
        "images_per_sample": row.images_per_sample,
        "images_per_s": row.images_per_s,
        "sample_ns": times,
        "predicted_ns": row.predicted_ns,
        "prediction_error": _prediction_error(row),
        "energy": energy_body,
        "failure": row.failure,
        "note": row.note,
    }


def _control_body(control: Control) -> JSON:
    ratios = _ratios(control)
    return {
        "network": control.network,
        "contender": control.contender.name,
        "rounds": len(ratios),
        "median_ratio": median(ratios),
        "low_ratio": ratios[0],
        "high_ratio": ratios[-1],
    }
