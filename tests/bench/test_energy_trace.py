"""Energy of a window against a sum over every nanosecond of it."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.energy.measuring import Idle, NoEnergy, energy_above_idle_uj, energy_in
from counterpoint.bench.energy.trace import CounterTrace, PowerTrace, Window, largest_gap_ns

STEPS_NS = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@st.composite
def windows(draw: st.DrawFn, first_ns: int, last_ns: int) -> Window:
    start = draw(st.integers(first_ns, last_ns - 1))
    return Window(start, draw(st.integers(start + 1, last_ns)))


@st.composite
def counters(
    draw: st.DrawFn, times_ns: tuple[int, ...], domain: str = "package-0"
) -> tuple[CounterTrace, list[int]]:
    """A counter that wraps around, and what it really counted between readings."""
    wraps_at_uj = draw(st.integers(2, 10**12))
    counted = draw(
        st.lists(
            st.integers(0, wraps_at_uj - 1),
            min_size=len(times_ns) - 1,
            max_size=len(times_ns) - 1,
        )
    )
    start = draw(st.integers(0, wraps_at_uj - 1))
    shown = tuple(total % wraps_at_uj for total in accumulate(counted, initial=start))
    return CounterTrace(domain, times_ns, shown, wraps_at_uj), counted


def by_nanosecond(times_ns: tuple[int, ...], counted_uj: list[int], window: Window) -> Fraction:
    total = Fraction(0)
    for (begin, end), energy_uj in zip(pairwise(times_ns), counted_uj, strict=True):
        for moment in range(begin, end):
            if window.start_ns <= moment < window.end_ns:
                total += Fraction(energy_uj, end - begin)
    return total


@given(data=st.data(), steps=STEPS_NS, start=st.integers(-50, 10**15))
def test_a_counter_that_wraps_counts_exactly(
    data: st.DataObject, steps: list[int], start: int
) -> None:
    times = tuple(accumulate(steps, initial=start))
    trace, counted = data.draw(counters(times))
    window = data.draw(windows(times[0], times[-1]))
    assert trace.energy_uj(window) == by_nanosecond(times, counted, window)


@given(data=st.data(), steps=STEPS_NS)
def test_domains_that_wrap_at_unlike_times_add_up(data: st.DataObject, steps: list[int]) -> None:
    others = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=8))
    end = min(sum(steps), sum(others))
    window = data.draw(windows(0, end))
    made = [
        (times, *data.draw(counters(times, domain)))
        for domain, times in (
            ("package-0", tuple(accumulate(steps, initial=0))),
            ("dram-0", tuple(accumulate(others, initial=0))),
        )
    ]
    found = energy_in(tuple(trace for _, trace, _ in made), window, interval_ns=12)
    assert found == sum(by_nanosecond(times, counted, window) for times, _, counted in made)


@given(data=st.data(), steps=STEPS_NS)
def test_power_is_integrated_exactly(data: st.DataObject, steps: list[int]) -> None:
    times = tuple(accumulate(steps, initial=0))
    powers = data.draw(
        st.lists(st.integers(-(10**6), 10**9), min_size=len(times), max_size=len(times))
    )
    window = data.draw(windows(0, times[-1]))
    # A line's mean over a nanosecond is its value in the middle.
    expected = Fraction(0)
    for moment in range(window.start_ns, window.end_ns):
        index = max(i for i, time_ns in enumerate(times) if time_ns <= moment)
        part = (Fraction(2 * moment + 1, 2) - times[index]) / (times[index + 1] - times[index])
        expected += powers[index] * (1 - part) + powers[index + 1] * part
    trace = PowerTrace("VDD_IN", times, tuple(powers))
    assert trace.energy_uj(window) == expected / 10**9  # femtojoules


@given(
    load=st.integers(0, 10**12),
    load_ns=st.integers(1, 10**12),
    idle=st.integers(0, 10**12),
    idle_ns=st.integers(1, 10**12),
)
def test_idle_power_is_taken_off_for_as_long_as_the_load(
    load: int, load_ns: int, idle: int, idle_ns: int
) -> None:
    above = energy_above_idle_uj(Fraction(load), load_ns, Idle(Fraction(idle), idle_ns))
    assert above * idle_ns == load * idle_ns - idle * load_ns


def test_a_recorded_package_and_its_memory() -> None:
    # Two wraps of one counter, none of the other; whole and half intervals.
    package = CounterTrace("package-0", (0, 10, 20, 30), (90, 10, 60, 5), 100)
    memory = CounterTrace("dram", (0, 10, 20, 30), (5, 7, 11, 11), 100)
    assert package.energy_uj(Window(0, 30)) == 20 + 50 + 45
    assert energy_in((package, memory), Window(5, 25), 10) == Fraction(10 + 50) + Fraction(
        45, 2
    ) + (1 + 4)


def test_what_samples_do_not_cover_gives_no_energy() -> None:
    trace = CounterTrace("package-0", (10, 20, 30), (1, 2, 3))
    for window in (Window(9, 20), Window(20, 31)):
        assert largest_gap_ns(trace, window) is None
        assert isinstance(energy_in((trace,), window, 10), NoEnergy)
        with pytest.raises(ValueError, match="not covered"):
            trace.energy_uj(window)


def test_a_meter_that_was_away_gives_no_energy() -> None:
    trace = PowerTrace("meter", (0, 10, 70, 80), (1, 1, 1, 1))
    found = energy_in((trace,), Window(5, 75), 10)
    assert isinstance(found, NoEnergy)
    assert "no sample for 6e-08 s" in found.reason
    assert not isinstance(energy_in((trace,), Window(70, 80), 10), NoEnergy)


def test_a_counter_that_falls_needs_to_say_where_it_wraps() -> None:
    with pytest.raises(ValueError, match="falls from 9 to 3 uJ"):
        CounterTrace("package-0", (0, 1), (9, 3))
    with pytest.raises(ValueError, match="outside 0 to 5"):
        CounterTrace("package-0", (0, 1), (9, 3), 5)


def test_times_have_to_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        PowerTrace("meter", (0, 2, 2), (1, 1, 1))
    with pytest.raises(ValueError, match="two samples"):
        PowerTrace("meter", (0,), (1,))
