from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.report.quantities import (
    UNKNOWN,
    bytes_rate,
    count,
    duration,
    energy,
    factor,
    milliseconds,
    number,
    operations_rate,
    percent,
    size,
)

SCALE = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (0, "0 ns"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1000, "1.00 us"),
        (12_345, "12.3 us"),
        (999_400, "999 us"),
        (999_700, "1.00 ms"),
        (8_750_000, "8.75 ms"),
        (123_456_789, "123 ms"),
        (61_000_000_000, "61.0 s"),
        (7_200_000_000_000, "7200 s"),
        (None, UNKNOWN),
    ],
)
def test_times_have_three_digits(time_ns: int | None, shown: str) -> None:
    assert duration(time_ns) == shown


@given(st.integers(1, 10**12))
def test_a_shown_time_is_right_within_half_a_percent(time_ns: int) -> None:
    value, unit = duration(time_ns).split()
    assert float(value) * SCALE[unit] == pytest.approx(time_ns, rel=0.0051)
    assert unit == "s" or float(value) < 1000


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (size(0), "0 B"),
        (size(588 * 1024), "588 KiB"),
        (size(1_268_776), "1.21 MiB"),
        (count(349_000_000), "349 M"),
        (count(6), "6"),
        (operations_rate(2.12e11), "212 GFLOP/s"),
        (bytes_rate(2.15e10), "21.5 GB/s"),
        (milliseconds(123_456), "0.123"),
        (percent(0.1234), "12.3 %"),
        (factor(1.5234), "1.52x"),
        (number(0.00012345), "0.000123"),
    ],
)
def test_other_quantities(shown: str, expected: str) -> None:
    assert shown == expected


def test_what_is_not_known_is_shown_as_such() -> None:
    functions = (size, count, operations_rate, bytes_rate, milliseconds, percent, factor, number)
    assert {function(None) for function in functions} == {UNKNOWN}


def test_energies_have_three_digits() -> None:
    shown = [energy(energy_pj) for energy_pj in (0, 999, 1_500_000, 306_400_000_000, 2e12, None)]
    assert shown == ["0 pJ", "999 pJ", "1.50 uJ", "306 mJ", "2.00 J", UNKNOWN]
