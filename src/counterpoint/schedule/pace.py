"""The time of a machine that is not here, on this machine's clock.

A run is over when its predicted time has passed since it began. Clocks oversleep and threads wake
late, so it began when the emulated machine would have begun it: when what it waited for should
have ended. Errors do not add up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from counterpoint.errors import UserInputError

MAX_TIME_SCALE = 1e6
"""A microsecond becomes a second; beyond that nobody waits."""

AT_ONCE_NS = 1_000_000
"""A device that is given a frame's first segment within this time of its last return had the frame
waiting. Well above what its thread needs to take it, and short beside segments: a device that was
idle for less than this begins so much too early. Assumed."""

SPIN_NS = 200_000
"""The end of a wait, in which the thread only yields: a sleep is late by Linux's timer slack of 50
us (prctl(2), PR_SET_TIMERSLACK) and by the time that waking takes."""


@dataclass(frozen=True, slots=True)
class Punctuality:
    """How well this host kept up with the machine that it emulates.

    Attributes:
        time_scale: Wall-clock time over emulated time.
        runs: Of segments and transfers.
        overruns: Segments whose true computation took longer here than they should take there; the
            emulated machine was slower than predicted by what is missing.
        worst_lag_ns: The longest that a run ended later than it should have, overruns included.
        least_time_scale: The least scale at which no run of these would have been an overrun;
            ``None`` before the first run, or where no time is predicted.
    """

    time_scale: float
    runs: int
    overruns: int
    worst_lag_ns: int
    least_time_scale: float | None


class Pace:
    """Makes runs take their time. Used from any thread, by one for each device at a time.

    Args:
        time_scale: Wall-clock time over emulated time; 10 is ten times slower than real.
        clock: In nanoseconds; never goes back.
        sleep: Takes seconds, and does not hold the interpreter's lock meanwhile; 0 lets other
            threads run.

    Raises:
        UserInputError: The scale is not above 0 and at most ``MAX_TIME_SCALE``.
    """

    def __init__(
        self,
        time_scale: float = 1.0,
        *,
        clock: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not (math.isfinite(time_scale) and 0 < time_scale <= MAX_TIME_SCALE):
            raise UserInputError(
                f"time scale {time_scale} is not above 0 and at most {MAX_TIME_SCALE:g}"
            )
        self.time_scale = time_scale
        self._clock = clock
        self._sleep = sleep
        # Of each device, by name: when its last run should have ended, and when it returned.
        self._last: dict[str, tuple[int, int]] = {}
        self._lock = Lock()
        self._runs = self._overruns = self._worst_lag_ns = 0
        self._least_time_scale: float | None = None

    def run(
        self,
        devices: Sequence[str],
        time_ns: int,
        compute: Callable[[], object] | None,
        after_ns: Sequence[int] = (),
    ) -> int:
        """Computes, and returns when the time has passed.

        Args:
            devices: Names of those that are busy meanwhile.
            time_ns: How long they are, on the emulated machine.
            compute: What the host does in this time; whatever it raises is raised at once. ``None``
                where time passes and nothing else.
            after_ns: What this function returned for everything that the run waited for; nothing
                for a frame's first.

        Returns:
            When the run should have ended, on the clock; when it did, where the computation took
            too long.
        """
        called_ns = self._clock()
        ends_ns = due_ns = self._start_ns(devices, after_ns, called_ns) + round(
            time_ns * self.time_scale
        )
        computed_ns = 0
        if compute is not None:
            compute()
            computed_ns = self._clock() - called_ns
        overrun = computed_ns > time_ns * self.time_scale
        if overrun:
            ends_ns = called_ns + computed_ns
        self._wait_until(ends_ns)
        returned_ns = self._clock()
        for device in devices:
            self._last[device] = (ends_ns, returned_ns)
        with self._lock:
            self._runs += 1
            self._overruns += overrun
            self._worst_lag_ns = max(self._worst_lag_ns, returned_ns - due_ns)
            if compute is not None and time_ns:
                needed = computed_ns / time_ns
                self._least_time_scale = max(self._least_time_scale or 0.0, needed)
        return ends_ns

    def punctuality(self) -> Punctuality:
        """Of all runs so far."""
        with self._lock:
            return Punctuality(
                self.time_scale,
                self._runs,
                self._overruns,
                self._worst_lag_ns,
                self._least_time_scale,
            )

    def _start_ns(self, devices: Sequence[str], after_ns: Sequence[int], called_ns: int) -> int:
        """When a run that is called now began on the emulated machine; never later than now."""
        last = [self._last[device] for device in devices if device in self._last]
        if after_ns:
            return max((*after_ns, *(ended_ns for ended_ns, _ in last)))
        # When its frame arrived nobody knows: with the call, or while its devices were busy.
        ended_ns, returned_ns = max(last, key=lambda end: end[1], default=(called_ns, called_ns))
        return ended_ns if called_ns - returned_ns <= AT_ONCE_NS else called_ns

    def _wait_until(self, time_ns: int) -> None:
        while (left_ns := time_ns - self._clock()) > 0:
            self._sleep(max(0, left_ns - SPIN_NS) / 1e9)
