"""The quickest part of a lane through one block, between given units."""

from __future__ import annotations

from dataclasses import dataclass, replace

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError
from counterpoint.planning.blocks import Block
from counterpoint.planning.branch_model import Leaders, every_leader, single_layers
from counterpoint.planning.branch_solver import Answer, Effort, solve_branches
from counterpoint.planning.critical_path import critical_path_ns
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import label
from counterpoint.planning.lane_moves import Lane, improved, with_fewer_calls
from counterpoint.planning.latency import merged
from counterpoint.planning.problem import latency_problem
from counterpoint.planning.restriction import restricted

MAX_LAYERS = 14
"""Of a block in which all segments that there are can be told apart."""

MAX_SEGMENT = 8
"""Layers from the first to the last of a segment, in run order, in larger blocks."""

LAST_LANES = 8
"""Of those that the solver finds one after the other in a small block: so many are looked at."""


@dataclass(slots=True)
class Passage:
    """A block whose cuts are on given units, and what is known of it so far.

    The bound and the makespan leave out the entry into the segment of an opening cut, which the
    block before pays.

    Attributes:
        block: Through what.
        allowed: Columns of each layer of the block; one for each cut.
        lower_ns: No way through is quicker.
        upper_ns: Makespan of :attr:`lane`; ``None`` before there is one.
        lane: The quickest way found, layers counted in the block.
        visited: A first lane was looked for; if there is none still, there is no way.
        settled: More search changes nothing.
        searches: How often it was searched.
    """

    block: Block
    allowed: list[list[int]]
    lower_ns: int = 0
    upper_ns: int | None = None
    lane: Lane = ()
    visited: bool = False
    settled: bool = False
    searches: int = 0

    @property
    def _entry_ns(self) -> int:
        if not self.block.opened:
            return 0
        return max(self.block.table.units[unit].entry_ns for unit in self.allowed[0])

    def visit(self) -> None:
        """Finds a first lane, one segment after another: the best one if it is a chain."""
        network, table = self.block.network, self.block.table
        self.visited = True
        longest_ns = critical_path_ns(network, table, self.allowed)
        self.lower_ns = max(self.lower_ns, longest_ns - self._entry_ns)
        labelling = label(restricted(latency_problem(network, table), self.allowed))
        if labelling.labels is None or labelling.lower_bound is None:
            self.settled = True
            return
        self.offer(merged(table, labelling.labels))
        if self.block.is_chain:
            self.settled = True
            self.lower_ns = max(0, int(labelling.lower_bound) - self._entry_ns)

    def search(self, effort: Effort) -> float:
        """Looks for quicker lanes and better bounds; returns the deterministic seconds spent."""
        self.searches += 1
        network, table = self.block.network, self.block.table
        free = all(table.units[unit].entry_ns == 0 for units in self.allowed for unit in units)
        if free or len(network.layers) <= MAX_LAYERS:
            leaders = single_layers(network) if free else every_leader(network, self.allowed)
            answer = self._solve(table, leaders, effort)
            self.lower_ns = max(self.lower_ns, answer.lower_bound_ns - self._entry_ns)
            self.settled = answer.finished
            self._improve()
            return answer.spent_s
        # Without entries there is no reason for segments of several layers: few variables, and
        # what holds for all those lanes holds for lanes that have to pay entries.
        half = replace(effort, deterministic_s=effort.deterministic_s / 2, wall_s=effort.wall_s / 2)
        units = tuple(replace(costs, entry_ns=0) for costs in table.units)
        relaxed = self._solve(replace(table, units=units), single_layers(network), half)
        self.lower_ns = max(self.lower_ns, relaxed.lower_bound_ns)
        answer = self._solve(table, self._near_leaders(), half)
        self.settled = relaxed.finished and answer.finished
        return relaxed.spent_s + answer.spent_s

    def _solve(self, table: CostTable, leaders: Leaders, effort: Effort) -> Answer:
        """What the model finds under those costs; its lanes are told at their true costs."""
        if self.upper_ns is None:
            raise InternalError("branches: a block is searched before it was visited")
        answer = solve_branches(
            self.block.network,
            table,
            self.allowed,
            leaders,
            start=self.lane,
            limit_ns=self.upper_ns + self._entry_ns,
            effort=effort,
        )
        small = len(self.allowed) <= MAX_LAYERS
        for lane in answer.lanes[-LAST_LANES if small else -1 :]:
            self.offer(lane)
        return answer

    def _improve(self) -> None:
        """The dispatcher may not do as the solver thought: small changes often help."""
        if self.upper_ns is None or self.upper_ns <= self.lower_ns or len(self.lane) > MAX_LAYERS:
            return
        network, table = self.block.network, self.block.table
        enough_ns = self.lower_ns + self._entry_ns
        self.offer(improved(network, table, self.lane, self.allowed, enough_ns))

    def _near_leaders(self) -> Leaders:
        """Segments of neighbours, and those of the best lane so far."""
        leaders = every_leader(self.block.network, self.allowed)
        now = {layer: min(layers) for layers, _ in self.lane for layer in layers}
        return [
            [leader for leader in some if layer - leader < MAX_SEGMENT or leader == now[layer]]
            for layer, some in enumerate(leaders)
        ]

    def offer(self, lane: Lane) -> None:
        """Keeps a lane if it fits and is the quickest, after small changes."""
        network, table = self.block.network, self.block.table
        for layers, unit in lane:
            column = table.unit_names.index(unit)
            if any(column not in self.allowed[layer] for layer in layers):
                return
        lane = with_fewer_calls(network, table, lane)
        makespan_ns = evaluate(network, table, lane).makespan_ns
        if makespan_ns is None:
            return
        own_ns = makespan_ns - self._entry_ns
        if self.upper_ns is None or (own_ns, len(lane)) < (self.upper_ns, len(self.lane)):
            self.upper_ns, self.lane = own_ns, lane
