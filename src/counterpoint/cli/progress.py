"""How far it is: a bar with the time left, on standard error, where somebody sits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from counterpoint.tuning.progress import Progress as Listener
from counterpoint.tuning.progress import Silence


class Bar:
    """One bar at a time, for the stage under way.

    It is drawn when a step is over and never in between: a thread that draws would take time from
    what is being measured.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, title: str, total: int) -> None:
        """See :class:`counterpoint.tuning.progress.Progress`."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, last="")
        self._progress.refresh()

    def step(self, done: str) -> None:
        """See :class:`counterpoint.tuning.progress.Progress`."""
        if self._task is not None:
            self._progress.update(self._task, advance=1, last=done)
            self._progress.refresh()


@contextmanager
def shown_progress() -> Iterator[Listener]:
    """A bar that is gone when the block ends; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield Silence()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}", markup=False),
    )
    console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        yield Bar(progress)
