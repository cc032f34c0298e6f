"""Where energy is counted: the seam behind which meters and sensors lie.

A new source that is read while the program runs is a file that makes :class:`Gauge` values; a
source that records by itself is a class with the methods of :class:`PowerSource`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from counterpoint.bench.energy.trace import CounterTrace, EnergyTrace, PowerTrace
from counterpoint.errors import MachineError

TEN_HERTZ_NS = 100_000_000
"""How often sensors are read unless told otherwise: as ``nvidia-smi`` in Xu et al. (NPC 2019)."""


class Recording(Protocol):
    """What is drawn while it is open."""

    def traces(self) -> tuple[EnergyTrace, ...]:
        """One for each domain, on the clock ``time.perf_counter_ns``; after the recording's end.

        Raises:
            CounterpointError: A sensor could not be read, or the meter's file cannot be used.
        """


class PowerSource(Protocol):
    """Tells what the machine, or a part of it, draws."""

    @property
    def name(self) -> str:
        """What counts, and by which library: part of a result's method."""

    @property
    def interval_ns(self) -> int:
        """Time between two samples."""

    def recording(self) -> AbstractContextManager[Recording]:
        """Records from the context's start to its end."""


class Quantity(StrEnum):
    """What a gauge shows."""

    ENERGY_UJ = "energy_uj"
    """Microjoules since some time, ever more."""
    POWER_UW = "power_uw"
    """Microwatts now."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that can be read at any time.

    Attributes:
        domain: What it measures.
        quantity: What it shows.
        read: Takes a reading.
        wraps_at_uj: Where a counter starts again from 0; ``None``: nowhere.
    """

    domain: str
    quantity: Quantity
    read: Callable[[], int]
    wraps_at_uj: int | None = None


@dataclass(frozen=True, slots=True)
class PolledSource:
    """Gauges that a thread reads at a fixed rate, at the recording's start and at its end.

    Attributes:
        name: See :class:`PowerSource`.
        gauges: At least one.
        interval_ns: See :class:`PowerSource`.
    """

    name: str
    gauges: tuple[Gauge, ...]
    interval_ns: int = TEN_HERTZ_NS

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """See :class:`PowerSource`."""
        readings = Readings(self.gauges)
        readings.take()
        done = threading.Event()

        def poll() -> None:
            while not done.wait(self.interval_ns / 1e9) and readings.failure is None:
                readings.take()

        thread = threading.Thread(target=poll, name="counterpoint-energy", daemon=True)
        thread.start()
        try:
            yield readings
        finally:
            done.set()
            thread.join()
            readings.take()


@dataclass(slots=True)
class Readings:
    """What gauges have shown so far. Written to by one thread at a time.

    Attributes:
        gauges: Which.
        clock: Nanoseconds.
        times_ns, values: Of each gauge, all of one length.
        failure: Why reading has stopped; ``None`` while it goes on.
    """

    gauges: tuple[Gauge, ...]
    clock: Callable[[], int] = time.perf_counter_ns
    times_ns: tuple[list[int], ...] = field(init=False)
    values: tuple[list[int], ...] = field(init=False)
    failure: str | None = None

    def __post_init__(self) -> None:
        self.times_ns = tuple([] for _ in self.gauges)
        self.values = tuple([] for _ in self.gauges)

    def take(self) -> None:
        """Reads all gauges once. A reading counts as taken in the middle of the call."""
        for gauge, times, values in zip(self.gauges, self.times_ns, self.values, strict=True):
            begin = self.clock()
            try:
                value = gauge.read()
            except Exception as error:  # whatever a driver's library may raise
                self.failure = f"{gauge.domain} cannot be read any more ({error})"
                return
            middle = (begin + self.clock()) // 2
            if not times or middle > times[-1]:
                times.append(middle)
                values.append(value)

    def traces(self) -> tuple[EnergyTrace, ...]:
        """See :class:`Recording`."""
        if self.failure is not None:
            raise MachineError(self.failure)
        made = zip(self.gauges, self.times_ns, self.values, strict=True)
        try:
            return tuple(
                _trace(gauge, tuple(times), tuple(values)) for gauge, times, values in made
            )
        except ValueError as error:
            raise MachineError(str(error)) from None


def _trace(gauge: Gauge, times_ns: tuple[int, ...], values: tuple[int, ...]) -> EnergyTrace:
    if gauge.quantity is Quantity.POWER_UW:
        return PowerTrace(gauge.domain, times_ns, values)
    return CounterTrace(gauge.domain, times_ns, values, gauge.wraps_at_uj)
