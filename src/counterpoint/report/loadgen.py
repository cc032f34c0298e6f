"""What a LoadGen test has shown."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.bench.loadgen.log import PerformanceLog
from counterpoint.bench.loadgen.running import LoadGenResult
from counterpoint.bench.loadgen.settings import Scenario
from counterpoint.report.document import JSON, Document, document, finite
from counterpoint.report.quantities import count, duration, percent
from counterpoint.report.tables import add_row, facts, table

_FIGURES = {Scenario.SINGLE_STREAM: "90.00", Scenario.MULTI_STREAM: "99.00"}
"""The percentile of latency that is a scenario's figure."""


def loadgen_document(network: str, result: LoadGenResult) -> Document:
    """For programs."""
    log = result.performance
    settings = result.settings
    return document(
        "loadgen",
        {
            "network": network,
            "scenario": settings.scenario.value,
            "mode": "accuracy" if settings.accuracy else "performance",
            "valid": None if log is None else log.valid,
            "reasons": [] if log is None else list(log.reasons),
            "samples": result.samples,
            "queries": None if log is None else log.queries,
            "latency_ns": {} if log is None else dict(log.quantiles_ns),
            "early_stopping_latency_ns": None if log is None else log.early_stopping_ns,
            "samples_per_s": None if log is None else finite(log.samples_per_s),
            "target_qps": settings.target_qps,
            "top_1": result.top_1,
            "answers": result.answers,
            "trials": [_trial(trial.qps, trial.valid) for trial in result.trials],
            "unlike_official": list(result.unlike_official),
            "loadgen": None if log is None else log.version,
            "logs": str(result.folder),
        },
    )


def loadgen_tables(network: str, result: LoadGenResult) -> list[RenderableType]:
    """For people."""
    log = result.performance
    rows: list[tuple[str, object]] = [
        ("scenario", f"{result.settings.scenario.value}, {network}, {result.samples} images")
    ]
    if log is None:
        rows.append(("answered", f"{result.answers} images, logged"))
        if result.top_1 is not None:
            rows.append(("top-1", percent(result.top_1)))
    else:
        rows += _performance(result, log)
    rows += [("not MLPerf's", told) for told in result.unlike_official]
    rows.append(("LoadGen's logs", result.folder))
    parts: list[RenderableType] = [facts(rows)]
    if log is not None:
        quantiles = table("Latency", ["percentile"], ["latency"])
        for name, time_ns in log.quantiles_ns.items():
            add_row(quantiles, name, duration(time_ns))
        parts += ["", quantiles]
    if result.trials:
        tried = table("Rates that were tried", ["images/s"], ["valid"])
        for trial in result.trials:
            add_row(tried, count(trial.qps), "yes" if trial.valid else "no")
        parts += ["", tried]
    return parts


def _performance(result: LoadGenResult, log: PerformanceLog) -> list[tuple[str, object]]:
    scenario = result.settings.scenario
    rows: list[tuple[str, object]] = [("LoadGen says", "VALID" if log.valid else "INVALID")]
    rows += [("because", reason) for reason in log.reasons]
    figure = _FIGURES.get(scenario)
    if figure is not None:
        told = f"{duration(log.quantiles_ns.get(figure))} at the {float(figure):g}th percentile"
        if log.early_stopping_ns is not None:
            told += f", {duration(log.early_stopping_ns)} by the early-stopping rule"
        rows.append(("latency", f"{told}, {log.queries} queries"))
    if log.samples_per_s is not None:
        rows.append(("rate", f"{count(log.samples_per_s)} images/s"))
    if result.settings.target_qps is not None:
        rows.append(("asked for", f"{count(result.settings.target_qps)} images/s"))
    return rows


def _trial(qps: float, valid: bool) -> JSON:
    return {"qps": finite(qps), "valid": valid}
