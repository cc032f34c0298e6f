"""Measures what each layer costs on each unit, in context.

An engine fuses layers and keeps its own tensor layout inside a segment, so a layer alone costs far
more than the same layer among others. Therefore, for each unit:

1. the longest runs of layers that it can run are compiled as one segment each and timed;
2. the engine's own per-node profile of that segment tells each layer's share of the time;
3. the segment is cut in two at two places, where the least and the most bytes cross; what the two
parts
   take together beyond the whole is the price of entering the unit once more and of taking a tensor
   out of the engine's layout and back: a straight line through the two points gives both.

Every measurement goes into the store at once, so an interrupted profile goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from counterpoint.costs.sample import Key, Sample
from counterpoint.costs.store import Store
from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.engines.protocol import CompiledSegment, Engine, PreparesSegments, Tensor
from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Samples, SamplingSettings, sample
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.tuning.frames import seeded_tensor
from counterpoint.tuning.progress import Progress, Silence
from counterpoint.tuning.subject import subject_of

PROFILED_RUNS = 15
LEAST_PROFILED_RUNS = 3
PROFILED_NS = 1_000_000_000
"""A segment is run :data:`PROFILED_RUNS` times for its profile, or for so long; but always
:data:`LEAST_PROFILED_RUNS` times."""

ASSUMED_ENTRY_NS = 20_000
"""Where a unit has no segment that can be cut: about what the engines' calls take on a CPU."""

Range = tuple[int, int]
"""Layers ``first <= index < last``: contiguous in run order, hence convex."""


@dataclass(frozen=True, slots=True)
class UnitProfile:
    """What was measured on one unit.

    Attributes:
        ranges: The longest runs of layers that it can run.
        range_ns: Time of one call for each of them.
        layer_ns: Time of each layer inside its range; they add up to the range less one entry.
        refusals: Reason for each layer that it cannot run.
        costs: Entry and layout costs.
    """

    ranges: tuple[Range, ...]
    range_ns: tuple[int, ...]
    layer_ns: Mapping[int, int]
    refusals: Mapping[int, str]
    costs: UnitCosts


class Profiler:
    """Measures one network on one machine.

    Args:
        network: What is measured.
        platform: Where; its fingerprint is part of every key.
        engines: By name.
        store: Where measurements are kept; ``Store.in_memory()`` to keep none.
        progress: Told of each unit and step.
        settings: When to stop sampling.
    """

    def __init__(
        self,
        network: Network,
        platform: Platform,
        engines: Mapping[str, Engine],
        store: Store,
        *,
        progress: Progress | None = None,
        settings: SamplingSettings | None = None,
    ) -> None:
        self.network = network
        self.platform = platform
        self.engines = engines
        self.store = store
        self.progress = progress or Silence()
        self.settings = settings or SamplingSettings()

    def table(self, units: Sequence[ComputeUnit], limit: TimeLimit | None = None) -> CostTable:
        """Costs of every layer on those units, measured now or taken from the store.

        Args:
            units: The columns.
            limit: When it is over the other units are not cut, and what it costs to enter them is
                assumed; ``None``: never.

        Raises:
            EngineError: An engine failed while running (refusals are cells of the table instead).
            StoreError: The store cannot be used.
        """
        self.progress.begin("profiling", len(units))
        profiles = []
        for unit in units:
            profiles.append(self.unit_profile(unit, limit))
            self.progress.step(unit.name)
        rows = tuple(
            tuple(profile.layer_ns.get(layer.index) for profile in profiles)
            for layer in self.network.layers
        )
        refusals = {
            (layer, column): reason
            for column, profile in enumerate(profiles)
            for layer, reason in profile.refusals.items()
        }
        return CostTable(
            network_hash=self.network.content_hash,
            platform_fingerprint=self.platform.fingerprint,
            layer_names=tuple(layer.name for layer in self.network.layers),
            units=tuple(profile.costs for profile in profiles),
            layer_ns=rows,
            refusals=refusals,
            links=self.platform.links,
        )

    def unit_profile(self, unit: ComputeUnit, limit: TimeLimit | None = None) -> UnitProfile:
        """Everything about one unit; see :meth:`table`."""
        refusals = self._refusals(unit)
        measured: dict[Range, tuple[Sample, dict[int, int]]] = {}
        for bounds in _runs(len(self.network.layers), refusals):
            self._measure_parts(bounds, unit, measured, refusals)
        ranges = list(measured)
        wholes = {key: whole for key, (whole, _) in measured.items()}
        in_time = limit is None or not limit.is_over
        costs = self._boundary_costs(unit, wholes) if in_time else _assumed_costs(unit)
        layer_ns: dict[int, int] = {}
        for (first, last), (whole, shares) in measured.items():
            inside_ns = whole.median_ns - costs.entry_ns
            layer_ns.update(_spread(range(first, last), inside_ns, shares))
        totals = tuple(whole.median_ns for whole, _ in measured.values())
        return UnitProfile(tuple(ranges), totals, layer_ns, refusals, costs)

    def measured(
        self,
        subject: str,
        unit: ComputeUnit,
        measure: Callable[[], tuple[Samples, dict[str, int]]],
        *,
        again: bool = False,
    ) -> Sample:
        """The stored measurement of that subject, or a new one, put into the store.

        Args:
            subject: Hash of what runs.
            unit: Where.
            measure: Called when the store does not have it.
            again: Measure in any case, and replace what is stored.
        """
        key = Key(
            subject,
            unit.measured_as,
            self.engines[unit.engine].version(),
            self.platform.fingerprint,
        )
        found = None if again else self.store.get(key)
        if found is not None:
            return found
        samples, shares = measure()
        return self.store.put(key, samples.times_ns, {"layer_ns": shares})

    def _refusals(self, unit: ComputeUnit) -> dict[int, str]:
        engine = self.engines[unit.engine]
        reasons = {
            layer.index: engine.unsupported_reason(layer, unit) for layer in self.network.layers
        }
        return {index: reason for index, reason in reasons.items() if reason is not None}

    def _measure_parts(
        self,
        bounds: Range,
        unit: ComputeUnit,
        measured: dict[Range, tuple[Sample, dict[int, int]]],
        refusals: dict[int, str],
    ) -> None:
        """Measures a range, in halves where the engine fails on it as a whole; a layer on which it
        fails alone is refused.
        """
        first, last = bounds
        try:
            measured[bounds] = self._range(bounds, unit)
        except EngineError as error:
            if last - first == 1:
                refusals[first] = str(error)
                return
            middle = (first + last) // 2
            self._measure_parts((first, middle), unit, measured, refusals)
            self._measure_parts((middle, last), unit, measured, refusals)

    def _range(self, bounds: Range, unit: ComputeUnit) -> tuple[Sample, dict[int, int]]:
        """Time of a range in one call, and the engine's share for each layer."""
        first, last = bounds
        segment = self.network.subnetwork(range(first, last))
        found = self.measured(
            subject_of(segment), unit, lambda: self.measure_segment(segment, unit)
        )
        stored = found.meta.get("layer_ns")
        shares = stored if isinstance(stored, Mapping) else {}
        return found, {
            first + int(offset): int(share)
            for offset, share in shares.items()
            if isinstance(share, int) and offset.isdecimal() and first + int(offset) < last
        }

    def measure_segment(
        self, segment: Subnetwork, unit: ComputeUnit
    ) -> tuple[Samples, dict[str, int]]:
        """Times a segment alone on a unit.

        Returns:
            The samples, and by the engine's own profile the time of each layer, named by its
            offset in the segment; empty where the engine has no profile.
        """
        engine = self.engines[unit.engine]
        inputs = [seeded_tensor(spec, 0) for spec in segment.inputs]
        compiled = engine.compile(segment, unit)
        try:
            samples = sample(lambda: compiled.run(inputs), self.settings)
        finally:
            compiled.close()
        if len(segment.layers) == 1:
            return samples, {"0": samples.median_ns}
        profiled = engine.compile(segment, unit, profile=True)
        try:
            begin = time.perf_counter_ns()
            for number in range(PROFILED_RUNS):
                spent_ns = time.perf_counter_ns() - begin
                if number >= LEAST_PROFILED_RUNS and spent_ns > PROFILED_NS:
                    break
                profiled.run(inputs)
            profile = profiled.profile()
        finally:
            profiled.close()
        first = segment.layers[0].index
        shares = profile.layer_ns if profile else {}
        return samples, {str(index - first): share for index, share in shares.items()}

    def _boundary_costs(self, unit: ComputeUnit, wholes: Mapping[Range, Sample]) -> UnitCosts:
        """Entry and layout costs from two cuts of the longest range.

        Differences of medians of two measurements drown in the noise of a busy machine, so the
        tenth percentiles are compared.
        """
        bounds = max(wholes, key=lambda key: key[1] - key[0], default=(0, 0))
        points = []
        cuts = _cuts(self.network, bounds)
        engine = self.engines[unit.engine]
        if isinstance(engine, PreparesSegments):
            engine.prepare([part for cut in cuts for part in self._parts(bounds, cut)])
        for cut in cuts:
            try:
                halves = self._cut(bounds, cut, unit)
            except EngineError:
                continue  # it runs the layers together and not apart: that cut is no option
            extra_ns = halves.low_ns - wholes[bounds].low_ns
            points.append((crossing_bytes(self.network, bounds, cut) or 0, extra_ns))
        fixed_ns, ns_per_byte = _line(points)
        half = LinearCost(0.0, ns_per_byte / 2)
        limit_ns = wholes[bounds].median_ns // 2 if points else ASSUMED_ENTRY_NS
        return UnitCosts(unit, min(round(fixed_ns), limit_ns), read=half, write=half)

    def _parts(self, bounds: Range, cut: int) -> tuple[Subnetwork, Subnetwork]:
        first, last = bounds
        return (
            self.network.subnetwork(range(first, cut)),
            self.network.subnetwork(range(cut, last)),
        )

    def _cut(self, bounds: Range, cut: int, unit: ComputeUnit) -> Sample:
        """Time of both parts of a range, run one after the other."""
        first, last = bounds
        whole = self.network.subnetwork(range(first, last))
        subject = f"{subject_of(whole)}/cut{cut - first}"

        def measure() -> tuple[Samples, dict[str, int]]:
            engine = self.engines[unit.engine]
            parts = self._parts(bounds, cut)
            compiled: list[CompiledSegment] = []
            try:
                for part in parts:
                    compiled.append(engine.compile(part, unit, exclusive=False))
                run = _chain(parts, compiled)
                return sample(run, self.settings), {}
            finally:
                for segment in compiled:
                    segment.close()

        return self.measured(subject, unit, measure)


def _assumed_costs(unit: ComputeUnit) -> UnitCosts:
    """Of a unit that was not cut."""
    free = LinearCost(0.0, 0.0)
    return UnitCosts(unit, ASSUMED_ENTRY_NS, read=free, write=free)


def _chain(parts: Sequence[Subnetwork], compiled: Sequence[CompiledSegment]) -> Callable[[], None]:
    """Runs segments in a row, each on what the ones before it made."""
    given: dict[str, Tensor] = {}
    made = {spec.name for part in parts for spec in part.outputs}
    for part in parts:
        for spec in part.inputs:
            if spec.name not in made:
                given[spec.name] = seeded_tensor(spec, 0)

    def run() -> None:
        tensors = dict(given)
        for part, segment in zip(parts, compiled, strict=True):
            outputs = segment.run([tensors[spec.name] for spec in part.inputs])
            tensors.update(
                (spec.name, output) for spec, output in zip(part.outputs, outputs, strict=True)
            )

    return run


def _runs(layer_count: int, refusals: Mapping[int, str]) -> list[Range]:
    """The longest runs of layers that are not refused."""
    found: list[Range] = []
    first = None
    for index in range(layer_count + 1):
        if index < layer_count and index not in refusals:
            first = index if first is None else first
        elif first is not None:
            found.append((first, index))
            first = None
    return found


def crossing_bytes(network: Network, bounds: Range, cut: int) -> int | None:
    """Bytes made before ``cut`` and read at or after it, inside the range; ``None`` if unknown."""
    first, last = bounds
    total = 0
    for name, maker in network.producer.items():
        if first <= maker < cut and any(
            cut <= reader < last for reader in network.consumers.get(name, ())
        ):
            size = network.tensors[name].size_bytes
            if size is None:
                return None
            total += size
    return total


def _cuts(network: Network, bounds: Range) -> list[int]:
    """Where the least and where the most bytes cross, away from the ends where possible."""
    first, last = bounds
    sizes = {cut: crossing_bytes(network, bounds, cut) for cut in range(first + 1, last)}
    known = {cut: size for cut, size in sizes.items() if size is not None}
    if not known:
        return []
    least = min(known, key=lambda cut: (known[cut], cut))
    most = max(known, key=lambda cut: (known[cut], -cut))
    return [least] if known[least] == known[most] else [least, most]


def _line(points: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """``fixed + slope * size`` through one or two points, neither part below zero."""
    if not points:
        return float(ASSUMED_ENTRY_NS), 0.0
    (small, low), (large, high) = points[0], points[-1]
    if large == small:
        return float(max(0, low)), 0.0
    slope = max(0.0, (high - low) / (large - small))
    return max(0.0, low - slope * small), slope


def _spread(layers: range, total_ns: int, shares: Mapping[int, int]) -> dict[int, int]:
    """Each layer's part of a time, in proportion to the engine's own profile.

    A layer that the profile does not name was fused into another and costs nothing more. Without
    any profile the time is spread evenly.
    """
    named = sum(shares.get(layer, 0) for layer in layers)
    total = max(0, total_ns)
    if named == 0:
        return {layer: total // len(layers) for layer in layers}
    return {layer: round(total * shares.get(layer, 0) / named) for layer in layers}
