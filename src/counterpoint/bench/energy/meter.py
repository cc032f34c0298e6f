"""An external meter whose program writes a CSV file beside the bench, aligned by time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from counterpoint.bench.energy.meter_csv import read_meter, sampling_ns
from counterpoint.bench.energy.source import Recording
from counterpoint.bench.energy.trace import CounterTrace, EnergyTrace, PowerTrace
from counterpoint.errors import MachineError

PATIENCE_NS = 2_000_000_000
"""Beyond two sampling intervals so long is waited for the meter's program to write its rows."""


@dataclass(frozen=True, slots=True)
class MeterClocks:
    """The clocks that an alignment needs.

    Attributes:
        wall_ns: The meter's: nanoseconds since 1970.
        now_ns: The bench's.
        wait: Waits for so many nanoseconds.
    """

    wall_ns: Callable[[], int] = time.time_ns
    now_ns: Callable[[], int] = time.perf_counter_ns
    wait: Callable[[int], object] = lambda duration_ns: time.sleep(duration_ns / 1e9)

    def ahead_ns(self) -> int:
        """By how much the meter's clock is ahead of the bench's."""
        before = self.now_ns()
        wall = self.wall_ns()
        return wall - (before + self.now_ns()) // 2


@dataclass(frozen=True, slots=True)
class MeterFile:
    """A :class:`~counterpoint.bench.energy.source.PowerSource` that is a growing file.

    Attributes:
        path: The file, in the form of :mod:`counterpoint.bench.energy.meter_csv`.
        interval_ns: As its rows so far show.
        clocks: For tests.
    """

    path: Path
    interval_ns: int
    clocks: MeterClocks = field(default_factory=MeterClocks)

    @classmethod
    def open(cls, path: Path, clocks: MeterClocks | None = None) -> MeterFile:
        """A file that has at least two rows of samples.

        Raises:
            UserInputError: It cannot be used.
        """
        return cls(path, sampling_ns(read_meter(path)[0]), clocks or MeterClocks())

    @property
    def name(self) -> str:
        """See :class:`~counterpoint.bench.energy.source.PowerSource`."""
        return f"meter's file {self.path.name}"

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """See :class:`~counterpoint.bench.energy.source.PowerSource`."""
        recording = _MeterRecording(self, self.clocks.ahead_ns())
        yield recording
        recording.end_ns = self.clocks.now_ns()


@dataclass(slots=True)
class _MeterRecording:
    """The part of the file since it was opened."""

    source: MeterFile
    ahead_ns: int
    end_ns: int = 0

    def traces(self) -> tuple[EnergyTrace, ...]:
        """See :class:`~counterpoint.bench.energy.source.Recording`. Waits until the rows are there.

        Raises:
            UserInputError: A row has another form.
            MachineError: The clock was set meanwhile.
        """
        clocks = self.source.clocks
        set_by_ns = clocks.ahead_ns() - self.ahead_ns
        if abs(set_by_ns) > self.source.interval_ns // 2:
            raise MachineError(
                f"this machine's clock was set by {set_by_ns / 1e9:.3g} s during the measurement, "
                f"so that {self.source.path.name} cannot be aligned: measure again"
            )
        wait_until_ns = self.end_ns + 2 * self.source.interval_ns + PATIENCE_NS
        while True:
            traces = read_meter(self.source.path)
            there = all(t.times_ns[-1] - self.ahead_ns >= self.end_ns for t in traces)
            if there or clocks.now_ns() > wait_until_ns:
                return tuple(_moved(trace, -self.ahead_ns) for trace in traces)
            clocks.wait(self.source.interval_ns)


def _moved(trace: EnergyTrace, by_ns: int) -> EnergyTrace:
    times_ns = tuple(time_ns + by_ns for time_ns in trace.times_ns)
    if isinstance(trace, CounterTrace):
        return CounterTrace(trace.domain, times_ns, trace.energy_uj_read, trace.wraps_at_uj)
    assert isinstance(trace, PowerTrace)  # noqa: S101 - read_meter makes these two
    return PowerTrace(trace.domain, times_ns, trace.power_uw)
