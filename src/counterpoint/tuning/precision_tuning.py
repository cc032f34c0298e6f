"""The last steps of tuning under an accuracy budget: the network as it is and the best mix of
precisions are each tuned as any network is, and their plans run in turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Contender
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.accuracy import Accuracy
from counterpoint.tuning.budget import AccuracyBudget
from counterpoint.tuning.contenders import compare_in_turn, installed_contenders, plan_contender
from counterpoint.tuning.mixed_precision import Found, PrecisionSearch
from counterpoint.tuning.mixes import Mix
from counterpoint.tuning.stream_comparison import Compared, Stream, compare_streams
from counterpoint.tuning.stream_meter import StreamMeter
from counterpoint.tuning.throughput import ThroughputResult, tune_throughput
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
        return replace(plan, measured_latency=compared.a_frame(label, 1))


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
        return compare_streams(
            _meter(search, search.network),
            [
                Stream(
                    each.label,
                    (meter := _meter(search, each.network)).at(each.plan.batch or 1),
                    each.plan,
                    meter.frame(each.plan.batch or 1),
                    _interval_ns(each.plan) / (each.plan.batch or 1),
                )
                for each in finalists
            ],
            modes,
            platform=search.platform,
            engines=search.engines,
            any_precision=False,
            rounds=ROUNDS,
            progress=search.progress,
        )

    def measured(self, plan: Plan, compared: Compared, label: str) -> Plan:
        """See :class:`Goal`."""
        return replace(plan, measured_interval=compared.a_frame(label, plan.batch))


def _interval_ns(plan: Plan) -> int:
    return plan.measured_interval.median_ns if plan.measured_interval else 1


def _meter(search: PrecisionSearch, network: Network) -> StreamMeter:
    real = search.verification.images.frames
    return StreamMeter(network, search.platform, search.engines, search.store, real)
