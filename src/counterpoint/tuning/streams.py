"""Plans and engines' own throughput modes as things that run many images: timed, or in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from statistics import median

from counterpoint.engines.protocol import Engine, InstalledStream, Tensor
from counterpoint.measure.sampling import Contender, Run
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.frames import ordered

Frame = Mapping[str, Tensor]

LEAST_RESULTS = 2
"""Frames between the first and the last that count, for each frame in flight."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a clock said of frames in flight.

    Attributes:
        interval_ns: Mean time from one frame's end to the next one's, filling and draining left
            out.
        segment_ns: For each lane the median time of each segment, as it ran beside the others.
    """

    interval_ns: int
    segment_ns: tuple[tuple[int, ...], ...]


def stream_plan(
    network: Network,
    plan: Plan,
    *,
    engines: Mapping[str, Engine],
    platform: Platform,
    frame: Frame,
    budget_ns: int,
) -> Streamed:
    """Streams one frame again and again.

    Args:
        network: The plan's.
        plan: What runs.
        engines: By name.
        platform: Where.
        frame: Inputs by name.
        budget_ns: About so long, after a warm-up.

    Raises:
        EngineError: An engine refused or failed.
    """
    depth = plan.frames_in_flight
    with Session(network, plan, engines=engines, platform=platform, trace=True) as session:
        begin = time.perf_counter_ns()
        for _ in session.stream(repeat(frame, depth)):
            pass
        each_ns = max(1, (time.perf_counter_ns() - begin) // depth)
        # Lanes alike finish together, so only whole rounds of them have a mean interval.
        rotation = sum(lane.share for lane in plan.lanes)
        count = rotation * -(-max(LEAST_RESULTS * depth, budget_ns // each_ns) // rotation)
        ends = [time.perf_counter_ns() for _ in session.stream(repeat(frame, count + 2 * depth))]
        trace = session.trace()
    taken: dict[tuple[int, int], list[int]] = {}
    for span in trace.spans if trace else ():
        taken.setdefault((span.lane, span.segment), []).append(span.end_ns - span.start_ns)
    return Streamed(
        (ends[depth + count] - ends[depth]) // count,
        tuple(
            tuple(round(median(taken.get((lane, segment), [0]))) for segment, _ in enumerate(row))
            for lane, row in enumerate(planned.segments for planned in plan.lanes)
        ),
    )


def plan_stream(
    network: Network,
    plan: Plan,
    *,
    engines: Mapping[str, Engine],
    platform: Platform,
    frame: Frame,
    frames: int,
) -> Contender:
    """That many frames by a plan, as often as it is called."""

    @contextmanager
    def ready() -> Iterator[Run]:
        with Session(network, plan, engines=engines, platform=platform) as session:

            def run() -> None:
                for _ in session.stream(repeat(frame, frames)):
                    pass

            yield run

    return ready


def installed_stream(
    network: Network, make: Callable[[], InstalledStream], frame: Frame, frames: int
) -> Contender:
    """That many frames by an engine's own throughput mode, as often as it is called."""

    @contextmanager
    def ready() -> Iterator[Run]:
        stream = make()
        inputs: Sequence[Tensor] = ordered(network, frame)
        try:
            yield lambda: stream.run(inputs, frames)
        finally:
            stream.close()

    return ready
