"""Candidate plans measured as they will run: segment after segment, on real data."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.measure.sampling import Samples, sample
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.plan import Segment
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.subject import subject_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan of one lane and what it took.

    Attributes:
        segments: In run order.
        segment_ns: Median time of each, hand-over of its inputs included.
    """

    segments: tuple[Segment, ...]
    segment_ns: tuple[int, ...]

    @property
    def latency_ns(self) -> int:
        """Sum of the segments: they run one after the other."""
        return sum(self.segment_ns)

    @property
    def label(self) -> str:
        """For tables: the unit, or how many segments on which units."""
        units = tuple(dict.fromkeys(segment.unit for segment in self.segments))
        if len(self.segments) == 1:
            return units[0]
        return f"{len(self.segments)} segments on {' + '.join(units)}"


class CandidateMeter:
    """Measures candidates with a profiler's engines, store and settings."""

    def __init__(self, profiler: Profiler, inputs: Sequence[Tensor]) -> None:
        self._profiler = profiler
        self._inputs = inputs

    def measure(self, segments: tuple[Segment, ...], *, again: bool = False) -> Candidate:
        """Times a plan, or finds its times in the store.

        Args:
            segments: In run order.
            again: Measure it even if the store has it.

        Raises:
            EngineError: An engine refused or failed in one of the segments.
        """
        profiler = self._profiler
        network = profiler.network
        parts = [network.subnetwork(segment.layers) for segment in segments]
        units = [profiler.platform.unit(segment.unit) for segment in segments]
        if len(parts) == 1:
            subject = subject_of(parts[0])
            found = profiler.measured(
                subject,
                units[0],
                lambda: profiler.measure_segment(parts[0], units[0]),
                again=again,
            )
            return Candidate(segments, (found.median_ns,))
        found = profiler.measured(
            self._subject(parts, units),
            units[0],
            lambda: self._run(parts, units),
            again=again,
        )
        stored = found.meta.get("layer_ns")
        times = stored if isinstance(stored, Mapping) else {}
        in_order = [times.get(str(index)) for index in range(len(parts))]
        known = [value for value in in_order if isinstance(value, int)]
        if len(known) != len(parts):
            known = [found.median_ns // len(parts)] * len(parts)
        return Candidate(segments, tuple(known))

    def _run(
        self, parts: Sequence[Subnetwork], units: Sequence[ComputeUnit]
    ) -> tuple[Samples, dict[str, int]]:
        profiler = self._profiler
        compiled: list[CompiledSegment] = []
        times: list[list[int]] = [[] for _ in parts]
        names = [spec.name for spec in profiler.network.inputs]

        def run() -> None:
            tensors = dict(zip(names, self._inputs, strict=True))
            begin = time.perf_counter_ns()
            for part, segment, taken in zip(parts, compiled, times, strict=True):
                outputs = segment.run([tensors[spec.name] for spec in part.inputs])
                tensors.update(
                    (spec.name, output) for spec, output in zip(part.outputs, outputs, strict=True)
                )
                end = time.perf_counter_ns()
                taken.append(end - begin)
                begin = end

        try:
            for part, unit in zip(parts, units, strict=True):
                engine = profiler.engines[unit.engine]
                compiled.append(engine.compile(part, unit, exclusive=False))
            samples = sample(run, profiler.settings)
        finally:
            for segment in compiled:
                segment.close()
        counted = len(samples.times_ns)
        return samples, {
            str(index): round(median(taken[-counted:])) for index, taken in enumerate(times)
        }

    def _subject(self, parts: Sequence[Subnetwork], units: Sequence[ComputeUnit]) -> str:
        engines = self._profiler.engines
        text = "|".join(
            f"{subject_of(part)}@{unit.name}@{engines[unit.engine].version()}"
            for part, unit in zip(parts, units, strict=True)
        )
        return "plan:" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
