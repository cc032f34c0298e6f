"""Who takes part: units, plans and engines as installed, made ready to be timed in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice

from counterpoint.bench.result import Contender
from counterpoint.engines.protocol import CompiledSegment, Engine, InstalledStream, Tensor
from counterpoint.errors import CounterpointError, EngineError
from counterpoint.measure.sampling import Contender as Ready
from counterpoint.measure.sampling import Run
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.frames import ordered

Frame = Mapping[str, Tensor]
"""Inputs by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One contender that can be run.

    Attributes:
        contender: Who.
        ready: Makes it ready; each call of what comes back is one sample.
        batch: Images in a frame.
        frames_per_sample: Frames that a sample counts.
        frame_ns: What a frame takes, from what was seen before; 0 where nothing was.
        predicted_ns: What the planner expects of a sample.
        note: What is unlike the others.
    """

    contender: Contender
    ready: Ready
    batch: int = 1
    frames_per_sample: int = 1
    frame_ns: float = 0.0
    predicted_ns: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class FramesRun:
    """Many frames as one sample; see :class:`counterpoint.measure.sampling.WarmsUp`.

    Attributes:
        stream: Runs that many frames.
        frames: Of a sample.
        warm_frames: Before it.
    """

    stream: Callable[[int], object]
    frames: int
    warm_frames: int

    def warm(self) -> None:
        """Runs the frames before a sample."""
        self.stream(self.warm_frames)

    def __call__(self) -> None:
        """Runs the frames of a sample."""
        self.stream(self.frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What sessions need of a machine.

    Attributes:
        platform: Devices and units.
        engines: By name.
    """

    platform: Platform
    engines: Mapping[str, Engine]

    def software(self, units: Sequence[str]) -> str:
        """Engines of those units with versions."""
        names = dict.fromkeys(self.platform.unit(unit).engine for unit in units)
        return ", ".join(f"{name} {self.engines[name].version()}" for name in names)


def one_by_one(network: Network, plan: Plan, where: Where, frames: Sequence[Frame]) -> Ready:
    """Frames by a plan, one after the other and again, each as one sample."""

    @contextmanager
    def ready() -> Iterator[Run]:
        shown = cycle(frames)
        with _session(network, plan, where) as session:
            yield lambda: session.run(None, next(shown))

    return ready


def streamed(
    network: Network, plan: Plan, where: Where, frames: Sequence[Frame], count: int
) -> Ready:
    """So many frames in flight by a plan as one sample; warm after as many as are in flight."""

    @contextmanager
    def ready() -> Iterator[Run]:
        shown = cycle(frames)
        with _session(network, plan, where) as session:

            def stream(number: int) -> None:
                for _ in session.stream(islice(shown, number)):
                    pass

            yield FramesRun(stream, count, plan.frames_in_flight)

    return ready


def installed_one_by_one(
    make: Callable[[], CompiledSegment | None], network: Network, frames: Sequence[Frame], name: str
) -> Ready:
    """Frames by an engine's own default, one after the other and again, each as one sample."""

    @contextmanager
    def ready() -> Iterator[Run]:
        default = make()
        if default is None:
            raise EngineError(f"{name} has no default way to run a network")
        shown = cycle([ordered(network, frame) for frame in frames])
        try:
            yield lambda: default.run(next(shown))
        finally:
            _close(default)

    return ready


def installed_streamed(
    make: Callable[[], InstalledStream], network: Network, frame: Frame, warm: int, count: int
) -> Ready:
    """So many frames by an engine's own throughput mode as one sample, behind some to be warm."""

    @contextmanager
    def ready() -> Iterator[Run]:
        stream = make()
        inputs = ordered(network, frame)
        try:
            yield FramesRun(lambda number: stream.run(inputs, number), count, warm)
        finally:
            _close(stream)

    return ready


@contextmanager
def _session(network: Network, plan: Plan, where: Where) -> Iterator[Session]:
    """A session; what has failed in it is told once, and not again when it is closed."""
    session = Session(network, plan, engines=where.engines, platform=where.platform)
    try:
        yield session
    finally:
        _close(session)


def _close(thing: Session | CompiledSegment | InstalledStream) -> None:
    with suppress(CounterpointError):
        thing.close()
