"""How much time is left for something that could go on."""

from __future__ import annotations

import time
from collections.abc import Callable

FOREVER_S = 1e9
"""Thirty years."""


class TimeLimit:
    """Runs from when it is made.

    Args:
        limit_s: It is over after so many seconds.
        clock: Nanoseconds.
    """

    def __init__(
        self, limit_s: float = FOREVER_S, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._clock = clock
        self._begin_ns = clock()
        self._end_ns = self._begin_ns + round(limit_s * 1e9)

    @property
    def spent_ns(self) -> int:
        """Since it was made."""
        return self._clock() - self._begin_ns

    @property
    def left_ns(self) -> int:
        """Until it is over; 0 then."""
        return max(0, self._end_ns - self._clock())

    @property
    def is_over(self) -> bool:
        """Nothing is left."""
        return self.left_ns == 0

    def part(self, share: float) -> TimeLimit:
        """One that is over when so much of what is left now is spent."""
        return TimeLimit(share * self.left_ns / 1e9, self._clock)
