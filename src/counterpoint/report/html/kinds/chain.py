"""The timeline of a plan without its network: segments of a frame one after the other.

Which segments wait for which only the network tells. Most plans are chains, and then their times
say so: those of one lane add up to the predicted latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.report.html.content import Block, Text, Tone
from counterpoint.report.html.figures.timeline import MOST_SPANS, first_frames, timeline
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.simulate import simulate
from counterpoint.schedule.trace import Trace

_TOLERANCE = 1e-3
_ROUNDS = 3
"""Frames shown are so many times those in flight: the pipeline fills, runs and empties."""


@dataclass(frozen=True, slots=True)
class Step:
    """A segment or a transfer of a lane.

    Attributes:
        name: For people.
        unit: Of the segment, or the transfer's link.
        devices: What it keeps busy.
        time_ns: How long, as predicted.
    """

    name: str
    unit: str
    devices: tuple[str, ...]
    time_ns: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A lane as steps, and how many frames take it."""

    share: int
    steps: tuple[Step, ...]


def devices_of(unit: str) -> tuple[str, ...]:
    """``CPU.0`` and ``GPU`` of ``engine:CPU.0+GPU@fp32``; a name of another form is a device."""
    places = unit.partition(":")[2].partition("@")[0]
    return tuple(dict.fromkeys(filter(None, places.split("+")))) or (unit or "?",)


def chain_blocks(
    chains: Sequence[Chain] | None, frames_in_flight: int, latency_ns: int | None
) -> tuple[Block, ...]:
    """The timeline, or why there is none; nothing where no times are predicted."""
    if not chains or not all(chain.steps for chain in chains):
        return ()
    if len(chains) == 1 and not _adds_up(chains[0], latency_ns):
        return (
            Text(
                "Segments of this plan run side by side within a frame. Its timeline needs the "
                "network: simulate MODEL --plan FILE --trace trace.json, then report on that.",
                Tone.NOTICE,
            ),
        )
    trace = _trace(chains, frames_in_flight)
    shown, frames, _ = first_frames(trace)
    note = "Predicted, the segments of a frame one after the other."
    if frames > 1:
        note += f" {frames} frames, {frames_in_flight} in flight; colours are frames."
    return (timeline("Who runs what when, as predicted", [shown], note),)


def _adds_up(chain: Chain, latency_ns: int | None) -> bool:
    sum_ns = sum(step.time_ns for step in chain.steps)
    return latency_ns is not None and abs(sum_ns - latency_ns) <= _TOLERANCE * latency_ns


def _trace(chains: Sequence[Chain], frames_in_flight: int) -> Trace:
    lanes = tuple(
        tuple(
            SegmentNode(
                step.devices, () if place == 0 else (place - 1,), name=step.name, unit=step.unit
            )
            for place, step in enumerate(chain.steps)
        )
        for chain in chains
    )
    graph = DispatchGraph(lanes, tuple(chain.share for chain in chains), frames_in_flight)
    times = [[step.time_ns for step in chain.steps] for chain in chains]
    longest = max(len(lane) for lane in lanes)
    is_one_by_one = len(lanes) == 1 and frames_in_flight == 1
    wanted = 1 if is_one_by_one else _ROUNDS * max(frames_in_flight, len(lanes))
    frames = max(1, min(wanted, MOST_SPANS // longest))
    trace = simulate(graph, times, frames).trace
    return Trace("predicted", ()) if trace is None else trace
