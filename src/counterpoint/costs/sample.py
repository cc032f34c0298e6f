"""One measurement: what was measured, where, and the times that came out."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"

LONGEST_TIME_NS = 10**15
"""No single run takes 11 days; what claims to is damage."""

LARGEST_META_BYTES = 1 << 20
_LARGEST_COUNT = 10**9
_LATEST_UNIX_S = 1 << 40


@dataclass(frozen=True, slots=True)
class Key:
    """What a measurement is of; another value in any field is another measurement.

    Attributes:
        subject: Hash of what ran (a layer in its context, a segment, an entry), never empty.
        unit: Name of the compute unit.
        engine_version: :meth:`Engine.version`.
        platform_fingerprint: :attr:`Platform.fingerprint`.
    """

    subject: str
    unit: str
    engine_version: str
    platform_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Times of repeated runs, summed up. The three are times that really occurred.

    Attributes:
        median_ns: Half of the runs took no longer (nearest rank).
        low_ns: 10th percentile (nearest rank): the fastest run when there are ten or fewer.
        high_ns: 90th percentile (nearest rank): the slowest run when there are nine or fewer.
        count: Number of runs.
        meta: How it was measured; free to the caller.
        measured_at_unix_s: Wall clock when it was put down.

    Raises:
        ValueError: Values that no measurement can give.
    """

    median_ns: int
    low_ns: int
    high_ns: int
    count: int
    meta: Mapping[str, JSON] = field(default_factory=dict)
    measured_at_unix_s: float

    def __post_init__(self) -> None:
        times = (self.low_ns, self.median_ns, self.high_ns)
        if not all(type(value) is int for value in (*times, self.count)):
            raise ValueError("times and count must be integers")
        if not 0 <= self.low_ns <= self.median_ns <= self.high_ns <= LONGEST_TIME_NS:
            raise ValueError(f"impossible times {times} ns")
        if not 1 <= self.count <= _LARGEST_COUNT:
            raise ValueError(f"impossible number of runs {self.count}")
        moment = self.measured_at_unix_s
        if type(moment) not in (int, float) or not 0 <= moment <= _LATEST_UNIX_S:
            raise ValueError(f"impossible moment {moment!r}")

    @classmethod
    def of_runs(
        cls, samples_ns: Sequence[int], meta: Mapping[str, JSON], measured_at_unix_s: float
    ) -> Sample:
        """Sums up the times of single runs.

        Raises:
            ValueError: No run, or a time that is negative or absurdly long.
            TypeError: A time is not an integer.
        """
        ordered = sorted(operator.index(sample) for sample in samples_ns)
        if not ordered:
            raise ValueError("no runs")
        if ordered[0] < 0 or ordered[-1] > LONGEST_TIME_NS:
            raise ValueError(f"impossible times from {ordered[0]} to {ordered[-1]} ns")

        def rank(percent: int) -> int:
            return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]

        return cls(
            median_ns=rank(50),
            low_ns=rank(10),
            high_ns=rank(90),
            count=len(ordered),
            meta=meta,
            measured_at_unix_s=measured_at_unix_s,
        )


def meta_to_text(meta: Mapping[str, JSON]) -> str:
    """One JSON object with sorted keys.

    Raises:
        ValueError: Not JSON (NaN and infinity aren't), or larger than ``LARGEST_META_BYTES``.
    """
    try:
        text = json.dumps(meta, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"meta is not JSON: {error}") from error
    if len(text) > LARGEST_META_BYTES:  # ASCII: characters are bytes
        raise ValueError("meta is too large")
    return text


def meta_from_text(text: str) -> dict[str, JSON]:
    """Reads :func:`meta_to_text`'s form.

    Raises:
        ValueError: Anything else.
    """
    try:
        meta = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("meta is nested too deeply") from error
    if isinstance(meta, dict):
        return meta
    raise ValueError("meta is not an object")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"meta holds {name}")
