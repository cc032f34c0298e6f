"""Hangs that a test sees for sure, however slow the machine is."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from counterpoint.engines.faulty import FaultyEngine, Injection
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.device_threads import WatchdogMaker
from counterpoint.schedule.watchdog import HangLimits, Run, Watchdog
from tests.fake_engine import FakeEngine

LIMITS = HangLimits(floor_ns=8_000_000, unknown_ns=8_000_000)
"""Only sets how often the watchdog looks, here every millisecond."""


class HangingEngine(FaultyEngine):
    """Knows which threads hang in it."""

    def __init__(self, inside: FakeEngine, injections: Sequence[Injection] = ()) -> None:
        super().__init__(inside, injections)
        self.stuck: set[int] = set()

    def hang(self, unit: ComputeUnit) -> None:
        self.stuck.add(threading.get_ident())
        super().hang(unit)
        self.stuck.discard(threading.get_ident())


class _SureWatchdog(Watchdog):
    """Takes those for hung that are."""

    engines: Sequence[HangingEngine] = ()

    def __init__(self, threads: int, limits_ns: tuple[tuple[int, ...], ...]) -> None:
        super().__init__(threads, limits_ns)
        self.idents = [0] * threads

    def begin(self, thread: int, frame: int, lane: int, segment: int) -> None:
        self.idents[thread] = threading.get_ident()
        super().begin(thread, frame, lane, segment)

    def overdue(self) -> list[tuple[int, Run]]:
        stuck = {ident for engine in self.engines for ident in engine.stuck}
        running = [(thread, self.run_of(thread)) for thread in range(len(self.idents))]
        return [
            (thread, run)
            for thread, run in running
            if run is not None and self.idents[thread] in stuck
        ]


def sure_watchdog(*engines: HangingEngine) -> WatchdogMaker:
    return type("SureWatchdog", (_SureWatchdog,), {"engines": engines})
