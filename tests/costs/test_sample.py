from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.sample import (
    LARGEST_META_BYTES,
    LONGEST_TIME_NS,
    Sample,
    meta_from_text,
    meta_to_text,
)


def of_runs(samples_ns: Sequence[int]) -> Sample:
    return Sample.of_runs(samples_ns, {}, 0.0)


@given(st.lists(st.integers(0, LONGEST_TIME_NS), min_size=1, max_size=60))
def test_sums_up_by_nearest_rank(runs: list[int]) -> None:
    sample = of_runs(runs)
    assert sample.count == len(runs)
    assert sample.median_ns == statistics.median_low(runs)
    assert {sample.low_ns, sample.high_ns} <= set(runs)
    for percent, value in ((10, sample.low_ns), (90, sample.high_ns)):
        below = sum(run < value for run in runs)
        reached = sum(run <= value for run in runs)
        assert below * 100 < percent * len(runs) <= reached * 100


def test_few_runs_keep_their_extremes() -> None:
    sample = of_runs([5, 3, 4])
    assert (sample.low_ns, sample.median_ns, sample.high_ns) == (3, 4, 5)
    sample = of_runs(range(1, 12))
    assert (sample.low_ns, sample.high_ns) == (2, 10)


def test_integers_of_numpy_become_plain() -> None:
    sample = of_runs(list(np.array([7, 8, 9])))
    assert type(sample.median_ns) is int


@pytest.mark.parametrize("runs", [[], [-1], [-1] + [5] * 20, [5] * 20 + [LONGEST_TIME_NS + 1]])
def test_impossible_runs(runs: list[int]) -> None:
    with pytest.raises(ValueError, match=r"no runs|impossible"):
        of_runs(runs)


def test_fractions_of_nanoseconds_are_refused() -> None:
    with pytest.raises(TypeError):
        of_runs([1.5])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "change",
    [
        {"low_ns": 6},
        {"high_ns": 4},
        {"median_ns": 5.0},
        {"low_ns": True},
        {"count": 0},
        {"count": 10**10},
        {"measured_at_unix_s": float("nan")},
        {"measured_at_unix_s": -1.0},
        {"measured_at_unix_s": "now"},
    ],
)
def test_impossible_values(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"median_ns": 5, "low_ns": 5, "high_ns": 5, "count": 1}
    with pytest.raises(ValueError, match=r"impossible|integers"):
        Sample(**(values | {"measured_at_unix_s": 1.0} | change))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_meta_round_trips(meta: dict[str, Any]) -> None:
    assert meta_from_text(meta_to_text(meta)) == meta


def nested(depth: int) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for _ in range(depth):
        meta = {"a": meta}
    return meta


@pytest.mark.parametrize(
    "meta",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": object()},
        {"a": b"bytes"},
        {1: "a", "b": "c"},
        {"a": "b" * LARGEST_META_BYTES},
        nested(100_000),
    ],
    ids=["nan", "inf", "object", "bytes", "keys", "large", "deep"],
)
def test_meta_that_is_no_json(meta: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"meta|JSON"):
        meta_to_text(meta)


@pytest.mark.parametrize(
    "text", ["", "[]", "1", '{"a":NaN}', '{"a":-Infinity}', '{"a":' * 100_000, '{"a":' + "9" * 9999]
)
def test_text_that_is_no_meta(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        meta_from_text(text)
