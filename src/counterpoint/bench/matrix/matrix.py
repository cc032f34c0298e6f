"""The matrix: networks x units x precisions x methods x metrics, stage by stage into a file.

A stage is a network by one metric; it is measured as one, with all contenders in turn, and not
again once it is in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from counterpoint.bench.breakdown.roofline import node_overheads
from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.explained import explained, runs_worth_explaining
from counterpoint.bench.matrix.latency import LatencyBench
from counterpoint.bench.matrix.modelled import modelled_rows
from counterpoint.bench.matrix.published import Explained, batchnorm_kept, thread_counts
from counterpoint.bench.matrix.row_energy import RowEnergy
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.matrix.staged_progress import StagedProgress
from counterpoint.bench.matrix.subject import Site, Subject
from counterpoint.bench.matrix.task import Task
from counterpoint.bench.matrix.throughput import ThroughputBench
from counterpoint.bench.matrix.unit_ways import UnitWays, unit_ways
from counterpoint.bench.result import MachineDescription, Metric, Row
from counterpoint.bench.result_file import Record, ResultFile, Stage, StoredResult
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import Clocks, PlatformFile
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.progress import Progress

EXPLAINED = "explained"
"""The stage behind the metrics: breakdown and roofline."""

IMAGES = 100
"""At most so many photographs are loaded before anything is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelledSubject:
    """A network on a platform that is not here.

    Attributes:
        name: Of the network, as the user wrote it.
        load: Reads, builds or looks it up.
        platform: Where.
        units: Names of the units that may be used.
        clocks: Steps of devices; the highest where it says nothing.
    """

    name: str
    load: Callable[[], Network]
    platform: PlatformFile
    units: tuple[str, ...]
    clocks: Clocks = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        """Its part of the bench."""
        return Stage(self.name, f"on {self.platform.name}")


@dataclass(kw_only=True)
class Matrix:
    """A bench under way.

    Attributes:
        settings: How much.
        machine: Where, written down.
        file: Takes what stages find.
        stored: What is in the file.
        limit: How much time is left.
        progress: Told how far it is.
        tell: Told in a sentence what could not be done.
        energy: Measures it; ``None``: nothing does.
    """

    settings: BenchSettings
    machine: MachineDescription
    file: ResultFile
    stored: StoredResult
    limit: TimeLimit
    progress: Progress
    tell: Callable[[str], None]
    energy: RowEnergy | None = None

    def stages(self, subject: Subject) -> list[Stage]:
        """Of a network on this machine, those that are not in the file."""
        names = [str(metric) for metric in self.settings.metrics]
        if self.settings.explain and Metric.LATENCY in self.settings.metrics:
            names.append(EXPLAINED)
        wanted = [Stage(subject.name, name) for name in names]
        return [stage for stage in wanted if stage not in self.stored.done]

    def run(
        self, subjects: Sequence[Subject], site: Site | None, modelled: Sequence[ModelledSubject]
    ) -> tuple[Stage, ...]:
        """Measures what is not in the file yet.

        Args:
            subjects: Networks on this machine.
            site: This machine; ``None`` where there is no subject.
            modelled: Networks on others.

        Returns:
            The stages that there was no time for.

        Raises:
            MachineError: The file cannot be written; it holds what was measured until then.
            CounterpointError: A network or its images cannot be loaded.
        """
        pending = [item for item in modelled if item.stage not in self.stored.done]
        open_stages = sum(len(self.stages(subject)) for subject in subjects)
        staged = StagedProgress(
            inner=self.progress, limit=self.limit, stages=open_stages + len(pending)
        )
        for item in pending:
            staged.next(f"{item.name} on {item.platform.name}")
            staged.begin("in virtual time", 1)
            rows = modelled_rows(
                item.name,
                item.load(),
                item.platform,
                self.settings,
                units=item.units,
                clocks=item.clocks,
            )
            self._keep(list(rows), item.stage)
            staged.finish()
        left: list[Stage] = []
        if site is None:
            return ()
        overheads_ns: Mapping[str, int] = {}
        if any(stage.name == EXPLAINED for s in subjects for stage in self.stages(s)):
            overheads_ns = node_overheads(site.units_here(self.settings.precisions), site.engines)
        for number, subject in enumerate(subjects):
            stages = self.stages(subject)
            if not stages:
                continue
            if self.limit.is_over:
                left += stages
                continue
            task = _NetworkTask(
                matrix=self,
                subject=subject,
                site=site,
                progress=staged,
                limit=self.limit.part(1 / (len(subjects) - number)),
                overheads_ns=overheads_ns,
            )
            for stage in stages:
                staged.next(f"{subject.name} {stage.name}")
                self._keep(task.records(stage), stage)
                staged.finish()
        return tuple(left)

    def _keep(self, records: Sequence[Record], stage: Stage) -> None:
        self.file.append(records, stage)
        self.stored.records += records
        self.stored.done.append(stage)
        self.stored.finished = len(self.stored.records)


@dataclass(kw_only=True)
class _NetworkTask:
    """One network under way; what its stages share."""

    matrix: Matrix
    subject: Subject
    site: Site
    progress: StagedProgress
    limit: TimeLimit
    overheads_ns: Mapping[str, int]
    plans: dict[str, Plan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.progress.next(self.subject.name)
        self.progress.begin("loading", 1)
        self.network = self.subject.load()
        self.frames: list[Frame] = self.subject.images(
            self.network, self.matrix.settings.latency_images
        )
        precisions = self.matrix.settings.precisions
        self.ways: UnitWays = unit_ways(
            self.network, self.site, precisions, self.frames, self.progress
        )

    def records(self, stage: Stage) -> list[Record]:
        """What a stage finds."""
        if stage.name == Metric.LATENCY:
            return list(self._latency())
        if stage.name == Metric.THROUGHPUT:
            return list(self._throughput())
        return list(self._explained())

    def _latency(self) -> Iterator[Record]:
        matrix = self.matrix
        bench = LatencyBench(self._task())
        tuned, failed = bench.tuned()
        self.plans = {label: result.plan for label, result in tuned.items()}
        share = 0.4 if Metric.THROUGHPUT in matrix.settings.metrics else 0.8
        yield from bench.rows(tuned, self.limit.part(share))
        yield from failed

    def _throughput(self) -> Iterator[Record]:
        bench = ThroughputBench(self._task())
        yield from bench.rows(bench.streams(), self.limit.part(0.8))

    def _explained(self) -> Iterator[Record]:
        matrix = self.matrix
        rows = [
            record
            for record in matrix.stored.records
            if isinstance(record, Row) and record.network == self.subject.name
        ]
        self.progress.begin("breakdown", 1)
        yield from explained(
            self.subject.name,
            self.frames[0],
            self._runs(rows),
            site=self.site,
            machine=matrix.machine,
            overheads_ns=self.overheads_ns,
            tell=matrix.tell,
        )

    def _task(self) -> Task:
        matrix = self.matrix
        return Task(
            name=self.subject.name,
            network=self.network,
            frames=self.frames,
            ways=self.ways,
            site=self.site,
            settings=matrix.settings,
            progress=self.progress,
            limit=self.limit,
            energy=matrix.energy,
        )

    def _runs(self, rows: Sequence[Row]) -> Iterator[Explained]:
        """What is broken down; no more once the time is over."""
        yield from runs_worth_explaining(
            self.network, ways=self.ways, rows=rows, plans=self.plans, site=self.site
        )
        if not self.network.is_quantised:
            for run in thread_counts(self.network, self.site):
                if not self.limit.is_over:
                    yield run
        if self.subject.load_with_batchnorm is not None and not self.limit.is_over:
            yield from batchnorm_kept(self.subject.load_with_batchnorm(), self.site)
