"""Tuning under an accuracy budget: precision is part of the plan.

1. The user's images are parted: some calibrate, the others are held back to verify.
2. Each layer's noise in int8 (and in units' half precisions) is measured on the first part.
3. For several noise budgets the planner chooses the layers to have in int8; each such network is
   timed on its unit.
4. The fastest are judged on the held-back part, in order, until one keeps the budget. Where one
   does not, the planner is told by how much, and asked again.
5. That network is tuned like any other, every finalist judged, and its plan is run in turn with
   the best plan of the network as it is. The network in its own precision is always among them, so
   there is an answer, and no plan that breaks the budget can be it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np

from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine
from counterpoint.errors import UserInputError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import refusals
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.accuracy import Accuracy, Judge, LabelledFrames
from counterpoint.tuning.budget import HELD_BACK, AccuracyBudget, split_images
from counterpoint.tuning.calibration import calibrate, warnings
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.mix_bench import MixBench
from counterpoint.tuning.mixes import SWEEP, Mix, MixPlanner, front
from counterpoint.tuning.plan_outputs import plan_outputs
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.precision_table import MixedUnit
from counterpoint.tuning.progress import Progress, Silence
from counterpoint.tuning.reference import Reference
from counterpoint.tuning.sensitivity import LayerNoise, SensitivityMeter, choosable

ANY_PRECISION = ("fp32", "bf16", "fp16", "int8")

SLOW = 2.0
"""Units that take so many times as long as the fastest for the network in int8 are not tried with
mixes: a busy machine may have slowed one of them down by less."""

RETRIES = 6
"""After mixes that break the budget so many tighter ones are planned."""

TIGHTEN = 0.5
"""A mix that breaks the budget without making more noise than expected is planned again with so
much of its noise."""

REFINEMENTS = 3
NEAR = 1.1
"""Between a mix that keeps the budget and noisier ones that break it, at most so many more are
planned, as long as their noises are further apart than this."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found before the last comparison.

    Attributes:
        mixes: Every mix that was timed, fastest first.
        best: The fastest that keeps the budget; ``None``: none does.
        sensitivity: Noise in int8 of each layer that has an int8 form, by index.
        notes: What the user should know, in sentences.
    """

    mixes: tuple[Mix, ...] = ()
    best: Mix | None = None
    sensitivity: Mapping[int, LayerNoise] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Mix, ...]:
        """Of time and noise."""
        return front(self.mixes)

    @property
    def uniform(self) -> tuple[Mix, ...]:
        """Those with every layer in int8 that can be, fastest first."""
        return tuple(mix for mix in self.mixes if len(mix.layers) == len(self.sensitivity))

    @property
    def worth_tuning(self) -> tuple[Mix, ...]:
        """The best, and of those with every layer in int8 the fastest that keeps the budget."""
        kept = (mix for mix in self.uniform if mix.accuracy is not None and mix.reason is None)
        pair = [mix for mix in (self.best, next(kept, None)) if mix is not None]
        return tuple({mix.network.content_hash: mix for mix in reversed(pair)}.values())[::-1]

    @property
    def broken(self) -> tuple[str, ...]:
        """Why mixes that were judged cannot be the plan, in sentences."""
        return tuple(f"{self.label(mix)}: {mix.reason}" for mix in self.mixes if mix.reason)

    def label(self, mix: Mix) -> str:
        """For tables."""
        return f"{self.share(mix)} on {mix.unit}"

    def share(self, mix: Mix) -> str:
        """How many layers of those that can be are in int8."""
        return f"{len(mix.layers)} of {len(self.sensitivity)} layers in int8"


class PrecisionSearch:
    """Looks for the fastest mix of precisions that keeps a budget.

    Args:
        network: In its own precision, with one image a frame.
        images: The user's; some calibrate, some verify.
        budget: What may be lost.
        held_back: Part of the images to verify with.
        platform: Where.
        engines: By name.
        store: Measurements that are kept between runs.
        precisions: What units may compute in; ``None``: whatever the budget allows.
        progress: Told how far it is.
        settings: When a measurement is good enough.

    Attributes:
        calibration: Knows the network's outputs on the images that calibrate.
        verification: The same of those that were held back.
        precisions: What units may compute in.

    Raises:
        UserInputError: Images or labels do not fit, or the network has several images a frame.
        EngineError: No engine computes the reference.
    """

    def __init__(
        self,
        network: Network,
        images: LabelledFrames,
        budget: AccuracyBudget,
        *,
        held_back: float = HELD_BACK,
        platform: Platform,
        engines: Mapping[str, Engine],
        store: Store,
        precisions: Sequence[str] | None = None,
        progress: Progress | None = None,
        settings: SamplingSettings | None = None,
    ) -> None:
        check_single(network)
        self.network = network
        self.budget = budget
        self.platform = platform
        self.engines = engines
        self.store = store
        self.precisions = tuple(precisions or ANY_PRECISION)
        self.progress = progress or Silence()
        self.settings = settings
        parts = split_images(images, held_back)
        self.progress.begin("reference", 2)
        self.calibration = self._judge(parts.calibration)
        self.verification = self._judge(parts.held_back)
        self.max_noise = budget.max_noise(self.calibration)
        self._accuracies: dict[tuple[object, ...], Accuracy] = {}

    # What a plan is worth

    def accept(self, network: Network, plan: Plan) -> str | None:
        """Why a plan cannot win, by its outputs on the held-back images; ``None``: it can."""
        return self.budget.broken_by(self.accuracy(network, plan))

    def accuracy(self, network: Network, plan: Plan) -> Accuracy:
        """What a plan's outputs on the held-back images are worth."""
        key = (plan.network_hash, plan.lanes)
        if key not in self._accuracies:
            outputs = plan_outputs(
                network,
                plan,
                self.verification.images.frames,
                platform=self.platform,
                engines=self.engines,
            )
            self._accuracies[key] = self.verification.accuracy(outputs)
        return self._accuracies[key]

    def accuracy_of(self, plan: Plan) -> Accuracy:
        """What a plan that was accepted is worth."""
        return self._accuracies[plan.network_hash, plan.lanes]

    @property
    def judged(self) -> int:
        """Plans that were judged by the held-back images and differ from the reference."""
        return sum(accuracy.noise > 1e-6 for accuracy in self._accuracies.values())

    # The search

    def search(self) -> Found:
        """Plans, times and judges mixes.

        Raises:
            UserInputError: Images on which a tensor is not finite.
            EngineError: An engine failed.
        """
        layers = choosable(self.network) if "int8" in self.precisions else ()
        if not layers:
            reason = "int8 was not asked for"
            if "int8" in self.precisions:
                first = next(iter(refusals(self.network).values()), "it has no layers with weights")
                reason = f"no layer of {self.network.name} can be int8: {first}"
            return Found(notes=(reason,))
        ranges = calibrate(self.network, self.calibration.images.frames, progress=self.progress)
        notes = warnings(self.network, ranges)
        bench = MixBench(
            network=self.network,
            ranges=ranges,
            layers=layers,
            scheme=Scheme(),
            frame=self.calibration.images.frames[0],
            platform=self.platform,
            engines=self.engines,
            store=self.store,
            precisions=self.precisions,
            progress=self.progress,
            settings=self.settings,
        )
        uniform = bench.uniform()
        if not uniform:
            return Found(notes=(*notes, "no unit here runs layers in int8"))
        fastest = min(uniform, key=lambda unit: uniform[unit].latency_ns)
        near = [
            unit
            for unit, mix in uniform.items()
            if mix.latency_ns <= SLOW * uniform[fastest].latency_ns
        ]
        meter = SensitivityMeter(
            self.network,
            self.calibration,
            platform=self.platform,
            engines=self.engines,
            store=self.store,
            progress=self.progress,
        )
        # What is not in int8 shall make no noise of its own meanwhile.
        exact = [unit for unit in uniform if unit.floats.precision == "fp32"] or [fastest]
        quick = min(exact, key=lambda unit: uniform[unit].latency_ns)
        noises = meter.int8(ranges, bench.scheme, quick.unit)
        planner = bench.planner(meter, noises, near)
        self.progress.begin("mixes", len(near) * len(SWEEP) + 1)
        for unit in near:
            for factor in SWEEP:
                bench.try_within(planner, unit, self.max_noise * factor)
                self.progress.step(unit.unit.name)
        bench.try_within(planner, fastest, self.max_noise, anywhere=True)
        self.progress.step("any unit")
        bench.time_in_turn(bench.fastest())
        best = self._verified(bench, planner, {unit.unit.name: unit for unit in near})
        ordered_mixes = sorted(bench.mixes.values(), key=lambda mix: mix.latency_ns)
        return Found(tuple(ordered_mixes), best, noises, notes)

    def _verified(
        self, bench: MixBench, planner: MixPlanner, units: Mapping[str, MixedUnit]
    ) -> Mix | None:
        """The fastest mix that keeps the budget.

        The uniform ones are judged anyway: what they lose is of interest.
        """
        retries = RETRIES
        self.progress.begin("verifying", len(bench.mixes) + RETRIES)
        for mix in [mix for mix in bench.mixes.values() if mix.layers == bench.layers]:
            if mix.unit in units:
                self._judged(bench, mix)
        while True:
            waiting = [mix for mix in bench.mixes.values() if mix.reason is None]
            if not waiting:
                return None
            first = min(waiting, key=lambda mix: mix.latency_ns)
            found = self._judged(bench, first)
            self.progress.step(f"{len(found.layers)} layers in int8 on {found.unit}")
            unit = units.get(found.unit)
            if found.reason is None:
                return found if unit is None else self._refined(bench, planner, unit, found)
            if retries and unit is not None:
                retries -= 1
                noise = self._tightened(found)
                bench.try_within(planner, unit, noise)

    def _refined(self, bench: MixBench, planner: MixPlanner, unit: MixedUnit, kept: Mix) -> Mix:
        """The fastest of that mix and of some on its unit with more noise, if they keep the budget:
        the budgets of noise that were tried lie far apart.
        """
        for _ in range(REFINEMENTS):
            broken = [  # on that unit, by what was predicted
                mix.predicted_noise
                for mix in bench.mixes.values()
                if mix.unit == kept.unit and mix.reason is not None and mix.predicted_noise
            ]
            low = kept.predicted_noise or 0.0
            high = min((noise for noise in broken if noise > low), default=low)
            if not low or high <= NEAR * low:
                break
            middle = bench.try_within(planner, unit, sqrt(low * high))
            if middle is None:
                break
            judged = self._judged(bench, middle)
            if judged.reason is None:
                kept = judged
        keeping = [mix for mix in bench.mixes.values() if mix.accuracy and mix.reason is None]
        if len(keeping) > 1:
            bench.time_in_turn(keeping)
        return min((bench.mixes[mix.key] for mix in keeping), key=lambda mix: mix.latency_ns)

    def _judged(self, bench: MixBench, mix: Mix) -> Mix:
        """The mix with its accuracy on the held-back images."""
        if mix.accuracy is None:
            plan = plan_on_unit(mix.network, self.platform, self.engines, mix.unit)
            accuracy = self.accuracy(mix.network, plan)
            mix = replace(mix, accuracy=accuracy, reason=self.budget.broken_by(accuracy))
            bench.mixes[mix.key] = mix
        return mix

    def _tightened(self, broken: Mix) -> float:
        """The noise to plan with, after a mix has broken the budget."""
        measured = 0.0 if broken.accuracy is None else broken.accuracy.noise
        predicted = broken.predicted_noise or measured
        excess = measured / self.max_noise if self.max_noise else 0.0
        return predicted * min(TIGHTEN, 1 / excess if excess else TIGHTEN)

    def _judge(self, images: LabelledFrames) -> Judge:
        frames = [ordered(self.network, frame) for frame in images.frames]
        expected = Reference(self.network, self.platform, self.engines, frames).expected
        for number, outputs in enumerate(expected):
            if not all(np.isfinite(output).all() for output in outputs):
                raise UserInputError(
                    f"{self.network.name} makes values that are not finite of "
                    f"{images.names[number]}: check the image and its preprocessing"
                )
        found = Judge(self.network, images, expected)
        self.progress.step(f"{found.count} images")
        return found


def check_single(network: Network) -> None:
    """Raises UserInputError where a frame is not one image, which accuracies are counted by."""
    for spec in network.inputs:
        if not spec.shape or spec.shape[0] != 1:
            raise UserInputError(
                f"an accuracy budget looks at images one by one, and input {spec.name!r} of "
                f"{network.name} is {spec.shape}: load it with one image a frame (--batch 1)"
            )
