"""Where mixes of precisions are made and timed; what was made stays here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import refusals
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Segment
from counterpoint.tuning.candidates import CandidateMeter
from counterpoint.tuning.contenders import compare_in_turn, plan_contender
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.mixes import Mix, MixPlanner, rewritten
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.precision_table import MixedUnit, mixed_units, precision_table
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.sensitivity import LayerNoise, SensitivityMeter
from counterpoint.tuning.tune import chosen_units

IN_TURN = 6
CLOSE = 2.0
ROUNDS = 5
"""At most so many mixes, which took at most so many times as long as the fastest when each was
timed alone, are timed in turn, so often."""


@dataclass(kw_only=True)
class MixBench:
    """Mixes under way.

    Attributes:
        network: As it is loaded.
        ranges: Of its tensors.
        layers: Indices of those that can be chosen for int8.
        scheme: How values become int8.
        frame: What is run to time a mix.
        platform: Where.
        engines: By name.
        store: Keeps what is measured.
        precisions: What units may compute in.
        progress: Told how far it is.
        settings: When a measurement is good enough.
        mixes: All that were timed, by their key.
    """

    network: Network
    ranges: Ranges
    layers: tuple[int, ...]
    scheme: Scheme
    frame: Mapping[str, Tensor]
    platform: Platform
    engines: Mapping[str, Engine]
    store: Store
    precisions: tuple[str, ...]
    progress: Progress
    settings: SamplingSettings | None
    mixes: dict[tuple[str, str], Mix] = field(default_factory=dict)

    def uniform(self) -> dict[MixedUnit, Mix]:
        """All layers in int8, on each unit that runs such a network."""
        network, choice = rewritten(self.network, self.layers, self.ranges, self.scheme)
        units = mixed_units(self.platform.units, self.precisions, self._takers(network))
        self.progress.begin("all layers in int8", len(units))
        found = {}
        for unit in units:
            latency_ns = self._latency_ns(network, unit.unit)
            self.progress.step(unit.unit.name)
            if latency_ns is not None:
                mix = Mix(unit.unit.name, self.layers, network, choice, None, latency_ns)
                found[unit] = self.mixes[mix.key] = mix
        return found

    def planner(
        self,
        meter: SensitivityMeter,
        noises: Mapping[int, LayerNoise],
        units: Sequence[MixedUnit],
    ) -> MixPlanner:
        """Measures layers' times, and their noise on units of half precision; what was timed
        before gets its prediction.

        Args:
            meter: Measures noise.
            noises: Of layers in int8.
            units: That mixes are planned for.
        """
        halves = {
            unit.unit.name: meter.on_unit(unit.floats, self._exact())
            for unit in units
            if unit.floats.precision != "fp32"
        }
        quantised, _ = rewritten(self.network, self.layers, self.ranges, self.scheme)
        plain = tuple(dict.fromkeys(unit.floats for unit in units))
        table = precision_table(
            self.network,
            self._profiler(self.network).table(plain),
            quantised,
            self._profiler(quantised).table([unit.unit for unit in units]),
            units,
            refused=refusals(self.network),
            int8_noise=noises,
            unit_noise=halves,
        )
        planner = MixPlanner(self.network, table, self.layers)
        for key, mix in list(self.mixes.items()):
            pair = next((unit for unit in units if unit.unit.name == mix.unit), None)
            if pair is not None:
                predicted = planner.predicted_noise(pair, mix.layers)
                self.mixes[key] = replace(mix, predicted_noise=predicted)
        return planner

    def try_within(
        self,
        planner: MixPlanner,
        unit: MixedUnit,
        noise: float,
        *,
        anywhere: bool = False,
    ) -> Mix | None:
        """Plans a mix within that noise and times it on the unit, unless it is known.

        Args:
            planner: Chooses the layers.
            unit: Where.
            noise: Over the outputs' power.
            anywhere: The planner may place layers on other units, too.

        Returns:
            The mix; ``None``: it was known, there is none, or the engine fails on it.
        """
        layers = planner.within(None if anywhere else unit, noise)
        if not layers:
            return None
        network, choice = rewritten(self.network, layers, self.ranges, self.scheme)
        if (unit.unit.name, network.content_hash) in self.mixes:
            return None
        latency_ns = self._latency_ns(network, unit.unit)
        if latency_ns is None:
            return None
        predicted = planner.predicted_noise(unit, layers)
        mix = Mix(unit.unit.name, layers, network, choice, predicted, latency_ns)
        self.mixes[mix.key] = mix
        return mix

    def fastest(self) -> list[Mix]:
        """The fastest mixes, and those with every layer in int8 that were planned with."""
        fastest = sorted(self.mixes.values(), key=lambda mix: mix.latency_ns)
        limit_ns = CLOSE * fastest[0].latency_ns
        near = [mix for mix in fastest if mix.latency_ns <= limit_ns][:IN_TURN]
        near += [
            mix
            for mix in fastest
            if mix not in near and mix.layers == self.layers and mix.predicted_noise is not None
        ]
        return near

    def time_in_turn(self, mixes: Sequence[Mix]) -> None:
        """Times mixes once more, in turn: alone, each met the machine in another mood."""
        contenders = {
            str(number): plan_contender(
                mix.network,
                plan_on_unit(mix.network, self.platform, self.engines, mix.unit),
                self.platform,
                self.engines,
                self.frame,
            )
            for number, mix in enumerate(mixes)
        }
        comparison = compare_in_turn(
            self.network, contenders, rounds=ROUNDS, progress=self.progress
        )
        for number, mix in enumerate(mixes):
            median_ns = comparison.samples[str(number)].median_ns
            self.mixes[mix.key] = replace(mix, latency_ns=median_ns)

    def _takers(self, network: Network) -> dict[ComputeUnit, bool]:
        """Which units of whole devices run all of a rewritten network."""
        return {
            unit: all(
                self.engines[unit.engine].unsupported_reason(layer, unit) is None
                for layer in network.layers
            )
            for unit in self.platform.units
            if not any(device.is_part for device in unit.devices)
        }

    def _latency_ns(self, network: Network, unit: ComputeUnit) -> int | None:
        """Measured; ``None`` where the engine fails on it."""
        meter = CandidateMeter(self._profiler(network), ordered(network, self.frame))
        everything = tuple(layer.index for layer in network.layers)
        try:
            return meter.measure((Segment(everything, unit.name),)).latency_ns
        except EngineError:
            return None

    def _profiler(self, network: Network) -> Profiler:
        return Profiler(
            network,
            self.platform,
            self.engines,
            self.store,
            progress=self.progress,
            settings=self.settings,
        )

    def _exact(self) -> ComputeUnit:
        """Runs what is not being measured, in the network's own precision."""
        units = chosen_units(self.network, self.platform.units, None)
        plain = [unit for unit in units if not unit.settings and not unit.devices[0].is_part]
        own = [unit for unit in plain if unit.engine == "onnxruntime"]
        return [*own, *plain, *units][0]
