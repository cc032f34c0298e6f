"""The latency of a network by every contender: one image at a time.

Method: Xu et al., NPC 2019, section 3.2: 100 images, loaded and pre-processed before, a warm-up,
then one image at a time, and their average. Percentiles are of the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Entrant, Where, one_by_one
from counterpoint.bench.matrix.failed_rows import failed_row
from counterpoint.bench.matrix.peers import peers_one_by_one
from counterpoint.bench.matrix.plans import failed_plan, plan_contender
from counterpoint.bench.matrix.precision_sets import precision_sets
from counterpoint.bench.matrix.task import Task
from counterpoint.bench.matrix.turns import Turns, measured_rows
from counterpoint.bench.matrix.unit_ways import UnitWay
from counterpoint.bench.result import Control, Method, Metric, Row
from counterpoint.costs.table import CostTable
from counterpoint.errors import CounterpointError, StoreError
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.planning.evaluator import evaluate
from counterpoint.tuning.tune import TuneResult, tune

STARTS = 1.6
"""Starts and warm-ups take about as long as the counted runs."""

TUNING = 0.4
"""At most this part of a network's time goes into looking for plans."""

TUNING_FRAMES = 2
"""So many are compared with the reference, which runs them slowly."""


@dataclass(frozen=True, slots=True)
class LatencyBench:
    """One network under way.

    Attributes:
        task: What is measured, where and how.
    """

    task: Task

    def tuned(self) -> tuple[dict[str, TuneResult], list[Row]]:
        """A plan for each set of precisions, by label; and rows for those that failed.

        Raises:
            StoreError: The store cannot be used.
        """
        found: dict[str, TuneResult] = {}
        failed: list[Row] = []
        if Method.PLAN not in self.task.settings.methods:
            return found, failed
        limit = self.task.limit.part(TUNING)
        sets = list(
            precision_sets(self.task.network, self.task.site, self.task.settings.precisions)
        )
        for number, (label, precisions) in enumerate(sets):
            try:
                found[label] = tune(
                    self.task.network,
                    platform=self.task.site.platform,
                    engines=self.task.site.engines,
                    store=self.task.site.store,
                    precisions=precisions,
                    frames=self.task.frames[:TUNING_FRAMES],
                    progress=self.task.progress,
                    compare_installed=False,
                    limit=limit.part(1 / (len(sets) - number)),
                )
            except StoreError:
                raise
            except CounterpointError as error:
                contender = failed_plan(label, self.task.site.platform.name)
                failed.append(failed_row(self.task.name, Metric.LATENCY, contender, error))
        return found, failed

    def rows(self, tuned: dict[str, TuneResult], limit: TimeLimit) -> tuple[Row | Control, ...]:
        """A row for each contender, and the control.

        Args:
            tuned: Plans by label.
            limit: About so long it may take.
        """
        settings = self.task.settings
        entrants: list[Entrant] = []
        refused: list[Row] = []
        if Method.UNIT in settings.methods:
            tables = [result.table for result in tuned.values()]
            entrants += [self._unit(way, tables) for way in self.task.ways.ways]
            refused = self.task.ways.refused_rows(self.task.name, Metric.LATENCY)
        entrants += [self._plan(label, result) for label, result in tuned.items()]
        if Method.PEER in settings.methods:
            entrants += peers_one_by_one(
                self.task.site, self.task.network, self.task.frames, settings
            )
        if not entrants:
            return tuple(refused)
        measured = measured_rows(
            self.task.name,
            Metric.LATENCY,
            entrants,
            self._turns(len(entrants) + 1, limit),
            wanted=settings.latency_images,
            progress=self.task.progress,
            twin=entrants[0],
            energy=self.task.energy,
        )
        return (*measured, *refused)

    def _turns(self, entrants: int, limit: TimeLimit) -> Turns:
        settings = self.task.settings
        row_ns = min(settings.row_ns, int(limit.left_ns / STARTS / entrants))
        crowded = self.task.site.is_crowded(self.task.network, entrants)
        # Where only one fits, each turn pays for a start: fewer and longer turns.
        rounds = max(3, settings.latency_rounds // 2) if crowded else settings.latency_rounds
        return Turns(
            rounds=rounds,
            runs=-(-settings.latency_images // rounds),
            turn_ns=max(1, row_ns // rounds),
            starts=settings.starts,
            one_in_memory=crowded,
            limit=limit,
            warm_ns=settings.warm_ns,
        )

    def _where(self) -> Where:
        return Where(platform=self.task.site.platform, engines=self.task.site.engines)

    def _unit(self, way: UnitWay, tables: Sequence[CostTable]) -> Entrant:
        return Entrant(
            contender=self.task.ways.contender(way.unit),
            ready=one_by_one(way.network, way.plan, self._where(), self.task.frames),
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
            ready=one_by_one(self.task.network, result.plan, where, self.task.frames),
            predicted_ns=result.plan.prediction.latency_ns,
            note="its search ended with the time for it" if result.ended_early else None,
        )
