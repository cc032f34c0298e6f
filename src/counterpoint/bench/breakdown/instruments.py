"""Runs a plan with and without instruments, in turn.

What is timed without any is the session as its user holds it. Beside it each segment runs once more
compiled for profiling, in the thread that asks. Turns rotate, so that a slow spell of the machine
hits both.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from counterpoint.engines.protocol import CompiledSegment, Engine, NodeProfile, Tensor
from counterpoint.measure.sampling import WARM_NS, rest
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.pinning import pin
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.schedule.trace import Span

ROUNDS = 8
BLOCK_NS = 80_000_000
MAX_RUNS = 12
"""Of a turn: an engine's profile keeps about a kilobyte for each node of each run."""


@dataclass(frozen=True, slots=True)
class TracedRun:
    """One run of a session: its time on the caller's clock, and the spans inside."""

    time_ns: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ProfiledSegment:
    """A segment as its profiled runs went.

    Attributes:
        segment: What ran.
        unit: Where.
        times_ns: Of each counted run.
        asleep_ns: Median time of a run in which the calling thread was not on a processor.
        profile: What the engine tells; ``None`` where it cannot.
        plain_ns: Times of runs without instruments; empty where only the session has those.
    """

    segment: Subnetwork
    unit: ComputeUnit
    times_ns: tuple[int, ...]
    asleep_ns: int
    profile: NodeProfile | None
    plain_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that was seen.

    Attributes:
        runs: Of the session, counted ones.
        segments: In the order of the lane.
    """

    runs: tuple[TracedRun, ...]
    segments: tuple[ProfiledSegment, ...]


@dataclass(slots=True)
class _Profiled:
    """A segment under instruments, and what was taken down of it."""

    segment: Subnetwork
    unit: ComputeUnit
    compiled: CompiledSegment
    plain: CompiledSegment | None
    inputs: list[Tensor] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    asleep_ns: list[int] = field(default_factory=list)
    plain_ns: list[int] = field(default_factory=list)

    def run_profiled(self, counted: bool) -> None:
        begin, busy = time.perf_counter_ns(), time.thread_time_ns()
        self.compiled.run(self.inputs)
        busy = time.thread_time_ns() - busy
        took_ns = time.perf_counter_ns() - begin
        if counted:
            self.times_ns.append(took_ns)
            self.asleep_ns.append(max(0, took_ns - busy))

    def run_plain(self, counted: bool) -> None:
        assert self.plain is not None  # noqa: S101 - only called where there is one
        begin = time.perf_counter_ns()
        self.plain.run(self.inputs)
        if counted:
            self.plain_ns.append(time.perf_counter_ns() - begin)


def observe(
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    frame: Mapping[str, Tensor],
    *,
    rounds: int = ROUNDS,
    look: Callable[[ProfiledSegment, Callable[[], object]], None] | None = None,
) -> Observation:
    """Runs the plan's only lane in turns with its profiled segments.

    Args:
        network: As planned.
        plan: Of one lane.
        engines: By name.
        platform: Where.
        frame: Inputs by name.
        rounds: Turns of each.
        look: Called for each segment when all turns are over, with what was seen of it and what
            runs it once more, for instruments that look from outside.

    Raises:
        CounterpointError: As for :class:`~counterpoint.schedule.session.Session`.
    """
    single = len(plan.lanes[0].segments) == 1
    runs: list[TracedRun] = []
    with ExitStack() as stack:
        session = stack.enter_context(
            Session(network, plan, engines=engines, platform=platform, trace=not single)
        )
        prepared = _prepared(network, plan, engines, platform, frame, stack)

        def run_session(counted: bool) -> None:
            begin = time.perf_counter_ns()
            session.run(None, frame)
            took_ns = time.perf_counter_ns() - begin
            trace = session.trace()
            if counted:
                runs.append(TracedRun(took_ns, trace.spans if trace is not None else ()))

        turns: list[tuple[ComputeUnit | None, Callable[[bool], None]]] = [(None, run_session)]
        turns += [(one.unit, one.run_profiled) for one in prepared]
        turns += [(one.unit, one.run_plain) for one in prepared if one.plain is not None]
        for number in range(rounds):
            shift = number % len(turns)
            for unit, run in turns[shift:] + turns[:shift]:
                with _on(unit):
                    _turn(run)
        segments = []
        for one in prepared:
            seen = ProfiledSegment(
                one.segment,
                one.unit,
                tuple(one.times_ns),
                round(statistics.median(one.asleep_ns)),
                one.compiled.profile(),
                tuple(one.plain_ns),
            )
            segments.append(seen)
            if look is not None:
                target = one.plain or one.compiled
                with _on(one.unit):
                    look(seen, lambda t=target, i=one.inputs: t.run(i))  # type: ignore[misc]
    return Observation(tuple(runs), tuple(segments))


def _prepared(  # noqa: PLR0917 - as they come
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    frame: Mapping[str, Tensor],
    stack: ExitStack,
) -> list[_Profiled]:
    """The lane's segments under instruments, each with what it reads in a real run."""
    segments = plan.lanes[0].segments
    plain = len(segments) == 1
    units = [platform.unit(segment.unit) for segment in segments]
    users = [device.name for unit in units for device in unit.devices]
    tensors = dict(frame)
    prepared = []
    for segment, unit in zip(segments, units, strict=True):
        part = network.subnetwork(segment.layers)
        engine = engines[unit.engine]
        alone = all(users.count(device.name) == 1 for device in unit.devices)
        profiled = engine.compile(part, unit, exclusive=alone, profile=True)
        stack.callback(profiled.close)
        usual = engine.compile(part, unit, exclusive=alone) if plain else None
        if usual is not None:
            stack.callback(usual.close)
        inputs: list[Tensor] = [_contiguous(tensors[spec.name]) for spec in part.inputs]
        outputs = (usual or profiled).run(inputs)
        tensors.update((spec.name, made) for spec, made in zip(part.outputs, outputs, strict=True))
        prepared.append(_Profiled(part, unit, profiled, usual, inputs))
    return prepared


def _contiguous(tensor: Tensor) -> Tensor:
    import numpy as np

    return np.ascontiguousarray(tensor)


def _turn(run: Callable[[bool], None]) -> None:
    """Some runs, the first ones not counted, once the threads of who ran before do not spin."""
    rest()
    begin = time.perf_counter_ns()
    warm = 0
    while not warm or time.perf_counter_ns() - begin < WARM_NS:
        run(False)
        warm += 1
    each_ns = max(1, (time.perf_counter_ns() - begin) // warm)
    for _ in range(max(2, min(MAX_RUNS, BLOCK_NS // each_ns))):
        run(True)


@contextmanager
def _on(unit: ComputeUnit | None) -> Iterator[None]:
    """This thread on the unit's cores, where these are a part of the CPU."""
    if unit is None or not unit.devices[0].is_part:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(threading.current_thread(), unit.devices[0].cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def critical_spans(spans: Sequence[Span]) -> list[Span]:
    """The spans that one waited for the other, from the first to the one that ends last."""
    path: list[Span] = []
    left = list(spans)
    while left:
        last = max(left, key=lambda span: span.end_ns)
        path.append(last)
        left = [span for span in left if span.end_ns <= last.start_ns and span is not last]
    return path[::-1]
