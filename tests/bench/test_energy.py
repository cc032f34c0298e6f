"""Idle and load windows on a machine whose power is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.energy.measuring import (
    EnergySettings,
    Idle,
    NoEnergy,
    measure_energy,
    measure_idle,
    needed_window_ns,
)
from counterpoint.bench.energy.source import Recording
from counterpoint.bench.energy.trace import EnergyTrace
from counterpoint.bench.result import Basis, Energy
from counterpoint.errors import EngineError, MachineError
from tests.bench.simulated_meter import Machine, Meter, counter, sensor

SECOND_NS = 10**9
ONE_HERTZ_NS, TEN_HERTZ_NS = SECOND_NS, SECOND_NS // 10

WATTS_UW = st.integers(1, 400).map(lambda watts: watts * 10**6)
RUNS_NS = st.integers(1, 3000).map(lambda ms: ms * 10**6)


def above_idle_uj(machine: Machine, images: int) -> int:
    return round(Fraction((machine.load_uw - machine.idle_uw) * machine.run_ns, 10**9 * images))


@given(
    idle=WATTS_UW,
    extra=WATTS_UW,
    run_ns=RUNS_NS,
    images=st.sampled_from([1, 4, 100]),
    interval_ns=st.sampled_from([ONE_HERTZ_NS, TEN_HERTZ_NS]),
)
def test_a_power_sensor_gives_the_load_less_idle(
    idle: int, extra: int, run_ns: int, images: int, interval_ns: int
) -> None:
    machine = Machine(idle, idle + extra, run_ns)
    found = measure_energy(
        Meter(machine, interval_ns, sensor), machine.run, images=images, clock=machine.clock
    )
    assert isinstance(found, Energy)
    assert found.energy_uj == above_idle_uj(machine, images)


@given(idle=WATTS_UW, extra=WATTS_UW, run_ns=RUNS_NS, data=st.data())
def test_a_counter_that_wraps_gives_the_load_less_idle(
    idle: int, extra: int, run_ns: int, data: st.DataObject
) -> None:
    machine = Machine(idle, idle + extra, run_ns)
    # Whole microjoules in each second; wraps at most once between two samples.
    each_second_uj = machine.load_uw
    wraps_at = data.draw(st.integers(each_second_uj + 1, 4 * each_second_uj))
    meter = Meter(machine, ONE_HERTZ_NS, counter(10**9, wraps_at))
    found = measure_energy(meter, machine.run, clock=machine.clock)
    assert isinstance(found, Energy)
    # The counter floors to microjoules at each end of both windows.
    assert abs(found.energy_uj - above_idle_uj(machine, 1)) <= 4


def test_the_method_says_all_that_is_needed() -> None:
    machine = Machine(5 * 10**6, 15 * 10**6, 20_000_000)
    found = measure_energy(Meter(machine, TEN_HERTZ_NS, sensor), machine.run, clock=machine.clock)
    assert found == Energy(
        200_000,
        Basis.MEASURED,
        "a simulated meter: VDD_IN, a sample every 100 ms (may err by 5 %); load of 100 images in "
        "2 s, less idle power of 5 W (over 2 s)",
    )


@pytest.mark.parametrize(("interval_ns", "window_s"), [(ONE_HERTZ_NS, 20), (TEN_HERTZ_NS, 2)])
def test_a_window_is_as_long_as_the_sampling_needs(interval_ns: int, window_s: int) -> None:
    machine = Machine(10**6, 2 * 10**6, 10_000_000)
    meter = Meter(machine, interval_ns, sensor)
    assert needed_window_ns(meter) == window_s * SECOND_NS
    idle = measure_idle(meter, clock=machine.clock)
    assert idle == Idle(Fraction(10**6 * window_s), window_s * SECOND_NS)


@given(late=st.floats(0, 1, exclude_max=True), interval_ns=st.integers(2, 1000), data=st.data())
def test_the_window_bounds_what_sampling_may_err(
    late: float, interval_ns: int, data: st.DataObject
) -> None:
    """A load that sets in between samples, without the lead that the method gives it."""
    load_uw = data.draw(st.integers(1, 10**9))
    machine = Machine(0, load_uw, run_ns=20 * interval_ns)
    machine.wait(3 * interval_ns + int(late * interval_ns))
    start_ns = machine.now_ns
    machine.run()
    end_ns = machine.now_ns
    machine.wait(3 * interval_ns)
    (trace,) = Meter(machine, interval_ns, sensor).traces()
    from counterpoint.bench.energy.trace import Window

    true_uj = Fraction(load_uw * (end_ns - start_ns), 10**9)
    found_uj = trace.energy_uj(Window(start_ns, end_ns))
    assert abs(found_uj - true_uj) <= true_uj / 20


def test_a_window_that_may_not_be_long_enough_gives_no_number() -> None:
    machine = Machine(10**6, 2 * 10**6, 10_000_000)
    settings = EnergySettings(max_window_ns=3 * SECOND_NS)
    meter = Meter(machine, ONE_HERTZ_NS, sensor)
    found = measure_energy(meter, machine.run, settings=settings, clock=machine.clock)
    assert isinstance(found, NoEnergy)
    assert "needs a window of 20 s, and 3 s are allowed" in found.reason
    assert machine.now_ns == 0


def test_a_load_that_draws_no_more_than_idle_gives_no_number() -> None:
    machine = Machine(3 * 10**6, 3 * 10**6, 10_000_000)
    found = measure_energy(Meter(machine, TEN_HERTZ_NS, sensor), machine.run, clock=machine.clock)
    assert isinstance(found, NoEnergy)
    assert "no more power than idle (3 W)" in found.reason


def test_an_idle_window_can_serve_many_loads() -> None:
    machine = Machine(10**6, 3 * 10**6, 10_000_000)
    meter = Meter(machine, TEN_HERTZ_NS, sensor)
    idle = measure_idle(meter, clock=machine.clock)
    assert isinstance(idle, Idle)
    before_ns = machine.now_ns
    found = measure_energy(meter, machine.run, idle=idle, clock=machine.clock)
    assert isinstance(found, Energy)
    assert found.energy_uj == 20_000
    assert machine.now_ns - before_ns == 2 * SECOND_NS + 2 * TEN_HERTZ_NS


class FailingSource:
    name = "a sensor"
    interval_ns = TEN_HERTZ_NS

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        yield self

    def traces(self) -> tuple[EnergyTrace, ...]:
        raise MachineError("the sensor is gone")


def test_a_source_that_fails_is_a_reason_and_a_run_that_fails_is_an_error() -> None:
    machine = Machine(1, 2, 10_000_000)
    idle = Idle(Fraction(1), 10**9)
    found = measure_energy(FailingSource(), machine.run, idle=idle, clock=machine.clock)
    assert found == NoEnergy("the sensor is gone")

    def fails() -> None:
        raise EngineError("the unit is gone")

    with pytest.raises(EngineError, match="the unit is gone"):
        measure_energy(FailingSource(), fails, idle=idle, clock=machine.clock)
