"""Gauges that are read by a thread, and how a user names a source."""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path

import pytest

from counterpoint.bench.energy import choice
from counterpoint.bench.energy.choice import power_source
from counterpoint.bench.energy.measuring import NoEnergy
from counterpoint.bench.energy.meter import MeterFile
from counterpoint.bench.energy.source import Gauge, PolledSource, Quantity, Readings
from counterpoint.bench.energy.trace import CounterTrace, PowerTrace
from counterpoint.errors import MachineError, UserInputError


def test_a_reading_counts_in_the_middle_of_its_call() -> None:
    clock = iter([0, 10, 100, 120, 200, 202])
    values = iter([7, 9, 3])
    gauge = Gauge("package-0", Quantity.ENERGY_UJ, lambda: next(values), wraps_at_uj=10)
    readings = Readings((gauge,), lambda: next(clock))
    for _ in range(3):
        readings.take()
    assert readings.traces() == (CounterTrace("package-0", (5, 110, 201), (7, 9, 3), 10),)


def test_a_counter_that_falls_without_a_range_is_the_machines_fault() -> None:
    values = iter([7, 3])
    readings = Readings(
        (Gauge("x", Quantity.ENERGY_UJ, lambda: next(values)),), count(0, 5).__next__
    )
    readings.take()
    readings.take()
    with pytest.raises(MachineError, match="falls from 7 to 3"):
        readings.traces()


def test_a_thread_reads_until_the_recording_ends() -> None:
    enough = threading.Event()
    taken = count()

    def read() -> int:
        number = next(taken)
        if number == 4:
            enough.set()
        return number

    source = PolledSource("test", (Gauge("rail", Quantity.POWER_UW, read),), interval_ns=1_000_000)
    with source.recording() as recording:
        assert enough.wait(10)
    (trace,) = recording.traces()
    assert isinstance(trace, PowerTrace)
    assert trace.power_uw == tuple(range(len(trace.power_uw)))
    assert len(trace.power_uw) >= 6  # one when it began, one when it ended
    assert not [t for t in threading.enumerate() if t.name == "counterpoint-energy"]


def test_sources_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "meter.CSV"
    path.write_text("time,p_w\n1,1\n1.1,1\n1.2,1\n")
    source = power_source(str(path))
    assert isinstance(source, MeterFile)
    assert source.interval_ns == 100_000_000
    with pytest.raises(UserInputError, match="no energy source 'rapl': auto, zeus, hwmon, off or"):
        power_source("rapl")
    assert power_source("off") == NoEnergy("energy is not asked for")
    monkeypatch.setattr(choice, "zeus_source", lambda **_: "no counter")
    monkeypatch.setattr(choice, "hwmon_source", lambda **_: None)
    found = power_source("auto")
    assert isinstance(found, NoEnergy)
    assert found.reason.startswith(
        "nothing counts energy on this machine (no counter; no hwmon power sensor)"
    )
    assert "--modelled-energy" in found.reason
    hwmon = PolledSource("hwmon", ())
    monkeypatch.setattr(choice, "hwmon_source", lambda **_: hwmon)
    assert power_source("auto") is hwmon
    zeus = PolledSource("zeus", ())
    monkeypatch.setattr(choice, "zeus_source", lambda **_: zeus)
    assert power_source("auto") is zeus
