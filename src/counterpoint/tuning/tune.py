"""The main job: profile, plan, measure the plan's own segments, correct, plan again, compare,
verify.

The cost table sees each layer in the context of one large segment. A plan cuts other segments, in
which engines fuse otherwise, so the segments of each candidate are measured as they will run and
the table is corrected by what they took, until the planner proposes nothing new. Then the fastest
candidates and the fastest single units run in turn on the clock; a mixed plan has to win there too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from counterpoint.costs.store import Store
from counterpoint.costs.table import CostTable
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.sampling import Comparison, Contender, Samples, SamplingSettings
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.restriction import Fixed, named_units
from counterpoint.planning.result import PlanResult
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Lane, Measurement, Plan, Prediction
from counterpoint.schedule.session import Session
from counterpoint.tuning.candidate_search import CandidateSearch
from counterpoint.tuning.candidates import Candidate, CandidateMeter
from counterpoint.tuning.contenders import (
    compare_in_turn,
    installed_contenders,
    plan_contender,
)
from counterpoint.tuning.first_look import worth_profiling
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.planned import plan_of_lanes
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.progress import Progress, Silence
from counterpoint.tuning.reference import Reference
from counterpoint.tuning.verification import Verification

WORTH_A_SWITCH = 0.99
"""A mixed plan must take at most this part of the best single unit's time, measured in turn, and
less than that unit in nine rounds of ten."""

CLOSE = {True: 2.0, False: 1.15}
"""Candidates up to this many times as slow as the fastest are compared on the clock again: single
units (``True``) and mixed plans. Measurements out of the store may be from a time when the
machine was faster or slower by half, so a single unit gets a second chance."""

FINALISTS = {True: 4, False: 3}
"""At most so many single units, and so many mixed plans."""

TINY_LAYER_MACS = 1_000_000
"""Units with fewer threads than cores are worth measuring where the mean layer has less work than
this: some 20 us on one core, of which waking other threads takes about half."""

DUEL = 1.1
"""Two single units that are no further apart than this are compared once more, alone."""

DUEL_ROUNDS = 15
DUEL_LEAD = 6
"""For at most so many rounds, and until one has won so many more than the other. Of two that are
equal one gets there in a quarter of all duels, and then either is right."""

AGREEMENT = 0.05
"""Prediction and measurement agree when they differ by no more than this part."""

MAX_COMPARISONS = 2
"""Where they do not agree, the finalists' segments are measured and compared again so often."""


Accept = Callable[[Network, Plan], str | None]
"""Asked of a plan that may win, and of the network that it is for: why it may not, in words;
``None``: it may."""


@dataclass(frozen=True, slots=True)
class TuneResult:
    """What tuning found.

    Attributes:
        plan: The best plan that was verified.
        table: The cost table, corrected by everything that was measured.
        planned: The planner's last answer, with its bound and status.
        candidates: Every plan that was measured, fastest first.
        comparison: The finalists, and what the engines do as installed, run in turn; by label.
        winner: Label of the plan in the comparison.
        installed: Labels of the engines' own defaults in the comparison.
        verification: The plan's error against the reference.
        rejected: What was refused and why, in sentences.
        time_spent_ns: Of the whole tuning.
        ended_early: The time was over before the search ended by itself.
    """

    plan: Plan
    table: CostTable
    planned: PlanResult
    candidates: tuple[Candidate, ...]
    comparison: Comparison
    winner: str
    installed: tuple[str, ...]
    verification: Verification
    rejected: tuple[str, ...]
    time_spent_ns: int
    ended_early: bool = False


def chosen_units(
    network: Network,
    units: Sequence[ComputeUnit],
    precisions: Sequence[str] | None,
    *,
    side_by_side: bool = False,
    software: bool = False,
) -> tuple[ComputeUnit, ...]:
    """The units worth measuring.

    Args:
        network: Of float or quantised layers.
        units: Those of the platform.
        precisions: Which to take; ``None`` for the network's own (no loss of accuracy).
        side_by_side: Also those that differ from others only where several lanes run at once.
        software: Also software devices where there are others: somebody asked for them.

    Raises:
        UserInputError: No unit is left.
    """
    own = ("fp32", "int8") if network.is_quantised else ("fp32",)
    wanted = own if precisions is None else tuple(precisions)
    has_tiny_layers = network.macs < TINY_LAYER_MACS * len(network.layers)
    found = tuple(
        unit
        for unit in units
        if unit.precision in wanted
        and (unit.precision != "int8" or network.is_quantised)
        and (has_tiny_layers or unit.setting("threads") is None)
        and (side_by_side or unit.setting("streams") is None)
    )
    if not found:
        have = ", ".join(sorted({unit.precision for unit in units})) or "none"
        raise UserInputError(
            f"no unit computes {network.name} in {', '.join(wanted)}; this machine has {have}"
        )
    hardware = tuple(unit for unit in found if not unit.devices[0].is_software)
    return found if software or not hardware else hardware


def is_coarser(precisions: Sequence[str] | None) -> bool:
    """Units may compute in less than the network's own precision."""
    return precisions is not None and not set(precisions) <= {"fp32", "int8"}


def tune(
    network: Network,
    *,
    platform: Platform,
    engines: Mapping[str, Engine],
    store: Store,
    precisions: Sequence[str] | None = None,
    frames: Sequence[Mapping[str, Tensor]] | None = None,
    fixed: Fixed | None = None,
    progress: Progress | None = None,
    settings: SamplingSettings | None = None,
    compare_installed: bool = True,
    accept: Accept | None = None,
    limit: TimeLimit | None = None,
) -> TuneResult:
    """Finds the plan of least latency for one frame.

    Args:
        network: What to run.
        platform: Where, with its units.
        engines: By name.
        store: Measurements that are kept between runs.
        precisions: What units may compute in; ``None`` for the network's own precision.
        frames: Real frames to verify with, inputs by name; ``None`` for two seeded ones.
        fixed: Layers (by index) that have to run on a unit, or on one of several (by name).
        progress: Told how far it is.
        settings: When a measurement is good enough.
        compare_installed: Also time the engines' own defaults beside the result.
        accept: What else a plan has to do to win; ``None``: nothing.
        limit: When it is over each unit is still timed as a whole, and no mix is looked for that is
            not needed; what was found is then compared. ``None``: no limit.

    Raises:
        UserInputError: No plan exists: a layer that no unit runs, or an unknown unit.
        EngineError: An engine failed, or every plan computes something else than the reference.
        StoreError: The store cannot be used.
    """
    begin = time.perf_counter_ns()
    tuner = _Tuner(
        network,
        platform,
        engines,
        store,
        frames=frames,
        progress=progress or Silence(),
        settings=settings,
        accept=accept,
        limit=limit or TimeLimit(),
    )
    asked = named_units(fixed)
    software = platform.named or any(platform.unit(name).devices[0].is_software for name in asked)
    units = chosen_units(network, platform.units, precisions, software=software)
    check_runnable(network, units, engines)
    units, hopeless = worth_profiling(tuner.profiler, units, fixed)
    tuner.rejected += hopeless
    table = tuner.profiler.table(units, tuner.limit)
    tuner.search.measure_singles(table, fixed)
    table = tuner.search.refine(table, fixed)
    ended_early = tuner.limit.is_over
    result = tuner.decide(
        table,
        fixed,
        compare_installed=compare_installed,
        any_precision=is_coarser(precisions),
        begin_ns=begin,
    )
    return replace(result, ended_early=ended_early)


def check_runnable(
    network: Network, units: Sequence[ComputeUnit], engines: Mapping[str, Engine]
) -> None:
    """Before anything is measured: each layer has a unit that does not refuse it.

    Raises:
        UserInputError: One has none; the message has every unit's reason.
    """
    for layer in network.layers:
        reasons = {unit: engines[unit.engine].unsupported_reason(layer, unit) for unit in units}
        if None not in reasons.values():
            told = "; ".join(f"{unit.name}: {reason}" for unit, reason in reasons.items())
            raise UserInputError(f"no unit here runs layer {layer.name!r} ({layer.kind}): {told}")


class _Tuner:
    """One tuning under way; what its steps share."""

    def __init__(
        self,
        network: Network,
        platform: Platform,
        engines: Mapping[str, Engine],
        store: Store,
        *,
        frames: Sequence[Mapping[str, Tensor]] | None,
        progress: Progress,
        settings: SamplingSettings | None,
        accept: Accept | None,
        limit: TimeLimit,
    ) -> None:
        self.network = network
        self.limit = limit
        self.accept = accept
        self.platform = platform
        self.engines = engines
        self.progress = progress
        self.frames = frames or [seeded_frame(network.inputs, seed) for seed in (1, 2)]
        self.profiler = Profiler(
            network, platform, engines, store, progress=progress, settings=settings
        )
        inputs = [ordered(network, frame) for frame in self.frames]
        self.reference = Reference(network, platform, engines, inputs)
        self.meter = CandidateMeter(self.profiler, inputs[0])
        self.rejected: list[str] = []
        self.search = CandidateSearch(network, engines, self.meter, progress, self.rejected, limit)

    def decide(
        self,
        table: CostTable,
        fixed: Fixed | None,
        *,
        compare_installed: bool,
        any_precision: bool,
        begin_ns: int,
    ) -> TuneResult:
        """Verifies, compares on the clock, and says which plan it is."""
        ranked = sorted(self.search.found.values(), key=lambda c: (c.latency_ns, len(c.segments)))
        verified = self._finalists(ranked)
        if not verified:
            raise EngineError(
                f"no plan for {self.network.name} runs and computes what the reference does: "
                + "; ".join(self.rejected)
            )
        for attempt in range(MAX_COMPARISONS):
            comparison, installed = self._compare(
                [c for c, _ in verified], compare_installed, any_precision
            )
            winner, verification = self._winner(verified, comparison)
            samples = comparison.samples[winner.label]
            if abs(winner.latency_ns / samples.median_ns - 1) <= AGREEMENT:
                break
            if self.limit.is_over:
                break
            if attempt + 1 < MAX_COMPARISONS:
                # The machine is faster or slower than it was when the segments were measured.
                verified = [(self.meter.measure(c.segments, again=True), v) for c, v in verified]
        # Under the table that is handed out the winner costs what it took, and the bound is for it.
        table = self.search.corrected(table, winner)
        planned = plan_latency(self.network, table, fixed=fixed)
        plan = self._plan(winner, planned, samples)
        return TuneResult(
            plan,
            table,
            planned,
            tuple(ranked),
            comparison,
            winner.label,
            installed,
            verification,
            tuple(self.rejected),
            time.perf_counter_ns() - begin_ns,
        )

    def _finalists(self, ranked: Sequence[Candidate]) -> list[tuple[Candidate, Verification]]:
        """The fastest candidates that compute the right thing; the fastest single unit is always
        among them, because a mixed plan has to beat it on the clock.
        """
        found: list[tuple[Candidate, Verification]] = []
        for candidate in ranked:
            alone = len(candidate.segments) == 1
            alike = [other for other, _ in found if (len(other.segments) == 1) == alone]
            if candidate.label in {other.label for other in alike}:
                continue  # the same units, cut elsewhere, and slower
            limit_ns = CLOSE[alone] * found[0][0].latency_ns if found else candidate.latency_ns
            near = candidate.latency_ns <= limit_ns and len(alike) < FINALISTS[alone]
            if near or (alone and not alike):
                verification = self._verify(candidate)
                if verification.passed and self._accepted(candidate):
                    found.append((candidate, verification))
        return found

    def _verify(self, candidate: Candidate) -> Verification:
        units = [self.platform.unit(segment.unit) for segment in candidate.segments]
        with self._session(candidate) as session:
            outputs = [session.run(None, frame) for frame in self.frames]
        verification = self.reference.verify(outputs, units)
        if not verification.passed:
            told = verification.relative_error
            self.rejected.append(
                f"{candidate.label} is off by {told:.2g} (allowed {verification.tolerance:.2g})"
                if told is not None
                else f"{candidate.label} returns values that are not finite"
            )
        return verification

    def _accepted(self, candidate: Candidate) -> bool:
        reason = self.accept and self.accept(self.network, self._plan(candidate))
        if reason:
            self.rejected.append(f"{candidate.label}: {reason}")
        return not reason

    def _compare(
        self, finalists: Sequence[Candidate], compare_installed: bool, any_precision: bool
    ) -> tuple[Comparison, tuple[str, ...]]:
        """Runs the finalists, and the engines' own defaults, in turn."""
        contenders = self._contenders(finalists)
        installed: dict[str, Contender] = {}
        if compare_installed:
            installed, reasons = installed_contenders(
                self.network, self.engines, self.frames[0], any_precision=any_precision
            )
            self.rejected += [reason for reason in reasons if reason not in self.rejected]
        comparison = compare_in_turn(
            self.network, contenders | installed, rounds=7, progress=self.progress
        )
        return comparison, tuple(installed)

    def _winner(
        self, verified: Sequence[tuple[Candidate, Verification]], comparison: Comparison
    ) -> tuple[Candidate, Verification]:
        """The fastest on the clock; a mixed plan only when it is clearly faster than one unit."""
        by_time = sorted(verified, key=lambda pair: comparison.relative(pair[0].label))
        best = by_time[0]
        singles = [pair for pair in by_time if len(pair[0].segments) == 1]
        if not singles:
            return best
        if len(best[0].segments) == 1:
            return self._duel(singles, comparison)
        ratio, _, high = comparison.ratio(best[0].label, singles[0][0].label)
        return best if ratio <= WORTH_A_SWITCH and high < 1 else singles[0]

    def _duel(
        self, singles: Sequence[tuple[Candidate, Verification]], comparison: Comparison
    ) -> tuple[Candidate, Verification]:
        """The faster of the two best single units; where they are close, by a comparison of the two
        alone, which neither other contenders nor their threads disturb.
        """
        labels = [candidate.label for candidate, _ in singles[:2]]
        if len(labels) < 2 or self.limit.is_over:
            return singles[0]
        if comparison.relative(labels[1]) > DUEL * comparison.relative(labels[0]):
            return singles[0]
        first, second = labels
        plans = {candidate.label: candidate for candidate, _ in singles[:2]}
        duel = compare_in_turn(
            self.network,
            self._contenders(plans.values()),
            rounds=DUEL_ROUNDS,
            progress=self.progress,
            settled=lambda so_far: abs(so_far.lead(first, second)) >= DUEL_LEAD,
        )
        return min(singles[:2], key=lambda pair: duel.relative(pair[0].label))

    def _contenders(self, candidates: Iterable[Candidate]) -> dict[str, Contender]:
        return {
            candidate.label: plan_contender(
                self.network, self._plan(candidate), self.platform, self.engines, self.frames[0]
            )
            for candidate in candidates
        }

    def _session(self, candidate: Candidate) -> Session:
        return Session(
            self.network,
            self._plan(candidate),
            engines=self.engines,
            platform=self.platform,
        )

    def _plan(
        self,
        candidate: Candidate,
        planned: PlanResult | None = None,
        samples: Samples | None = None,
    ) -> Plan:
        bound = planned.lower_bound if planned else None
        predicted = plan_of_lanes(
            self.network,
            self.platform,
            self.engines,
            lanes=(Lane(candidate.segments),),
            prediction=Prediction(
                candidate.latency_ns,
                (candidate.segment_ns,),
                None if bound is None else min(bound, candidate.latency_ns),
            ),
        )
        return replace(
            predicted,
            measured_latency=None
            if samples is None
            else Measurement(
                samples.median_ns, samples.low_ns, samples.high_ns, len(samples.times_ns)
            ),
            notes=tuple(self.rejected),
        )
