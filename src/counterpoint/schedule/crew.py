"""The threads of one dispatch graph: one for each group of devices that its segments occupy."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread

from counterpoint.errors import MachineError
from counterpoint.schedule.assembly import Assembly
from counterpoint.schedule.flight import Flight
from counterpoint.schedule.pinning import pin
from counterpoint.schedule.watchdog import Run, Watchdog
from counterpoint.schedule.wiring import Slots

Job = tuple[Flight, Slots, int, int]
"""Run that segment of that lane for that frame, on these tensors of it. A frame that starts again
has other tensors, and the job is for nothing then."""

LOOK_S = 0.05
"""Who waits for a thread to end looks so often whether it was given up meanwhile."""


class Crew:
    """Threads, each with a mailbox, and what they run.

    A device gets a new segment only when it is idle, so a mailbox never holds more than one.

    Attributes:
        assembly: What they run.
        group_of: For each segment of each lane the index of its thread.
        mailboxes: For each thread what it takes its jobs from; ``None`` ends it.
        watchdog: Told of each call into an engine; ``None``: nobody looks.
        given_up: By the indices of the threads that nobody waits for any more, what they run.

    Args:
        assembly: What they run.
        work: What each thread does, with the crew and its own index, until it takes a ``None``.
        watchdog: Makes one for so many threads and the assembly's limits.

    Raises:
        MachineError: A segment belongs on processors that this program may not use.
    """

    def __init__(
        self,
        assembly: Assembly,
        work: Callable[[Crew, int], None],
        watchdog: Callable[[int, tuple[tuple[int, ...], ...]], Watchdog] = Watchdog,
    ) -> None:
        graph = assembly.graph
        self.assembly = assembly
        self.given_up: dict[int, Run] = {}
        groups: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = {}
        self.group_of = tuple(
            tuple(groups.setdefault((node.devices, node.cores), len(groups)) for node in lane)
            for lane in graph.lanes
        )
        self.watchdog = watchdog(len(groups), assembly.limits_ns) if assembly.limits_ns else None
        self.mailboxes: tuple[SimpleQueue[Job | None], ...] = tuple(SimpleQueue() for _ in groups)
        # Daemons: a program that forgets to close still ends, and so does one whose engine hangs.
        self.threads = tuple(
            Thread(target=work, args=(self, index), name="+".join(devices), daemon=True)
            for (devices, _), index in groups.items()
        )
        for thread in self.threads:
            thread.start()
        try:
            for thread, (_, cores) in zip(self.threads, groups, strict=True):
                pin(thread, cores)
        except MachineError:
            self.stop()
            self.join()
            raise

    def stop(self) -> None:
        """Every thread ends after what it has."""
        for mailbox in self.mailboxes:
            mailbox.put(None)

    def join(self) -> None:
        """Waits until they have ended, except for the caller and those that are given up."""
        for index, thread in enumerate(self.threads):
            if thread is current_thread():
                continue
            if self.watchdog is None:
                thread.join()
            while thread.is_alive() and index not in self.given_up:
                thread.join(LOOK_S)

    def give_up(self, thread: int, run: Run) -> None:
        """Nobody waits for a thread any more that does not come back from a run."""
        self.given_up[thread] = run

    def close_stranded(self, thread: int) -> None:
        """Closes what a thread ran that was given up and has come back; it alone knows that."""
        run, made = self.given_up[thread], self.assembly
        if made.keys:
            made.compiled[made.keys[run.lane][run.segment]].close()
