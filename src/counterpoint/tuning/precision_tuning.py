"""The last steps of tuning under an accuracy budget: the network as it is and the best mix of
precisions are each tuned as any network is, and their plans run in turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Comparison, Contender
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Measurement, Plan
from counterpoint.tuning.accuracy import Accuracy
from counterpoint.tuning.budget import AccuracyBudget
from counterpoint.tuning.contenders import compare_in_turn, installed_contenders, plan_contender
from counterpoint.tuning.installed_modes import InstalledModes
from counterpoint.tuning.mixed_precision import Found, PrecisionSearch
from counterpoint.tuning.mixes import Mix
from counterpoint.tuning.stream_meter import StreamMeter
from counterpoint.tuning.streams import plan_stream
from counterpoint.tuning.throughput import RUN_NS, ThroughputResult, tune_throughput
from counterpoint.tuning.tune import TuneResult, tune

FLOATS = ("fp32", "bf16", "fp16")

ROUNDS = 9
"""Of the last comparison."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """A plan that keeps the budget, and is run in turn with others.

    Attributes:
        label: For tables.
        network: As the plan runs it, at one image a frame.
        plan: Itself.
        mix: Which layers are in int8; ``None``: the network as it was loaded.
        tuned: Where the plan comes from.
    """

    label: str
    network: Network
    plan: Plan
    mix: Mix | None
    tuned: TuneResult | ThroughputResult


@dataclass(frozen=True, slots=True)
class Compared:
    """Finalists and the engines' own ways, run in turn.

    Attributes:
        comparison: By label.
        images: In each run.
        installed: Labels of the engines' own ways.
    """

    comparison: Comparison
    images: int
    installed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionResult:
    """What tuning under a budget found.

    Attributes:
        plan: The fastest that keeps the budget.
        network: As the plan runs it, its int8 layers rewritten, at one image a frame.
        winner: Label of the plan in the comparison.
        compared: The last comparison.
        tuned: What tuning that network found.
        found: The mixes that were tried.
        budget: What could be lost.
        accuracy: Of the plan, on the images that were held back; its interval holds for all plans
            that were judged by them.
        judged: How many those were.
        calibration_images: Images that calibrated.
        verification_images: Images that were held back.
        layers: Of the network as it was loaded.
        rejected: What was refused and why, in sentences.
        time_spent_ns: Of all of it.
    """

    plan: Plan
    network: Network
    winner: str
    compared: Compared
    tuned: TuneResult | ThroughputResult
    found: Found
    budget: AccuracyBudget
    accuracy: Accuracy
    judged: int
    calibration_images: int
    verification_images: int
    layers: int
    rejected: tuple[str, ...]
    time_spent_ns: int


class Goal(Protocol):
    """What is made best: how networks are tuned for it, and plans compared."""

    def tuned(
        self, search: PrecisionSearch, network: Network, precisions: Sequence[str]
    ) -> TuneResult | ThroughputResult:
        """The best plan of a network that the search accepts.

        Raises:
            CounterpointError: As :func:`tune`.
        """
        ...

    def compared(self, search: PrecisionSearch, finalists: Sequence[Finalist]) -> Compared:
        """Runs plans, and the engines' own ways with the network as it was loaded, in turn."""
        ...

    def measured(self, plan: Plan, compared: Compared, label: str) -> Plan:
        """The plan with what the comparison says of it."""
        ...


def tune_precision(search: PrecisionSearch, goal: Goal) -> PrecisionResult:
    """The fastest plan that keeps the budget of a search.

    Args:
        search: Network, images, budget and machine.
        goal: What is made best.

    Raises:
        CounterpointError: As :func:`tune`, or images on which a tensor is not finite.
    """
    begin_ns = time.perf_counter_ns()
    floats = tuple(name for name in FLOATS if name in {"fp32", *search.precisions})
    own = ("int8",) if search.network.is_quantised else ()
    base = goal.tuned(search, search.network, (*floats, *own))
    found = search.search()
    finalists = [Finalist(f"as loaded: {base.winner}", search.network, base.plan, None, base)]
    notes = list(found.notes)
    for mix in found.worth_tuning:
        try:
            # Beside an int8 unit one in fp32 runs nothing that the other does not.
            tuned = goal.tuned(search, mix.network, (*floats[1:], "int8"))
        except EngineError as error:
            notes.append(str(error))
        else:
            label = f"{found.share(mix)}: {tuned.winner}"
            finalists.append(Finalist(label, mix.network, tuned.plan, mix, tuned))
    compared = goal.compared(search, finalists)
    winner = min(finalists, key=lambda each: compared.comparison.relative(each.label))
    rejected = tuple(dict.fromkeys((*notes, *found.broken, *base.rejected, *winner.tuned.rejected)))
    accuracy = search.accuracy_of(winner.plan).best_of(search.judged)
    plan = goal.measured(
        replace(
            winner.plan,
            precision=None if winner.mix is None else winner.mix.choice,
            notes=rejected,
        ),
        compared,
        winner.label,
    )
    return PrecisionResult(
        plan=plan,
        network=winner.network,
        winner=winner.label,
        compared=compared,
        tuned=replace(winner.tuned, plan=plan),
        found=found,
        budget=search.budget,
        accuracy=accuracy,
        judged=search.judged,
        calibration_images=search.calibration.count,
        verification_images=search.verification.count,
        layers=len(search.network.layers),
        rejected=rejected,
        time_spent_ns=time.perf_counter_ns() - begin_ns,
    )


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one frame alone.

    Attributes:
        compare_installed: Also time what engines do as installed.
    """

    compare_installed: bool = True

    def tuned(
        self, search: PrecisionSearch, network: Network, precisions: Sequence[str]
    ) -> TuneResult:
        """See :class:`Goal`."""
        return tune(
            network,
            platform=search.platform,
            engines=search.engines,
            store=search.store,
            precisions=precisions,
            frames=search.verification.images.frames[:2],
            progress=search.progress,
            settings=search.settings,
            compare_installed=False,
            accept=search.accept,
        )

    def compared(self, search: PrecisionSearch, finalists: Sequence[Finalist]) -> Compared:
        """See :class:`Goal`."""
        frame = search.verification.images.frames[0]
        contenders: dict[str, Contender] = {
            each.label: plan_contender(
                each.network, each.plan, search.platform, search.engines, frame
            )
            for each in finalists
        }
        installed: dict[str, Contender] = {}
        if self.compare_installed:
            installed, _ = installed_contenders(
                search.network, search.engines, frame, any_precision=False
            )
        comparison = compare_in_turn(
            search.network, contenders | installed, rounds=ROUNDS, progress=search.progress
        )
        return Compared(comparison, 1, tuple(installed))

    def measured(self, plan: Plan, compared: Compared, label: str) -> Plan:
        """See :class:`Goal`."""
        return replace(plan, measured_latency=_measurement(compared, label, frames=1))


@dataclass(frozen=True, slots=True)
class Throughput:
    """Mean time between frames with many under way.

    Attributes:
        batches: See :func:`tune_throughput`, as the next two.
        method: Way of sharing.
        max_latency_ns: No frame may take longer.
        compare_installed: Also time the engines' own throughput modes.
    """

    batches: Sequence[int] | None = None
    method: str = "auto"
    max_latency_ns: int | None = None
    compare_installed: bool = True

    def tuned(
        self, search: PrecisionSearch, network: Network, precisions: Sequence[str]
    ) -> ThroughputResult:
        """See :class:`Goal`."""
        return tune_throughput(
            network,
            platform=search.platform,
            engines=search.engines,
            store=search.store,
            precisions=precisions,
            frames=search.verification.images.frames[:2],
            batches=self.batches,
            method=self.method,
            max_latency_ns=self.max_latency_ns,
            progress=search.progress,
            settings=search.settings,
            compare_installed=self.compare_installed and network is search.network,
            accept=search.accept,
        )

    def compared(self, search: PrecisionSearch, finalists: Sequence[Finalist]) -> Compared:
        """See :class:`Goal`."""
        base = finalists[0].tuned
        modes = base.installed if isinstance(base, ThroughputResult) else ()
        batches = [each.plan.batch or 1 for each in finalists] + [mode.batch for mode in modes]
        whole = max(batches)
        slowest_ns = max(_interval_ns(each.plan) / (each.plan.batch or 1) for each in finalists)
        images = whole * max(2, round(RUN_NS / (slowest_ns * whole)))
        real = search.verification.images.frames
        contenders: dict[str, Contender] = {}
        for each in finalists:
            meter = StreamMeter(each.network, search.platform, search.engines, search.store, real)
            batch = each.plan.batch or 1
            contenders[each.label] = plan_stream(
                meter.at(batch),
                each.plan,
                engines=search.engines,
                platform=search.platform,
                frame=meter.frame(batch),
                frames=images // batch,
            )
        meter = StreamMeter(search.network, search.platform, search.engines, search.store, real)
        own = InstalledModes(search.engines if modes else {}, any_precision=False)
        for mode in modes:
            contenders[mode.label] = own.contender(
                mode, meter.at(mode.batch), meter.frame(mode.batch), frames=images // mode.batch
            )
        comparison = compare_in_turn(
            search.network, contenders, rounds=ROUNDS, block_ns=1, progress=search.progress
        )
        return Compared(comparison, images, tuple(mode.label for mode in modes))

    def measured(self, plan: Plan, compared: Compared, label: str) -> Plan:
        """See :class:`Goal`."""
        frames = compared.images // (plan.batch or 1)
        return replace(plan, measured_interval=_measurement(compared, label, frames=frames))


def _interval_ns(plan: Plan) -> int:
    return plan.measured_interval.median_ns if plan.measured_interval else 1


def _measurement(compared: Compared, label: str, *, frames: int) -> Measurement:
    samples = compared.comparison.samples[label]
    return Measurement(
        samples.median_ns // frames,
        samples.low_ns // frames,
        samples.high_ns // frames,
        len(samples.times_ns),
    )
