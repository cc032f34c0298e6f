"""The thread that looks after device threads: it gives up those that hang, and makes new plans."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread, current_thread


class Failover:
    """A thread that looks at intervals, and does what it is told in between.

    Args:
        look: Called every ``look_s()`` seconds.
        look_s: Asked each time.
    """

    def __init__(self, look: Callable[[], None], look_s: Callable[[], float]) -> None:
        self._look = look
        self._look_s = look_s
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="failover", daemon=True)
        self._thread.start()

    @property
    def is_caller(self) -> bool:
        """The call comes from this very thread."""
        return current_thread() is self._thread

    def order(self, work: Callable[[], None]) -> None:
        """To be done next, in this thread."""
        self._orders.put(work)

    def close(self) -> None:
        """Ends the thread after what it was told to do, and waits for that."""
        self._orders.put(None)
        if not self.is_caller:
            self._thread.join()

    def _work(self) -> None:
        while True:
            try:
                work = self._orders.get(timeout=self._look_s())
            except Empty:
                work = self._look
            if work is None:
                return
            work()
