"""Progress of many stages: titles say which of them it is, and about how long the rest takes."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.measure.time_limit import TimeLimit
from counterpoint.tuning.progress import Progress


@dataclass(kw_only=True)
class StagedProgress:
    """Hands everything on, under longer titles.

    Attributes:
        inner: What draws.
        limit: Knows the time.
        stages: In all.
        done: How many are over.
        stage: The one under way.
    """

    inner: Progress
    limit: TimeLimit
    stages: int
    done: int = 0
    stage: str = ""

    def next(self, stage: str) -> None:
        """A stage starts."""
        self.stage = stage

    def finish(self) -> None:
        """The stage is over."""
        self.done += 1

    def begin(self, title: str, total: int) -> None:
        """See :class:`counterpoint.tuning.progress.Progress`."""
        self.inner.begin(
            f"{self.done + 1}/{self.stages} {self.stage}: {title}{self._left()}", total
        )

    def step(self, done: str) -> None:
        """See :class:`counterpoint.tuning.progress.Progress`."""
        self.inner.step(done)

    def _left(self) -> str:
        """As if all stages took the same time; no more than the limit leaves."""
        if not self.done:
            left_ns = self.limit.left_ns
        else:
            each_ns = self.limit.spent_ns / self.done
            left_ns = min(self.limit.left_ns, round(each_ns * (self.stages - self.done)))
        return f" (at most {-(-left_ns // 60_000_000_000)} min left in all)"
