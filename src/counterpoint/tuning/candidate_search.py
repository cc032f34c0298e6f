"""Candidates for the plan: every unit alone, and what the planner proposes of corrected costs.

The cost table sees each layer in the context of one large segment. A plan cuts other segments, in
which engines fuse otherwise, so the segments of each candidate are measured as they will run and
the table is corrected by what they took, until the planner proposes nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from counterpoint.costs.table import CostTable
from counterpoint.engines.protocol import Engine, PreparesSegments
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import Status
from counterpoint.schedule.plan import Segment
from counterpoint.tuning.candidates import Candidate, CandidateMeter
from counterpoint.tuning.correction import corrected, without_refused
from counterpoint.tuning.progress import Progress

MAX_ROUNDS = 6
"""Plan, measure, correct at most so often; seldom more than three are needed."""

MAX_SLOW_ROUNDS = 2
"""The same where segments of some units take seconds to make ready. Before that, the other units
have had all their rounds among themselves."""


@dataclass(slots=True)
class CandidateSearch:
    """Measures candidates.

    Attributes:
        network: What is run.
        engines: By name.
        meter: Measures segments.
        progress: Told of each round.
        rejected: What was refused and why, in sentences.
        limit: When it is over no plan is looked for, if there is one.
        found: Every candidate that was measured, by its segments.
    """

    network: Network
    engines: Mapping[str, Engine]
    meter: CandidateMeter
    progress: Progress
    rejected: list[str]
    limit: TimeLimit = field(default_factory=TimeLimit)
    found: dict[tuple[Segment, ...], Candidate] = field(default_factory=dict)

    def measure_singles(self, table: CostTable, fixed: Fixed | None) -> None:
        """Times each unit that can run everything (and may, by ``fixed``)."""
        chosen = [(u,) if isinstance(u, str) else u for u in (fixed or {}).values()]
        everything = tuple(layer.index for layer in self.network.layers)
        for column, costs in enumerate(table.units):
            refused = [table.refusals.get((layer, column)) for layer in everything]
            if any(reason is not None for reason in refused):
                first = next(i for i, reason in enumerate(refused) if reason is not None)
                name = self.network.layers[first].name
                self.rejected.append(f"{costs.unit.name} refuses {name}: {refused[first]}")
            elif all(costs.unit.name in several for several in chosen):
                self._measure((Segment(everything, costs.unit.name),))

    def refine(self, table: CostTable, fixed: Fixed | None) -> CostTable:
        """Plans, measures the plan's segments and corrects the table until nothing new comes up:
        first among the units whose segments are quick to make ready, where they suffice.
        """
        slow = {
            costs.unit.name
            for costs in table.units
            if isinstance(self.engines[costs.unit.engine], PreparesSegments)
        }
        quick = self._without(slow, table, fixed) if slow else None
        self.progress.begin("planning", MAX_ROUNDS + (MAX_SLOW_ROUNDS if quick else 0))
        if quick is not None:
            table = self._refined(table, quick, MAX_ROUNDS, needed=False)
        return self._refined(table, fixed, MAX_ROUNDS if quick is None else MAX_SLOW_ROUNDS)

    def _without(self, slow: Set[str], table: CostTable, fixed: Fixed | None) -> Fixed | None:
        """The other units that each layer may be given; ``None``: a layer has none."""
        found: dict[int, tuple[str, ...]] = {}
        for layer, row in enumerate(table.layer_ns):
            asked = (fixed or {}).get(layer, table.unit_names)
            names = (asked,) if isinstance(asked, str) else asked
            able = (n for n, cell in zip(table.unit_names, row, strict=True) if cell is not None)
            found[layer] = tuple(name for name in able if name in names and name not in slow)
        return found if all(found.values()) else None

    def _refined(
        self, table: CostTable, fixed: Fixed | None, rounds: int, *, needed: bool = True
    ) -> CostTable:
        for _ in range(rounds):
            if self.limit.is_over and self.found:
                break
            planned = plan_latency(self.network, table, fixed=fixed)
            if planned.status is Status.INFEASIBLE and not needed:
                break
            if planned.status is Status.INFEASIBLE:
                raise UserInputError(f"no plan for {self.network.name}: {planned.reason}")
            segments = tuple(
                Segment(tuple(layers), unit) for layers, unit in planned.segments or ()
            )
            known = segments in self.found
            refused = None if known else self._refused(segments)
            if refused is not None:
                table = without_refused(table, refused)
                continue
            table = self.corrected(table, self.found[segments])
            self.progress.step("1 segment" if len(segments) == 1 else f"{len(segments)} segments")
            if known:
                break
        return table

    def corrected(self, table: CostTable, candidate: Candidate) -> CostTable:
        """The table under which the candidate's segments cost what they were measured to."""
        return corrected(self.network, table, candidate.segments, candidate.segment_ns)

    def _refused(self, segments: tuple[Segment, ...]) -> Segment | None:
        """Measures a plan; the segment that an engine refused, or ``None``."""
        try:
            self._measure(segments)
        except EngineError as error:
            self.rejected.append(str(error))
            names = {layer.name: layer.index for layer in self.network.layers}
            blamed = names.get(error.layer or "", -1)
            guilty = (s for s in segments if s.unit == error.unit and blamed in s.layers)
            return next(guilty, min(segments, key=lambda segment: len(segment.layers)))
        return None

    def _measure(self, segments: tuple[Segment, ...]) -> None:
        self.found[segments] = self.meter.measure(segments)
