"""Streams in turn: plans and the engines' own throughput modes over the same number of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterpoint.engines.protocol import Engine
from counterpoint.measure.sampling import Comparison, Contender
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Measurement, Plan
from counterpoint.tuning.contenders import compare_in_turn
from counterpoint.tuning.installed_modes import InstalledMode, InstalledModes
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.stream_meter import StreamMeter
from counterpoint.tuning.streams import Frame, plan_stream

RUN_NS = 200_000_000
"""A run takes about so long; a turn has two of them, of which the last counts."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A plan that streams one frame again and again.

    Attributes:
        label: For tables.
        network: At the plan's batch.
        plan: What runs; its ``batch`` says how many images a frame has.
        frame: Of that batch, inputs by name.
        image_ns: What an image took when the plan streamed alone.
    """

    label: str
    network: Network
    plan: Plan
    frame: Frame
    image_ns: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Plans and the engines' own ways that ran in turn.

    Attributes:
        comparison: By label.
        images: In each run, whoever it was.
        installed: Labels of the engines' own ways.
    """

    comparison: Comparison
    images: int
    installed: tuple[str, ...]

    def a_frame(self, label: str, batch: int | None) -> Measurement:
        """Mean time that a frame of the plan of that label took, at its batch."""
        samples = self.comparison.samples[label]
        frames = self.images // (batch or 1)
        return Measurement(
            samples.median_ns // frames,
            samples.low_ns // frames,
            samples.high_ns // frames,
            len(samples.times_ns),
        )


def compare_streams(
    meter: StreamMeter,
    streams: Sequence[Stream],
    installed: Sequence[InstalledMode],
    *,
    platform: Platform,
    engines: Mapping[str, Engine],
    any_precision: bool,
    rounds: int,
    progress: Progress,
) -> Compared:
    """Runs them in turn, so many images that the slowest plan takes a good turn.

    Args:
        meter: Of the network as loaded, which the engines' own modes run.
        streams: At least one.
        installed: Engines' own modes at their best batches.
        platform: Where.
        engines: By name.
        any_precision: The engines' own modes in their default precision.
        rounds: How often each gets its turn.
        progress: Told of each round.
    """
    batches = [stream.plan.batch or 1 for stream in streams] + [mode.batch for mode in installed]
    whole = max(batches)
    slowest_ns = max(stream.image_ns for stream in streams)
    images = whole * max(2, round(RUN_NS / (slowest_ns * whole)))
    contenders: dict[str, Contender] = {
        stream.label: plan_stream(
            stream.network,
            stream.plan,
            engines=engines,
            platform=platform,
            frame=stream.frame,
            frames=images // (stream.plan.batch or 1),
        )
        for stream in streams
    }
    modes = InstalledModes(engines if installed else {}, any_precision=any_precision)
    for mode in installed:
        contenders[mode.label] = modes.contender(
            mode, meter.at(mode.batch), meter.frame(mode.batch), frames=images // mode.batch
        )
    comparison = compare_in_turn(
        meter.at(meter.own_batch), contenders, rounds=rounds, block_ns=1, progress=progress
    )
    return Compared(comparison, images, tuple(mode.label for mode in installed))
