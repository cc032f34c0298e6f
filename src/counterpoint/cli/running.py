"""Frames through a session, timed: one by one, or as many at once as the plan says."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from counterpoint.cli.frame_source import NamedFrame
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.session import Session
from counterpoint.schedule.simulate import simulate
from counterpoint.schedule.trace import Trace

Keep = Callable[[NamedFrame, list[Tensor]], None]
"""Takes a frame's outputs; called once for each frame, in order."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long frames took.

    Attributes:
        frame_ns: For each frame the time of each repetition.
        busy_ns: In which all of them ran, back to back; reading files excluded where frames ran
            one by one.
    """

    frame_ns: tuple[tuple[int, ...], ...]
    busy_ns: int

    @property
    def frames_per_s(self) -> float:
        """Sustained rate."""
        return sum(map(len, self.frame_ns)) * 1e9 / max(1, self.busy_ns)


def run_one_by_one(
    session: Session, frames: Iterable[NamedFrame], repeat: int, keep: Keep
) -> Times:
    """Each frame alone on the machine. There is at least one; it runs once before, as warm-up.

    Raises:
        CounterpointError: A frame or an engine failed.
    """
    taken: list[tuple[int, ...]] = []
    for frame in _warmed_up(session, frames):
        times = []
        outputs: list[Tensor] = []
        for _ in range(repeat):
            begin = time.perf_counter_ns()
            outputs = session.run(None, frame.inputs)
            times.append(time.perf_counter_ns() - begin)
        taken.append(tuple(times))
        keep(frame, outputs)
    return Times(tuple(taken), sum(map(sum, taken)))


def run_together(session: Session, frames: Iterable[NamedFrame], repeat: int, keep: Keep) -> Times:
    """Frames in flight as the plan says, in a session that records its trace.

    Raises:
        CounterpointError: A frame or an engine failed.
    """
    under_way: deque[NamedFrame | None] = deque()
    warm = _warmed_up(session, frames)

    def feed() -> Iterator[Mapping[str, Tensor]]:
        for frame in warm:
            for copy in range(repeat):
                under_way.append(frame if copy == repeat - 1 else None)
                yield frame.inputs

    for outputs in session.stream(feed()):
        frame = under_way.popleft()
        if frame is not None:
            keep(frame, outputs)
    trace = session.trace()
    if trace is None:
        raise InternalError("frames ran together in a session without a trace")
    times = _frame_times(trace)
    grouped = tuple(tuple(times[start : start + repeat]) for start in range(0, len(times), repeat))
    return Times(grouped, trace.makespan_ns)


def _warmed_up(session: Session, frames: Iterable[NamedFrame]) -> Iterator[NamedFrame]:
    """The frames, of which the first has run before."""
    rest = iter(frames)
    first = next(rest)
    session.run(None, first.inputs)
    return chain((first,), rest)


def _frame_times(trace: Trace) -> list[int]:
    """From the first span's start to the last one's end, of each frame in order."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for span in trace.spans:
        starts[span.frame] = min(span.start_ns, starts.get(span.frame, span.start_ns))
        ends[span.frame] = max(span.end_ns, ends.get(span.frame, span.end_ns))
    return [ends[frame] - starts[frame] for frame in sorted(starts)]


def predicted_trace(network: Network, plan: Plan, platform: Platform, frames: int) -> Trace | None:
    """The same in virtual time, to lie beside the measured trace; ``None`` without a prediction."""
    predicted = predicted_graph(network, plan, platform)
    return None if predicted is None else simulate(*predicted, frames).trace
