"""How long work tells how far it is: the command line draws a bar, a library user nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives steps of a known number of tasks."""

    def begin(self, title: str, total: int) -> None:
        """A stage of ``total`` steps starts."""
        ...

    def step(self, done: str) -> None:
        """One step is over; ``done`` says which."""
        ...


class Silence:
    """Draws nothing."""

    def begin(self, title: str, total: int) -> None:
        """See :class:`Progress`."""

    def step(self, done: str) -> None:
        """See :class:`Progress`."""
