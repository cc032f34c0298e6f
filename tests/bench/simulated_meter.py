"""A machine whose power is known, and the meters that watch it: time passes only when it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from counterpoint.bench.energy.measuring import Clock
from counterpoint.bench.energy.trace import CounterTrace, EnergyTrace, PowerTrace


@dataclass
class Machine:
    """Draws one power at work and one when idle, in microjoules a nanosecond."""

    idle_uw: int
    load_uw: int
    run_ns: int
    now_ns: int = 0
    spells: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, power

    def _pass(self, duration_ns: int, power_uw: int) -> None:
        self.spells.append((self.now_ns, self.now_ns + duration_ns, power_uw))
        self.now_ns += duration_ns

    def run(self) -> None:
        self._pass(self.run_ns, self.load_uw)

    def wait(self, duration_ns: int) -> None:
        self._pass(duration_ns, self.idle_uw)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_ns, self.wait)

    def drawn_fj(self, until_ns: int) -> int:
        return sum(
            (min(end, until_ns) - start) * power
            for start, end, power in self.spells
            if start < until_ns
        )

    def power_uw(self, moment_ns: int) -> int:
        return next(
            (power for start, end, power in self.spells if start <= moment_ns < end), self.idle_uw
        )


@dataclass
class Meter:
    """Samples the machine at a fixed rate, also before and after its recording."""

    machine: Machine
    interval_ns: int
    make: Callable[[Machine, tuple[int, ...]], EnergyTrace]
    name: str = "a simulated meter"

    @contextmanager
    def recording(self) -> Iterator[Meter]:
        yield self

    def traces(self) -> tuple[EnergyTrace, ...]:
        last = self.machine.now_ns // self.interval_ns
        times = tuple(self.interval_ns * tick for tick in range(last + 1))
        return (self.make(self.machine, times),)


def counter(unit_fj: int, wraps_at: int) -> Callable[[Machine, tuple[int, ...]], EnergyTrace]:
    """Counts energy in whole units, and starts again from 0."""

    def make(machine: Machine, times_ns: tuple[int, ...]) -> EnergyTrace:
        shown = tuple(machine.drawn_fj(time_ns) // unit_fj % wraps_at for time_ns in times_ns)
        return CounterTrace("package-0", times_ns, shown, wraps_at)

    return make


def sensor(machine: Machine, times_ns: tuple[int, ...]) -> EnergyTrace:
    """Shows power at each sample."""
    return PowerTrace("VDD_IN", times_ns, tuple(map(machine.power_uw, times_ns)))
