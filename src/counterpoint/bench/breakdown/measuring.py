"""Where the time of one run goes: by layer, by type of layer, by function.

Instruments: the engine's own profile of each segment, with what its thread pool tells (ONNX
Runtime); ``perf`` where the kernel lets it, for engines whose threads nobody else tells of; the
session's trace, for what lies between segments.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

from counterpoint.bench.breakdown.attribution import SegmentTimes, complete, merged, segment_parts
from counterpoint.bench.breakdown.instruments import (
    ROUNDS,
    Observation,
    ProfiledSegment,
    critical_spans,
    observe,
)
from counterpoint.bench.breakdown.sums import unattributed_share
from counterpoint.bench.breakdown.thread_samples import ThreadSamples, sample_thread
from counterpoint.bench.result import Breakdown, Contender, Function, Method, Part
from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.middle_runs import midmean
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, DeviceKind, Platform
from counterpoint.schedule.plan import Plan, Prediction
from counterpoint.schedule.trace import Span
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_of_lanes

ATTEMPTS = 3
AGREEMENT = 0.02
"""Instruments agree with the whole when no more than this part is left, or too much."""

SampleThread = Callable[[Callable[[], object]], ThreadSamples | str]


def breakdown_of(
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    *,
    name: str | None = None,
    contender: Contender | None = None,
    variant: str = "",
    frame: Mapping[str, Tensor] | None = None,
    rounds: int = ROUNDS,
    attempts: int = ATTEMPTS,
    sample: SampleThread = sample_thread,
) -> Breakdown:
    """Measures where the time of one run goes; a few seconds.

    Where the machine does something else meanwhile, runs with and without instruments do not agree.
    Then all is measured again, and the attempt that leaves the least unattributed counts.

    Args:
        network: As planned: at the plan's batch, precision and splits.
        plan: How it runs, e.g. of :func:`counterpoint.tuning.planned.plan_on_unit`; of several
            lanes the first.
        engines: By name.
        platform: Where: this machine.
        name: Of the network in the result; ``None``: its own.
        contender: Who runs, in the result; ``None``: made of the plan.
        variant: What was done to the network first.
        frame: Inputs by name; ``None``: seeded ones.
        rounds: Turns of each instrument.
        attempts: At most so many.
        sample: Looks at the calling thread from outside.

    Raises:
        CounterpointError: The plan cannot run here.
    """
    lane = plan.lanes[0]
    one_lane = plan_of_lanes(network, platform, engines, lanes=(lane,), prediction=Prediction(0))
    inputs = frame if frame is not None else seeded_frame(network.inputs)
    best: Breakdown | None = None
    for _ in range(attempts):
        whole_ns, parts, lines = _measured(
            network, one_lane, engines, platform, inputs, rounds=rounds, sample=sample
        )
        found = Breakdown(
            network=name or network.name,
            contender=contender or contender_of(plan, engines, platform),
            threads=threads_of([platform.unit(segment.unit) for segment in lane.segments]),
            whole_ns=whole_ns,
            parts=complete(parts, whole_ns),
            instruments=tuple(dict.fromkeys(lines)),
            variant=variant,
        )
        if best is None or abs(unattributed_share(found)) < abs(unattributed_share(best)):
            best = found
        if abs(unattributed_share(best)) <= AGREEMENT or not any(part.layer for part in parts):
            break
    if best is None:
        raise InternalError("a breakdown needs an attempt")
    return best


def _measured(
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    inputs: Mapping[str, Tensor],
    *,
    rounds: int,
    sample: SampleThread,
) -> tuple[int, tuple[Part, ...], list[str]]:
    """Median time of a run, its parts that were seen, and what saw them."""
    outside: dict[int, tuple[float | None, list[str]]] = {}

    def look(seen: ProfiledSegment, run: Callable[[], object]) -> None:
        outside[len(outside)] = _seen_from_outside(seen, partial(sample, run))

    seen = observe(network, plan, engines, platform, inputs, rounds=rounds, look=look)
    whole_ns = round(statistics.median(run.time_ns for run in seen.runs))
    times, between = _times(seen)
    shares = [outside[index][0] for index in range(len(seen.segments))]
    parts: list[Part] = []
    lines: list[str] = []
    for index, segment_times in times.items():
        own = SegmentTimes(
            segment_times.plain_ns,
            segment_times.profiled_ns,
            segment_times.profile,
            shares[index],
        )
        parts += segment_parts(network, own)
        lines += [_profile_line(seen.segments[index].unit, own), *outside[index][1]]
    parts += between
    if len(seen.segments) > 1:
        lines.append("our trace: what lies between segments, and around them")
    return whole_ns, merged(parts), lines


def _times(seen: Observation) -> tuple[dict[int, SegmentTimes], list[Part]]:
    """For each segment on the critical path its times, and the parts that lie between them."""
    if len(seen.segments) == 1:
        only = seen.segments[0]
        plain_ns = midmean(only.plain_ns)
        whole_ns = midmean([run.time_ns for run in seen.runs])
        session = Part(Function.PYTHON, max(0, whole_ns - plain_ns))
        return {0: _with_plain(only, plain_ns)}, [session]
    ordered = sorted(seen.runs, key=lambda run: run.time_ns)
    path = critical_spans(ordered[len(ordered) // 2].spans)
    durations: dict[int, list[int]] = {}
    gaps: dict[int, list[int]] = {}
    around: list[int] = []
    for run in seen.runs:
        spans = {span.segment: span for span in run.spans}
        chain = [spans[span.segment] for span in path if span.segment in spans]
        if len(chain) != len(path):
            continue
        for span in chain:
            durations.setdefault(span.segment, []).append(span.end_ns - span.start_ns)
        for before, after in pairwise(chain):
            gaps.setdefault(after.segment, []).append(max(0, after.start_ns - before.end_ns))
        around.append(run.time_ns - (chain[-1].end_ns - chain[0].start_ns))
    times = {
        index: _with_plain(seen.segments[index], midmean(taken))
        for index, taken in durations.items()
    }
    between = [
        Part(_hand_over(before, after), midmean(gaps[after.segment]))
        for before, after in pairwise(path)
    ]
    return times, [*between, Part(Function.PYTHON, max(0, midmean(around)))]


def _hand_over(before: Span, after: Span) -> Function:
    """Segments of other devices run in other threads, which have to be woken."""
    return Function.PYTHON if before.devices == after.devices else Function.WAKE_UP


def _with_plain(segment: ProfiledSegment, plain_ns: int) -> SegmentTimes:
    profile = segment.profile
    measured_ns = midmean(segment.times_ns)
    if profile is not None and profile.run_ns is not None:
        measured_ns = profile.run_ns
    return SegmentTimes(plain_ns, measured_ns, profile)


def _seen_from_outside(
    seen: ProfiledSegment, sample: Callable[[], ThreadSamples | str]
) -> tuple[float | None, list[str]]:
    """Share of the time in nodes that the thread waited, and what says so; no share where the
    engine itself tells, or has but one thread.
    """
    profile, unit = seen.unit.devices[0], seen.unit
    if seen.profile is None:
        return None, []
    if any(node.waiting_ns is not None for node in seen.profile.nodes):
        return None, []
    if profile.kind is DeviceKind.CPU and threads_of([unit]) == 1:
        return None, []
    nodes_ns = sum(seen.profile.layer_ns.values()) + seen.profile.overhead_ns
    asleep_ns = min(seen.asleep_ns, nodes_ns)
    lines = []
    spinning = 0.0
    if profile.kind is DeviceKind.CPU:
        found = sample()
        if isinstance(found, ThreadSamples):
            spinning = found.waiting_share
            lines.append(f"{unit.name}: {found.line()}")
        else:
            lines.append(
                f"{unit.name}: {found}; threads that wait without sleeping count as computing"
            )
    if not nodes_ns:
        return None, lines
    share = (asleep_ns + spinning * (nodes_ns - asleep_ns)) / nodes_ns
    lines.append(
        f"{unit.name}: the calling thread waited for {share:.0%} of the nodes' time, which is "
        "spread over the layers in proportion; waking threads is in it, not apart"
    )
    return share, lines


def _profile_line(unit: ComputeUnit, times: SegmentTimes) -> str:
    if times.profile is None:
        return f"{unit.name}: the engine does not tell where its time goes"
    slower = times.instrument_ns / times.plain_ns if times.plain_ns else 0.0
    return (
        f"{unit.name}: {times.profile.instrument}; runs take {slower:.1%} longer with it, which "
        "is taken off"
    )


def threads_of(units: Sequence[ComputeUnit]) -> int | None:
    """Threads that compute, where all units are on CPUs and have as many; else ``None``."""
    counts = {
        thread_count(unit) or len(unit.devices[0].cores) or None
        if unit.devices[0].kind is DeviceKind.CPU
        else None
        for unit in units
    }
    return counts.pop() if len(counts) == 1 else None


def contender_of(plan: Plan, engines: Mapping[str, Engine], platform: Platform) -> Contender:
    """The plan as one who runs: by the name of its unit where it has but one."""
    units = plan.units
    precisions = {platform.unit(unit).precision for unit in units}
    used = dict.fromkeys(platform.unit(unit).engine for unit in units)
    alone = len(plan.lanes) == 1 and len(plan.lanes[0].segments) == 1
    return Contender(
        units[0] if alone else "plan",
        Method.UNIT if alone else Method.PLAN,
        precisions.pop() if len(precisions) == 1 else "mixed",
        ", ".join(f"{name} {engines[name].version()}" for name in used),
        "" if alone else " | ".join(segment.unit for segment in plan.lanes[0].segments),
        platform.name,
    )
