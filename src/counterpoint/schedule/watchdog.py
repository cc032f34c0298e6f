"""How long a segment may take before it counts as hung, and which runs have taken longer.

A call into an engine's library cannot be stopped from outside. A run that is overdue is given up:
its thread stays in the call, is waited for by nobody, and what it makes is not used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from counterpoint.errors import UserInputError
from counterpoint.schedule.plan import Plan

FACTOR = 50.0
"""Times the predicted time. A device that is shared with others is slower by their number, and a
clock that is held back by heat by a few times; a segment that is given up in vain costs a device.
Assumed."""

FLOOR_NS = 10_000_000_000
"""No limit is below ten seconds: first runs compile kernels and touch memory. Assumed."""

UNKNOWN_NS = 300_000_000_000
"""The limit of a segment whose time nobody predicted: five minutes. Assumed."""

LOOKS_PER_LIMIT = 8
LONGEST_LOOK_S = 1.0
"""The watchdog looks so many times within the least limit, and at least once a second."""


@dataclass(frozen=True, slots=True)
class HangLimits:
    """When a segment counts as hung.

    Attributes:
        factor: After so many times its predicted time.
        floor_ns: But not before this.
        unknown_ns: Where the plan predicts no time.

    Raises:
        UserInputError: A value is not above 0.
    """

    factor: float = FACTOR
    floor_ns: int = FLOOR_NS
    unknown_ns: int = UNKNOWN_NS

    def __post_init__(self) -> None:
        if not (self.factor > 0 and self.floor_ns > 0 and self.unknown_ns > 0):
            raise UserInputError("limits for hanging segments are above 0")

    def limit_ns(self, predicted_ns: int | None) -> int:
        """For one segment; ``None``: nobody predicted its time."""
        if predicted_ns is None:
            return max(self.floor_ns, self.unknown_ns)
        return max(self.floor_ns, round(self.factor * predicted_ns))

    def of_plan(self, plan: Plan) -> tuple[tuple[int, ...], ...]:
        """For each segment of each lane."""
        times = plan.prediction.segment_ns
        if times is None:
            return tuple((self.limit_ns(None),) * len(lane.segments) for lane in plan.lanes)
        return tuple(tuple(map(self.limit_ns, lane)) for lane in times)


@dataclass(frozen=True, slots=True)
class Run:
    """A segment that a thread has begun; compared by identity.

    Attributes:
        frame: Number of its frame.
        lane: Index of its lane.
        segment: Index of the segment in the lane.
        began_ns: By the watchdog's clock.
    """

    frame: int
    lane: int
    segment: int
    began_ns: int


class Watchdog:
    """Knows what each thread runs. Threads write their own entries; any thread may look.

    Args:
        threads: How many there are.
        limits_ns: For each segment of each lane.
        clock: In nanoseconds; never goes back.
    """

    def __init__(
        self,
        threads: int,
        limits_ns: tuple[tuple[int, ...], ...],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._limits_ns = limits_ns
        self._clock = clock
        self._runs: list[Run | None] = [None] * threads

    @property
    def look_s(self) -> float:
        """Time from one look to the next."""
        least_ns = min(min(row) for row in self._limits_ns)
        return min(LONGEST_LOOK_S, least_ns / LOOKS_PER_LIMIT / 1e9)

    def begin(self, thread: int, frame: int, lane: int, segment: int) -> None:
        """That thread is about to call the engine."""
        self._runs[thread] = Run(frame, lane, segment, self._clock())

    def end(self, thread: int) -> None:
        """It is back."""
        self._runs[thread] = None

    def run_of(self, thread: int) -> Run | None:
        """What it runs now."""
        return self._runs[thread]

    def overdue(self) -> list[tuple[int, Run]]:
        """The threads that have been in a call for longer than its limit, and in which."""
        now_ns = self._clock()
        return [
            (thread, run)
            for thread, run in enumerate(self._runs)
            if run is not None and now_ns - run.began_ns > self._limits_ns[run.lane][run.segment]
        ]
