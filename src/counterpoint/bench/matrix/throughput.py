"""The throughput of a network by every contender: as many images a second as possible.

Method: Xu et al., NPC 2019, section 3.2: 1000 images, the batch tuned for the maximum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from counterpoint.bench.matrix.best_batch import Batches
from counterpoint.bench.matrix.entrants import Where, installed_streamed, streamed
from counterpoint.bench.matrix.failed_rows import failed_row
from counterpoint.bench.matrix.latency import TUNING_FRAMES
from counterpoint.bench.matrix.peers import Peer, peers
from counterpoint.bench.matrix.plans import failed_plan, plan_contender
from counterpoint.bench.matrix.precision_sets import precision_sets
from counterpoint.bench.matrix.stream import Stream
from counterpoint.bench.matrix.task import Task
from counterpoint.bench.matrix.turns import FEWEST_ROUNDS, Turns, measured_rows
from counterpoint.bench.matrix.unit_ways import UnitWay
from counterpoint.bench.result import Control, Method, Metric, Row
from counterpoint.errors import CounterpointError, StoreError
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.stream_meter import StreamedPlan
from counterpoint.tuning.throughput import tune_throughput

TUNED_UNITS = 2
"""A plan is made of so many of the fastest units, and of their like on parts of the CPU."""

NEAR = 1.4
"""Units that take more than so many times as long as the fastest do not come into it: a lane on
each core brought at most 1.3 times the unit's own rate (own measurement, ten networks)."""

PREPARING = 0.6
"""At most this part of the time that is left goes into the best batches and plans."""

PEER_FRAMES = 2
"""In front of a peer's sample: as many as two cores have requests in flight."""


@dataclass
class ThroughputBench:
    """One network under way.

    Attributes:
        task: What is measured, where and how.
        failed: Rows of those that failed before the turns.
    """

    task: Task
    failed: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._limit = self.task.limit.part(PREPARING)
        self._batches = Batches(
            site=self.task.site,
            frames=self.task.frames,
            sizes=self.task.settings.batches,
            limit=self._limit,
        )

    def streams(self) -> list[Stream]:
        """Everybody at the best batch.

        Raises:
            StoreError: The store cannot be used.
        """
        methods = self.task.settings.methods
        found: list[Stream] = []
        singles: list[tuple[UnitWay, StreamedPlan]] = []
        if Method.UNIT in methods or Method.PLAN in methods:
            singles = list(self._singles())
        if Method.UNIT in methods:
            found += [self._unit(way, single) for way, single in singles]
            self.failed += self.task.ways.refused_rows(self.task.name, Metric.THROUGHPUT)
        if Method.PLAN in methods:
            found += self._plans(singles)
        if Method.PEER in methods:
            known = peers(self.task.site, self.task.network, self.task.settings)
            self.task.progress.begin("throughput modes", len(known))
            for peer in known:
                found += self._peer(peer)
                self.task.progress.step(peer.engine.name)
        return found

    def rows(self, streams: Sequence[Stream], limit: TimeLimit) -> tuple[Row | Control, ...]:
        """A row for each, and for those that failed.

        Args:
            streams: Who takes part.
            limit: About so long it may take.
        """
        if not streams:
            return tuple(self.failed)
        settings = self.task.settings
        least_ns = sum(2 * stream.warm_frames * stream.frame_ns for stream in streams)
        rounds = max(FEWEST_ROUNDS, min(settings.throughput_rounds, int(limit.left_ns / least_ns)))
        row_ns = min(settings.row_ns, limit.left_ns / 2 / len(streams))
        measured = measured_rows(
            self.task.name,
            Metric.THROUGHPUT,
            [stream.entrant(settings.throughput_images, rounds, row_ns) for stream in streams],
            Turns(
                rounds=rounds,
                runs=1,
                turn_ns=1,
                starts=settings.starts,
                one_in_memory=self._is_crowded(streams),
                limit=limit,
                warm_ns=settings.warm_ns,
            ),
            wanted=settings.throughput_images,
            progress=self.task.progress,
            energy=self.task.energy,
        )
        return (*measured, *self.failed)

    def _is_crowded(self, streams: Sequence[Stream]) -> bool:
        lanes = sum(stream.rotation for stream in streams)
        return self.task.site.is_crowded(self.task.network, lanes)

    def _where(self) -> Where:
        return Where(platform=self.task.site.side_by_side, engines=self.task.site.engines)

    def _singles(self) -> Iterator[tuple[UnitWay, StreamedPlan]]:
        self.task.progress.begin("throughput of units", len(self.task.ways.ways))
        for way in self.task.ways.ways:
            try:
                yield way, self._batches.best_of_unit(way)
            except StoreError:
                raise
            except CounterpointError as error:
                contender = self.task.ways.contender(way.unit)
                self.failed.append(failed_row(self.task.name, Metric.THROUGHPUT, contender, error))
            self.task.progress.step(way.unit.name)

    def _unit(self, way: UnitWay, single: StreamedPlan) -> Stream:
        frames = self._batches.frames_of(self.task.network, single.batch)
        return Stream(
            contender=self.task.ways.contender(way.unit),
            batch=single.batch,
            image_ns=single.image_ns,
            ready=partial(streamed, single.network, single.plan, self._where(), frames),
            note=way.note,
        )

    def _plans(self, singles: Sequence[tuple[UnitWay, StreamedPlan]]) -> Iterator[Stream]:
        for label, precisions in precision_sets(
            self.task.network, self.task.site, self.task.settings.precisions
        ):
            able = sorted(
                (single.image_ns, single.batch, index)
                for index, (way, single) in enumerate(singles)
                if way.network is self.task.network and way.unit.precision in precisions
            )
            fitting = [one for one in able if one[0] <= NEAR * able[0][0]][:TUNED_UNITS]
            kinds = [singles[index][0].unit for _, _, index in fitting]
            batches = sorted({batch for _, batch, _ in fitting[:1]}) or [1]
            try:
                result = tune_throughput(
                    self.task.network,
                    platform=self.task.site.restricted(self.task.site.side_by_side, kinds),
                    engines=self.task.site.engines,
                    store=self.task.site.store,
                    precisions=precisions,
                    frames=self.task.frames[:TUNING_FRAMES],
                    batches=batches,
                    method=self.task.site.sharing,
                    progress=self.task.progress,
                    compare_installed=False,
                    limit=self._limit,
                )
            except StoreError:
                raise
            except CounterpointError as error:
                contender = failed_plan(label, self.task.site.platform.name)
                self.failed.append(failed_row(self.task.name, Metric.THROUGHPUT, contender, error))
                continue
            alone = [singles[index][1] for _, _, index in fitting[:1]]
            yield self._plan(label, _faster(result.plan, alone))

    def _plan(self, label: str, plan: Plan) -> Stream:
        where, batch = self._where(), plan.batch or 1
        network = self._batches.at(self.task.network, batch)
        frames = self._batches.frames_of(self.task.network, batch)
        interval_ns = plan.prediction.interval_ns
        measured = plan.measured_interval
        taken_ns = interval_ns if measured is None else measured.median_ns
        return Stream(
            contender=plan_contender(label, plan, where),
            batch=batch,
            image_ns=(taken_ns or plan.prediction.latency_ns) / batch,
            ready=partial(streamed, network, plan, where, frames),
            warm_frames=plan.frames_in_flight,
            rotation=sum(lane.share for lane in plan.lanes),
            interval_ns=interval_ns,
        )

    def _peer(self, peer: Peer) -> Iterator[Stream]:
        makers = dict(peer.streams())
        platform = self.task.site.platform.name
        try:
            modes = self._batches.best_of_peer(self.task.network, peer) if makers else ()
        except CounterpointError as error:
            contender = peer.contender(peer.engine.name, platform)
            self.failed.append(failed_row(self.task.name, Metric.THROUGHPUT, contender, error))
            return
        for mode in modes:
            network = self._batches.at(self.task.network, mode.batch)
            yield Stream(
                contender=peer.contender(mode.label, platform),
                batch=mode.batch,
                image_ns=mode.image_ns,
                ready=partial(
                    installed_streamed,
                    partial(makers[mode.label], network),
                    network,
                    self._batches.frames_of(self.task.network, mode.batch)[0],
                    PEER_FRAMES,
                ),
                warm_frames=PEER_FRAMES,
            )


def _faster(plan: Plan, alone: Sequence[StreamedPlan]) -> Plan:
    """The plan, or that of a unit alone where it streamed faster: lanes share caches and memory."""
    measured = plan.measured_interval
    if measured is None:
        return plan
    image_ns = measured.median_ns / (plan.batch or 1)
    return next((single.plan for single in alone if single.image_ns < image_ns), plan)
