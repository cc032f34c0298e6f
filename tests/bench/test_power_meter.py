"""A meter's growing file, on a clock of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoint.bench.energy.measuring import Clock, NoEnergy, measure_energy
from counterpoint.bench.energy.meter import MeterClocks, MeterFile
from counterpoint.bench.result import Energy
from counterpoint.errors import MachineError

SECOND_NS = 10**9
AHEAD_NS = 1_700_000_000 * SECOND_NS + 123_456_789


class Desk:
    """A machine that draws 10 W at work and 4 W when idle, and a meter that writes each 0.1 s."""

    def __init__(self, path: Path, lag_rows: int = 3) -> None:
        self.path = path
        self.lag_rows = lag_rows
        self.now_ns = 0
        self.power_w = 4
        self.last_row = 1_000_000
        self.rows: list[str] = []
        self.steps_ns = 0
        self.path.write_text("time_ns,power_w\n")
        self.wait(SECOND_NS)

    def wait(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        tick_ns = SECOND_NS // 10
        while self.now_ns // tick_ns < end_ns // tick_ns:
            self.now_ns = (self.now_ns // tick_ns + 1) * tick_ns
            self.rows.append(f"{self.now_ns + AHEAD_NS},{self.power_w}\n")
        self.now_ns = end_ns
        written = self.rows[: min(len(self.rows) - self.lag_rows, self.last_row)]
        self.path.write_text("time_ns,power_w\n" + "".join(written))

    def run(self) -> None:
        self.power_w = 10
        self.wait(SECOND_NS // 20)
        self.power_w = 4

    @property
    def clocks(self) -> MeterClocks:
        return MeterClocks(
            lambda: self.now_ns + AHEAD_NS + self.steps_ns, lambda: self.now_ns, self.wait
        )

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_ns, self.wait)


def test_rows_that_come_late_are_waited_for_and_aligned(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "meter.csv")
    source = MeterFile.open(desk.path, desk.clocks)
    assert source.interval_ns == SECOND_NS // 10
    found = measure_energy(source, desk.run, clock=desk.clock)
    assert isinstance(found, Energy)
    assert found.energy_uj == 6_000_000 // 20  # 6 W above idle for 50 ms
    assert found.method.startswith("meter's file meter.csv: power, a sample every 100 ms")


def test_a_meter_that_stops_gives_a_reason(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "meter.csv")
    source = MeterFile.open(desk.path, desk.clocks)
    desk.last_row = 12
    found = measure_energy(source, desk.run, clock=desk.clock)
    assert found == NoEnergy("power: its samples do not reach over the whole measurement")


def test_a_clock_that_was_set_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "meter.csv", lag_rows=0)
    source = MeterFile.open(desk.path, desk.clocks)
    with source.recording() as recording:
        desk.run()
        desk.steps_ns = SECOND_NS
    with pytest.raises(MachineError, match="clock was set by 1 s"):
        recording.traces()
