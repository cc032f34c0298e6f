"""Tuning for throughput: which lanes, how many images in a frame, how many frames in flight.

What many frames at once take cannot be added up from what each takes alone: cores share memory,
caches and clock rate. So the times that a plan is made from are taken from the plan's own stream:

1. for growing batches, everything on one unit, and one lane for each part of the CPU, are streamed;
2. at the best batch, layer costs are scaled to what the units took in those streams, and the
   linear program over lanes is asked for a mix; its stream corrects the costs, and it is asked
   again until it proposes nothing new;
3. the fastest are run in turn, beside the engines' own throughput modes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from counterpoint.costs.objective import Objective
from counterpoint.costs.store import Store
from counterpoint.costs.table import CostTable
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.sampling import Comparison, SamplingSettings
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.planning.choose import Question
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import PlanResult, Status
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.tuning.correction import corrected
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.in_flight import frames_in_flight, judged_in_virtual_time
from counterpoint.tuning.installed_modes import InstalledMode, InstalledModes
from counterpoint.tuning.planned import plan_of, plan_of_lanes
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.progress import Progress, Silence
from counterpoint.tuning.reference import Reference
from counterpoint.tuning.stream_comparison import Compared, Stream, compare_streams
from counterpoint.tuning.stream_meter import StreamedPlan, StreamMeter
from counterpoint.tuning.tune import Accept, check_runnable, chosen_units, is_coarser
from counterpoint.tuning.verification import Verification, compare

BATCHES = (1, 4, 16, 64)
"""Images in a frame that are tried, in this order, as long as more of them bring something."""

WORTH_A_LARGER_BATCH = 1.01
"""A batch that is not so many times as fast as the best smaller one brings nothing, and no larger
one is tried."""

HOPELESS = 1.25
"""What took so many times as long as the best at one batch is not tried at the next."""

LONGEST_FRAME_NS = 1_000_000_000
"""No batch is tried whose frame would take longer."""

MAX_MIXES = 3
"""Plan, stream, correct at most so often."""

FINALISTS = 5
CLOSE = 1.5
"""At most so many of the fastest run in turn, and none that took so many times as long: streams are
timed one after the other, and a machine may have changed its speed between them."""

CLOSE_BATCH = 1.15
"""Of plans that differ in their batch alone, those that took no more than so many times as long."""

COMPARED_ROUNDS = 7

EXTRA_FRAMES = 1
"""So many more frames in flight for each lane than virtual time asks for: a device that has just
finished finds the next frame waiting, while the last one's result is handed over."""


@dataclass(frozen=True, slots=True)
class ThroughputResult:
    """What tuning found.

    Attributes:
        plan: The fastest that was verified; its ``batch`` says how many images a frame has.
        planned: The linear program's last answer at the plan's batch, with its bound; ``None``
            where nothing was left to plan.
        streamed: Every plan that was streamed, fastest first.
        installed: The engines' own throughput modes, each at its best batch.
        comparison: The finalists and those modes, run in turn over the same number of images.
        images: That number.
        winner: Label of the plan in the comparison.
        verification: The plan's error against the reference.
        rejected: What was refused and why, in sentences.
        time_spent_ns: Of the whole tuning.
    """

    plan: Plan
    planned: PlanResult | None
    streamed: tuple[StreamedPlan, ...]
    installed: tuple[InstalledMode, ...]
    comparison: Comparison
    images: int
    winner: str
    verification: Verification
    rejected: tuple[str, ...]
    time_spent_ns: int


def tune_throughput(
    network: Network,
    *,
    platform: Platform,
    engines: Mapping[str, Engine],
    store: Store,
    precisions: Sequence[str] | None = None,
    frames: Sequence[Mapping[str, Tensor]] | None = None,
    fixed: Fixed | None = None,
    batches: Sequence[int] | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    progress: Progress | None = None,
    settings: SamplingSettings | None = None,
    compare_installed: bool = True,
    accept: Accept | None = None,
    limit: TimeLimit | None = None,
) -> ThroughputResult:
    """Finds the plan with the most images a second.

    Args:
        network: What to run.
        platform: Where, with its units; parts of the CPU (``CPU.0``) for lanes side by side.
        engines: By name.
        store: Measurements that are kept between runs.
        precisions: What units may compute in; ``None`` for the network's own precision.
        frames: Real frames to verify with, inputs by name; ``None`` for seeded ones.
        fixed: Layers (by index) that have to run on a unit (by name).
        batches: Images in a frame to try; ``None`` for 1, 4, 16 ... while they pay.
        method: ``auto``, or one way of sharing: ``single``, ``replicate``, ``pipeline`` or
            ``switch``.
        max_latency_ns: No frame may take longer.
        progress: Told how far it is.
        settings: When a measurement of a layer is good enough.
        compare_installed: Also time the engines' own throughput modes, in their default precision
            where units may compute in less than the network's own.
        accept: What else a plan has to do to win; ``None``: nothing.
        limit: When it is over nothing new is tried, once there is a plan; what was found is then
            compared. ``None``: no limit.

    Raises:
        UserInputError: No plan exists: a layer that no unit runs, an unknown unit, or a limit that
            nothing meets.
        EngineError: An engine failed, or every plan computes something else than the reference.
        StoreError: The store cannot be used.
    """
    begin = time.perf_counter_ns()
    units = chosen_units(
        network, platform.units, precisions, side_by_side=True, software=platform.named
    )
    check_runnable(network, units, engines)
    real = list(frames or [seeded_frame(network.inputs, seed) for seed in (1, 2)])
    any_precision = is_coarser(precisions)
    tuner = _Tuner(
        network=network,
        platform=platform,
        engines=engines,
        store=store,
        units=units,
        meter=StreamMeter(network, platform, engines, store, real),
        frames=real,
        fixed=fixed,
        method=method,
        max_latency_ns=max_latency_ns,
        progress=progress or Silence(),
        settings=settings,
        accept=accept,
        modes=InstalledModes(engines if compare_installed else {}, any_precision=any_precision),
        any_precision=any_precision,
        limit=limit or TimeLimit(),
    )
    tuner.try_batches(batches or BATCHES, growing=batches is None)
    planned = tuner.mix()
    return tuner.decide(planned, begin)


@dataclass(kw_only=True)
class _Tuner:
    """One tuning under way; what its steps share."""

    network: Network
    platform: Platform
    engines: Mapping[str, Engine]
    store: Store
    units: Sequence[ComputeUnit]
    meter: StreamMeter
    frames: Sequence[Mapping[str, Tensor]]
    fixed: Fixed | None
    method: str
    max_latency_ns: int | None
    progress: Progress
    settings: SamplingSettings | None
    accept: Accept | None
    modes: InstalledModes
    any_precision: bool
    limit: TimeLimit
    streamed: list[StreamedPlan] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    # Step 1: alike lanes at growing batches

    def try_batches(self, batches: Sequence[int], *, growing: bool) -> None:
        """Streams plans of one unit, and of one lane for each part of the CPU."""
        ways = self._alike()
        if not ways:
            return
        left = dict(ways)
        self.progress.begin("streaming", len(batches))
        for batch in batches:
            before = min((plan.image_ns for plan in self.streamed), default=None)
            try:
                network = self.meter.at(batch)
            except UserInputError as error:
                self.rejected.append(str(error))
                break
            for label, units in list(left.items()):
                self._try(label, network, batch, units)
            self.modes.try_batch(network, batch, self.meter.frame(batch))
            self.progress.step(f"batch {batch}")
            now = [plan for plan in self.streamed if plan.batch == batch]
            if not now:
                break
            best = min(plan.image_ns for plan in now)
            left = {plan.label: ways[plan.label] for plan in now if plan.image_ns < HOPELESS * best}
            if self.limit.is_over:
                break
            idle = before is not None and before < WORTH_A_LARGER_BATCH * best
            if growing and (idle or 4 * batch * best > LONGEST_FRAME_NS):
                break

    def _alike(self) -> dict[str, tuple[ComputeUnit, ...]]:
        """Units of one kind, by label: one for all, or one for each part of the CPU."""
        runnable = [unit for unit in self.units if self._runs_all(unit)]
        ways: dict[str, tuple[ComputeUnit, ...]] = {}
        parts: dict[tuple[str, str, object], list[ComputeUnit]] = {}
        for unit in runnable:
            if unit.devices[0].is_part:
                parts.setdefault((unit.engine, unit.precision, unit.settings), []).append(unit)
            elif self.method in ("auto", "single"):
                ways[unit.name] = (unit,)
        for units in parts.values():
            if self.method in ("auto", "replicate"):
                ways[f"{len(units)} lanes, one on each of {_names(units)}"] = tuple(units)
        return ways

    def _runs_all(self, unit: ComputeUnit) -> bool:
        engine = self.engines[unit.engine]
        for layer in self.network.layers:
            chosen = (self.fixed or {}).get(layer.index)
            if chosen is not None and unit.name not in (
                (chosen,) if isinstance(chosen, str) else chosen
            ):
                return False
            if engine.unsupported_reason(layer, unit) is not None:
                return False
        return True

    def _try(self, label: str, network: Network, batch: int, units: Sequence[ComputeUnit]) -> None:
        everything = tuple(layer.index for layer in network.layers)
        lanes = tuple(Lane((Segment(everything, unit.name),)) for unit in units)
        in_flight = 1 if len(lanes) == 1 else len(lanes) * (1 + EXTRA_FRAMES)
        plan = plan_of_lanes(
            network,
            self.platform,
            self.engines,
            lanes=lanes,
            prediction=Prediction(0),
            objective=Objective.THROUGHPUT,
            frames_in_flight=in_flight,
        )
        self._stream(label, plan, batch)

    def _stream(self, label: str, plan: Plan, batch: int) -> bool:
        """Streams a plan; whether that worked."""
        try:
            self.streamed.append(self.meter.stream(label, plan, batch))
        except EngineError as error:
            self.rejected.append(f"{label}, batch {batch}: {error}")
            return False
        return True

    # Step 2: mixed lanes

    def mix(self) -> PlanResult | None:
        """Asks the linear program at the best batch, and streams what it proposes."""
        enough = self.method in ("single", "replicate") or self.limit.is_over
        if enough and self.streamed:
            return None
        best = min(self.streamed, key=lambda plan: plan.image_ns, default=None)
        batch = self.meter.own_batch if best is None else best.batch
        network = self.meter.at(batch)
        profiler = Profiler(
            self.network,
            self.platform,
            self.engines,
            self.store,
            progress=self.progress,
            settings=self.settings,
        )
        # Layers share the time of a larger batch as they share that of one image, nearly; the
        # streams at that batch say how much it is in all.
        table = replace(profiler.table(self.units), network_hash=network.content_hash)
        for streamed in [plan for plan in self.streamed if plan.batch == batch]:
            table = _corrected(network, table, streamed.plan)
        self.progress.begin("planning", MAX_MIXES)
        planned: PlanResult | None = None
        known = {plan.plan.lanes for plan in self.streamed if plan.batch == batch}
        question = self._question()
        for turn in range(MAX_MIXES):
            planned = question.answer(network, table, fixed=self.fixed)
            if planned.status is Status.INFEASIBLE:
                if self.streamed:
                    return None
                raise UserInputError(f"no plan for {network.name}: {planned.reason}")
            plan = frames_in_flight(
                network,
                plan_of(network, self.platform, self.engines, table, planned),
                self.platform,
                max_latency_ns=self.max_latency_ns,
            )
            if plan.lanes in known:
                break
            known.add(plan.lanes)
            plan = replace(plan, frames_in_flight=self._deeper(plan))
            label = f"{len(plan.lanes)} mixed lanes on {' + '.join(plan.units)} (#{turn + 1})"
            if not self._stream(label, plan, batch):
                break
            self.progress.step(label)
            table = _corrected(network, table, self.streamed[-1].plan)
            if self.limit.is_over:
                break
        return planned

    def _question(self) -> Question:
        limit_ns = self.max_latency_ns
        judge = None if limit_ns is None else judged_in_virtual_time(self.platform, limit_ns)
        return Question(
            objective=Objective.THROUGHPUT,
            method=self.method,
            max_latency_ns=limit_ns,
            judge=judge,
        )

    def _deeper(self, plan: Plan) -> int:
        if self.max_latency_ns is not None:
            return plan.frames_in_flight
        return plan.frames_in_flight + EXTRA_FRAMES * len(plan.lanes)

    # Step 3: in turn

    def decide(self, planned: PlanResult | None, begin_ns: int) -> ThroughputResult:
        """Verifies the fastest, runs them in turn, and says which plan it is."""
        ranked = sorted(self.streamed, key=lambda plan: plan.image_ns)
        if self.max_latency_ns is not None:
            ranked = self._within_limit(ranked)
        most = 1 if self.limit.is_over else FINALISTS
        verified: list[tuple[StreamedPlan, Verification]] = []
        for streamed in ranked:
            if verified and (
                len(verified) == most or streamed.image_ns > CLOSE * ranked[0].image_ns
            ):
                break
            alike = [other for other, _ in verified if other.label == streamed.label]
            if alike and streamed.image_ns > CLOSE_BATCH * alike[0].image_ns:
                continue
            verification = self._verify(streamed)
            if verification.passed and self._accepted(streamed):
                verified.append((streamed, verification))
        if not verified:
            raise EngineError(
                f"no plan for {self.network.name} runs and computes what the reference does: "
                + "; ".join(self.rejected)
            )
        compared = self._compare([plan for plan, _ in verified])
        winner, verification = min(
            verified, key=lambda pair: compared.comparison.relative(pair[0].title)
        )
        bound = None
        if planned is not None and planned.lower_bound is not None:
            interval_ns = winner.plan.prediction.interval_ns or winner.interval_ns
            bound = min(planned.lower_bound, interval_ns)
        plan = replace(
            winner.plan,
            prediction=replace(winner.plan.prediction, lower_bound=bound),
            measured_interval=compared.a_frame(winner.title, winner.batch),
            notes=(*self.rejected, *self.modes.rejected),
        )
        return ThroughputResult(
            plan=plan,
            planned=planned,
            streamed=tuple(ranked),
            installed=tuple(self.modes.best.values()),
            comparison=compared.comparison,
            images=compared.images,
            winner=winner.title,
            verification=verification,
            rejected=(*self.rejected, *self.modes.rejected),
            time_spent_ns=time.perf_counter_ns() - begin_ns,
        )

    def _accepted(self, streamed: StreamedPlan) -> bool:
        reason = self.accept and self.accept(streamed.network, streamed.plan)
        if reason:
            self.rejected.append(f"{streamed.title}: {reason}")
        return not reason

    def _within_limit(self, ranked: Sequence[StreamedPlan]) -> list[StreamedPlan]:
        limit_ns = self.max_latency_ns or 0
        kept = [
            plan for plan in ranked if plan.plan.frames_in_flight * plan.interval_ns <= limit_ns
        ]
        if not kept:
            least_ns = min(plan.plan.frames_in_flight * plan.interval_ns for plan in ranked)
            raise UserInputError(
                f"no plan for {self.network.name} has a latency of {limit_ns / 1e6:g} ms or less "
                f"with frames in flight; the least that was found is {least_ns / 1e6:.3g} ms"
            )
        return kept

    def _compare(self, finalists: Sequence[StreamedPlan]) -> Compared:
        return compare_streams(
            self.meter,
            [
                Stream(
                    plan.title, plan.network, plan.plan, self.meter.frame(plan.batch), plan.image_ns
                )
                for plan in finalists
            ],
            tuple(self.modes.best.values()),
            platform=self.platform,
            engines=self.engines,
            any_precision=self.any_precision,
            rounds=COMPARED_ROUNDS,
            progress=self.progress,
        )

    def _verify(self, streamed: StreamedPlan) -> Verification:
        """Compares the outputs of one frame, image by image, with the reference at one image."""
        from counterpoint.schedule.session import Session

        reference = Reference(
            self.network,
            self.platform,
            self.engines,
            [ordered(self.network, frame) for frame in self.frames],
        )
        units = [self.platform.unit(name) for name in streamed.plan.units]
        batch = streamed.batch
        with Session(
            streamed.network, streamed.plan, engines=self.engines, platform=self.platform
        ) as session:
            shown = [self.meter.frame(batch)] * len(streamed.plan.lanes)
            made = [list(outputs) for outputs in session.stream(shown)]
        expected = []
        for index, _ in enumerate(self.network.outputs):
            images = np.concatenate([np.asarray(frame[index]) for frame in reference.expected])
            expected.append(images[np.arange(batch) % len(images)])
        verification = compare(made, [expected] * len(made), reference.tolerance(units))
        if not verification.passed:
            error = verification.relative_error
            told = "not finite" if error is None else f"off by {error:.2g}"
            self.rejected.append(
                f"{streamed.label}, batch {batch}: {told}, {verification.tolerance:.2g} is allowed"
            )
        return verification


def _names(units: Sequence[ComputeUnit]) -> str:
    return ", ".join(unit.name for unit in units)


def _corrected(network: Network, table: CostTable, plan: Plan) -> CostTable:
    """The table under which the plan's segments cost what they took in its stream."""
    for lane, taken_ns in zip(plan.lanes, plan.prediction.segment_ns or (), strict=True):
        table = corrected(network, table, lane.segments, taken_ns)
    return table
