"""What a meter recorded: a counter of energy, or power at points in time.

All arithmetic is exact, in fractions of microjoules: rounding is left to who shows the number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

FEMTOJOULES_PER_UJ = 10**9
"""A microwatt for a nanosecond is a femtojoule."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, on the clock of the traces that it is laid over.

    Attributes:
        start_ns: When it begins.
        end_ns: When it ends, after ``start_ns``.
    """

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise ValueError("a window ends after it begins")

    @property
    def duration_ns(self) -> int:
        """Its length."""
        return self.end_ns - self.start_ns


class EnergyTrace(Protocol):
    """What one domain drew: a package, a memory, a card, a rail, or the whole machine."""

    @property
    def domain(self) -> str:
        """What was measured."""

    @property
    def times_ns(self) -> Sequence[int]:
        """When samples were taken; ascending."""

    def energy_uj(self, window: Window) -> Fraction:
        """Energy drawn in the window.

        Raises:
            ValueError: Part of the window lies before the first sample or after the last.
        """


@dataclass(frozen=True, slots=True)
class CounterTrace:
    """A counter of energy, read now and then. Between two readings power is taken as constant.

    Attributes:
        domain: What it counts.
        times_ns: When it was read; ascending, two at least.
        energy_uj_read: What it showed, in microjoules.
        wraps_at_uj: Where it starts again from 0; ``None``: nowhere. It must be read before it
            has gone round once: a reading below the one before counts as one wrap-around.
    """

    domain: str
    times_ns: tuple[int, ...]
    energy_uj_read: tuple[int, ...]
    wraps_at_uj: int | None = None

    def __post_init__(self) -> None:
        _check_times(self.domain, self.times_ns, len(self.energy_uj_read))
        top = self.wraps_at_uj
        for before, after in pairwise(self.energy_uj_read):
            if after < before and top is None:
                raise ValueError(
                    f"the counter of {self.domain} falls from {before} to {after} uJ, and where it "
                    "wraps around is not known"
                )
        if min(self.energy_uj_read) < 0 or (top is not None and max(self.energy_uj_read) > top):
            raise ValueError(f"the counter of {self.domain} is outside 0 to {top} uJ")

    def energy_uj(self, window: Window) -> Fraction:
        """See :meth:`EnergyTrace.energy_uj`; linear between readings."""
        first, last = _around(self.times_ns, window)
        total = Fraction(0)
        for index in range(first, last):
            begin, end = self.times_ns[index], self.times_ns[index + 1]
            covered = min(end, window.end_ns) - max(begin, window.start_ns)
            total += Fraction(self._step_uj(index) * covered, end - begin)
        return total

    def _step_uj(self, index: int) -> int:
        step = self.energy_uj_read[index + 1] - self.energy_uj_read[index]
        return step if step >= 0 else step + (self.wraps_at_uj or 0)


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """Power at points in time. Between two samples it is taken to change linearly.

    Attributes:
        domain: What draws it.
        times_ns: When it was sampled; ascending, two at least.
        power_uw: In microwatts; below zero where a sensor's offset or a charger makes it so.
    """

    domain: str
    times_ns: tuple[int, ...]
    power_uw: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_times(self.domain, self.times_ns, len(self.power_uw))

    def energy_uj(self, window: Window) -> Fraction:
        """See :meth:`EnergyTrace.energy_uj`; trapezoids between samples."""
        first, last = _around(self.times_ns, window)
        total = Fraction(0)
        for index in range(first, last):
            begin = max(self.times_ns[index], window.start_ns)
            end = min(self.times_ns[index + 1], window.end_ns)
            mean_uw = (self._power_uw(index, begin) + self._power_uw(index, end)) / 2
            total += mean_uw * (end - begin) / FEMTOJOULES_PER_UJ
        return total

    def _power_uw(self, index: int, time_ns: int) -> Fraction:
        """Between sample ``index`` and the next."""
        begin, end = self.times_ns[index], self.times_ns[index + 1]
        rise = self.power_uw[index + 1] - self.power_uw[index]
        return self.power_uw[index] + Fraction(rise * (time_ns - begin), end - begin)


def largest_gap_ns(trace: EnergyTrace, window: Window) -> int | None:
    """The longest time without a sample in a window; ``None`` where the trace does not cover it."""
    times = trace.times_ns
    if window.start_ns < times[0] or window.end_ns > times[-1]:
        return None
    first, last = _around(times, window)
    return max(times[index + 1] - times[index] for index in range(first, last))


def _around(times_ns: Sequence[int], window: Window) -> tuple[int, int]:
    """Index of the last sample at or before the window, and of the first at or after it."""
    if window.start_ns < times_ns[0] or window.end_ns > times_ns[-1]:
        raise ValueError("the window is not covered by samples")
    return bisect_right(times_ns, window.start_ns) - 1, bisect_left(times_ns, window.end_ns)


def _check_times(domain: str, times_ns: Sequence[int], values: int) -> None:
    if len(times_ns) < 2 or len(times_ns) != values:
        raise ValueError(f"{domain}: two samples at least, and a value for each")
    if any(after <= before for before, after in pairwise(times_ns)):
        raise ValueError(f"{domain}: times have to ascend")
