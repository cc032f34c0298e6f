"""What LoadGen writes: the detailed log of a performance test, the answers of an accuracy test."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from counterpoint.errors import InternalError, MachineError

DETAIL, ACCURACY = "mlperf_log_detail.txt", "mlperf_log_accuracy.json"
SUMMARY = "mlperf_log_summary.txt"
_PREFIX = ":::MLLOG "
_QUANTILE = re.compile(r"result_([0-9]{2}\.[0-9]{2})_percentile_latency_ns")
_QUERY_QUANTILE = re.compile(r"result_([0-9]{2}\.[0-9]{2})_percentile_per_query_latency_ns")
_CONDITIONS = {
    "result_min_duration_met": "it was shorter than the minimum duration",
    "result_min_queries_met": "it had fewer queries than the minimum",
    "result_perf_constraints_met": "too many images were later than the target latency",
    "early_stopping_met": "too few queries for the percentile, by MLPerf's early-stopping rule",
}
_RATES = (
    "result_completed_samples_per_sec",
    "result_samples_per_second",
    "result_qps_without_loadgen_overhead",
)


@dataclass(frozen=True, slots=True)
class PerformanceLog:
    """A performance test as LoadGen judges it.

    Attributes:
        valid: By its rules.
        reasons: Why not, a line each.
        queries: How many were counted; 1 in Offline.
        quantiles_ns: Latency of a query (in Offline of all) by percentile, e.g. ``90.00``.
        early_stopping_ns: The percentile that is the scenario's figure with MLPerf's allowance for
            the number of queries; ``None`` where LoadGen gives none.
        samples_per_s: Images a second; ``None`` in MultiStream, where LoadGen gives none.
        version: LoadGen's.
    """

    valid: bool
    reasons: tuple[str, ...]
    queries: int
    quantiles_ns: Mapping[str, int]
    early_stopping_ns: int | None
    samples_per_s: float | None
    version: str


def read_performance(folder: Path) -> PerformanceLog:
    """The log of a performance test that has just ended.

    Raises:
        MachineError: It is not there, or cut short: the disk is full.
    """
    entries = _entries(folder / DETAIL)
    found = {key: value for key, value in entries if key != "result_invalid_reason"}
    valid = found.get("result_validity") == "VALID"
    if "result_validity" not in found:
        raise MachineError(f"{folder / DETAIL} ends before its result: is the disk full?")
    reasons = [told for key, told in _CONDITIONS.items() if found.get(key) is False]
    reasons += [
        str(value).strip()
        for key, value in entries
        if key == "result_invalid_reason" and str(value).strip()
    ]
    pattern = _QUERY_QUANTILE if any(map(_QUERY_QUANTILE.fullmatch, found)) else _QUANTILE
    rate = next((found[key] for key in _RATES if key in found), None)
    early = [found.get(f"early_stopping_latency_{name}") for name in ("ss", "ms")]
    return PerformanceLog(
        valid=valid,
        reasons=() if valid else tuple(reasons),
        queries=_whole(found.get("result_query_count")),
        quantiles_ns={
            match[1]: _whole(value)
            for key, value in found.items()
            if (match := pattern.fullmatch(key))
        },
        early_stopping_ns=next((_whole(value) for value in early if value), None),
        samples_per_s=float(rate) if isinstance(rate, int | float) else None,
        version=str(found.get("loadgen_version", "")).split(" ")[0],
    )


def read_answers(folder: Path) -> dict[int, bytes]:
    """The answer to each image, by its number.

    Raises:
        MachineError: The log is not there, or cut short.
    """
    path = folder / ACCURACY
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {int(entry["qsl_idx"]): bytes.fromhex(entry["data"]) for entry in entries}
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError(f"{path} is cut short ({error}): is the disk full?") from None


def top_1(answers: Mapping[int, bytes], labels: Sequence[int]) -> float:
    """The part of the images whose best class is theirs.

    Args:
        answers: By :func:`counterpoint.bench.loadgen.sut.best_class`.
        labels: The class of each image.

    Raises:
        InternalError: LoadGen left an image out.
    """
    if set(answers) != set(range(len(labels))):
        raise InternalError(f"LoadGen asked for {len(answers)} of {len(labels)} images")
    right = sum(
        int.from_bytes(answers[index], "little", signed=True) == label
        for index, label in enumerate(labels)
    )
    return right / len(labels)


def _entries(path: Path) -> list[tuple[str, object]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror or error}") from None
    entries = []
    for line in lines:
        try:
            entry = json.loads(line.removeprefix(_PREFIX))
            entries.append((str(entry["key"]), entry["value"]))
        except (ValueError, KeyError, TypeError):
            continue  # a text of several lines, or the last line where the disk is full
    return entries


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
