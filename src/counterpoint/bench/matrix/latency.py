"""The latency of a network by every contender: one image at a time.

Method: Xu et al., NPC 2019, section 3.2: 100 images, loaded and pre-processed before, a warm-up,
then one image at a time, and their average. Percentiles are of the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Entrant, Frame, Where, one_by_one
from counterpoint.bench.matrix.failed_rows import failed_row
from counterpoint.bench.matrix.peers import peers_one_by_one
from counterpoint.bench.matrix.plans import failed_plan, plan_contender
from counterpoint.bench.matrix.precision_sets import precision_sets
from counterpoint.bench.matrix.row_energy import RowEnergy
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.matrix.subject import Site, TimeLimit
from counterpoint.bench.matrix.turns import Turns, measured_rows
from counterpoint.bench.matrix.unit_ways import UnitWay, UnitWays
from counterpoint.bench.result import Control, Method, Metric, Row
from counterpoint.costs.table import CostTable
from counterpoint.errors import CounterpointError, StoreError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.tune import TuneResult, tune

STARTS = 1.6
"""Starts and warm-ups take about as long as the counted runs."""

TUNING_FRAMES = 2
"""So many are compared with the reference, which runs them slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBench:
    """One network under way.

    Attributes:
        name: Of the network, as given.
        network: With one image in a frame.
        frames: Images, ready.
        ways: What units can do with it.
        site: Where.
        settings: How much.
        progress: Told how far it is.
        limit: Nothing is tuned when it is near.
        energy: Measures it; ``None``: nothing does.
    """

    name: str
    network: Network
    frames: Sequence[Frame]
    ways: UnitWays
    site: Site
    settings: BenchSettings
    progress: Progress
    limit: TimeLimit
    energy: RowEnergy | None = None

    def tuned(self) -> tuple[dict[str, TuneResult], list[Row]]:
        """A plan for each set of precisions, by label; and rows for those that failed.

        Raises:
            StoreError: The store cannot be used.
        """
        found: dict[str, TuneResult] = {}
        failed: list[Row] = []
        if Method.PLAN not in self.settings.methods:
            return found, failed
        for label, precisions in precision_sets(self.network, self.site, self.settings.precisions):
            try:
                self.limit.check_time_to_tune()
                found[label] = tune(
                    self.network,
                    platform=self.site.platform,
                    engines=self.site.engines,
                    store=self.site.store,
                    precisions=precisions,
                    frames=self.frames[:TUNING_FRAMES],
                    progress=self.progress,
                    compare_installed=False,
                )
            except StoreError:
                raise
            except CounterpointError as error:
                contender = failed_plan(label, self.site.platform.name)
                failed.append(failed_row(self.name, Metric.LATENCY, contender, error))
        return found, failed

    def rows(self, tuned: dict[str, TuneResult], time_ns: int) -> tuple[Row | Control, ...]:
        """A row for each contender, and the control.

        Args:
            tuned: Plans by label.
            time_ns: About so long it may take.
        """
        settings = self.settings
        entrants: list[Entrant] = []
        refused: list[Row] = []
        if Method.UNIT in settings.methods:
            tables = [result.table for result in tuned.values()]
            entrants += [self._unit(way, tables) for way in self.ways.ways]
            refused = self.ways.refused_rows(self.name, Metric.LATENCY)
        entrants += [self._plan(label, result) for label, result in tuned.items()]
        if Method.PEER in settings.methods:
            entrants += peers_one_by_one(self.site, self.network, self.frames, settings)
        if not entrants:
            return tuple(refused)
        measured = measured_rows(
            self.name,
            Metric.LATENCY,
            entrants,
            self._turns(len(entrants) + 1, time_ns),
            wanted=settings.latency_images,
            progress=self.progress,
            twin=entrants[0],
            energy=self.energy,
        )
        return (*measured, *refused)

    def _turns(self, entrants: int, time_ns: int) -> Turns:
        settings = self.settings
        row_ns = min(settings.row_ns, int(time_ns / STARTS / entrants))
        crowded = self.site.is_crowded(self.network, entrants)
        # Where only one fits, each turn pays for a start: fewer and longer turns.
        rounds = max(3, settings.latency_rounds // 2) if crowded else settings.latency_rounds
        return Turns(
            rounds=rounds,
            runs=-(-settings.latency_images // rounds),
            turn_ns=max(1, row_ns // rounds),
            starts=settings.starts,
            one_in_memory=crowded,
        )

    def _where(self) -> Where:
        return Where(platform=self.site.platform, engines=self.site.engines)

    def _unit(self, way: UnitWay, tables: Sequence[CostTable]) -> Entrant:
        return Entrant(
            contender=self.ways.contender(way.unit),
            ready=one_by_one(way.network, way.plan, self._where(), self.frames),
            predicted_ns=self._predicted(way, tables),
            note=way.note,
        )

    def _predicted(self, way: UnitWay, tables: Sequence[CostTable]) -> int | None:
        """By the first table that knows the unit and is of this network."""
        for table in tables:
            known = way.unit.name in table.unit_names
            if known and table.network_hash == way.network.content_hash:
                lane = way.plan.lanes[0].segments
                segments = [(segment.layers, segment.unit) for segment in lane]
                return evaluate(way.network, table, segments).makespan_ns
        return None

    def _plan(self, label: str, result: TuneResult) -> Entrant:
        where = self._where()
        return Entrant(
            contender=plan_contender(label, result.plan, where),
            ready=one_by_one(self.network, result.plan, where, self.frames),
            predicted_ns=result.plan.prediction.latency_ns,
        )
