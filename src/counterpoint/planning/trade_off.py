"""Latency against energy of lanes that run one segment at a time.

Each lane is a point (latency, energy). A weighted sum of the two is a labelling problem, whose
best lane lies on the lower-left convex hull of all points; and no point lies below the line of
that weight through it. Asking between two neighbours for what lies furthest below their chord finds
the next one, until nobody does (Cohon, *Multiobjective Programming and Planning*, 1978, ch. 6.3;
Aneja and Nair, *Bicriteria transportation problem*, Management Science 25, 1979).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd
from typing import Final

from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import merged, why_blocked
from counterpoint.planning.problem import LabellingProblem, Weights, weighted_problem
from counterpoint.planning.restriction import restricted
from counterpoint.planning.result import Segment, Setting

EXACT = 2**53
"""Sums of whole numbers below it are exact in float64."""

Columns = Sequence[Sequence[int]]
"""For each layer the columns that it may be given."""


@dataclass(frozen=True, slots=True)
class Point:
    """A lane and its two costs.

    Attributes:
        labels: Column of each layer.
        segments: The lane.
        latency_ns: Of one frame alone.
        energy_pj: Of one frame alone: of the work, and of the idle machine for so long.
    """

    labels: tuple[int, ...]
    segments: tuple[Segment, ...]
    latency_ns: int
    energy_pj: int

    @property
    def energy_delay(self) -> int:
        """Energy times latency, in picojoules times nanoseconds."""
        return self.energy_pj * self.latency_ns

    def priced(self, time: int, energy: int) -> int:
        """Its costs at a price of time and a price of energy."""
        return time * self.latency_ns + energy * self.energy_pj


@dataclass(frozen=True, slots=True)
class Line:
    """No lane has ``time * latency_ns + energy * energy_pj`` below ``least``; all at least 0."""

    time: int
    energy: int
    least: int

    def energy_at(self, latency_ns: int) -> int:
        """No lane of that latency takes less energy, in picojoules."""
        if not self.energy:
            return 0
        return max(0, -((self.time * latency_ns - self.least) // self.energy))


@dataclass(frozen=True, slots=True)
class Support:
    """A point of the hull (as far as is known) and a line that nobody lies below."""

    point: Point
    line: Line


class TradeOff:
    """Asks for the lane that is best at a price of time and a price of energy.

    Args:
        network: What is run.
        table: What it costs.

    Attributes:
        table: The costs; a unit refuses every layer whose energy on it is not known.

    Raises:
        UserInputError: Nobody measured any energy, or the costs are of another network.
    """

    def __init__(self, network: Network, table: CostTable) -> None:
        self._network = network
        self.table: Final = measured_energy(network, table)
        self._idle_power_mw = table.idle_power_mw or 0

    def best(self, allowed: Columns, time: int, energy: int) -> Support | None:
        """The lane of least ``time * latency_ns + energy * energy_pj``; ``None``: there is none.

        Args:
            allowed: What each layer may be given.
            time: Price of a nanosecond, at least 0.
            energy: Price of a picojoule, at least 0.
        """
        common = gcd(time, energy) or 1
        time, energy = time // common, energy // common
        problem = self._problem(allowed, time, energy)
        found = label(problem)
        if found.labels is None or found.cost is None or found.lower_bound is None:
            return None
        point = self._point(found.labels)
        cost = point.priced(time, energy)
        error = 0 if cost < EXACT else ceil(_rounding(problem) * cost)
        if abs(Fraction(found.cost) - cost) > error:
            raise InternalError(f"labelling of {self._network.name}: {found.cost}, but {cost}")
        least = ceil(Fraction(found.lower_bound)) - error
        return Support(point, Line(time, energy, max(0, min(least, cost))))

    def why_none(self, allowed: Columns) -> str:
        """The reason for a ``None``, in one line."""
        found = label(self._problem(allowed, 1, 0))
        return why_blocked(self._network, self.table, found, allowed)

    def hull(
        self, allowed: Columns, needless: Callable[[Support, Support], bool] | None = None
    ) -> Iterator[Support]:
        """The quickest lane, the most frugal one, and those between them; coarse ones first.

        Every point of the hull is given, and in the end a line through each pair of neighbours.
        Some are given twice. Nothing where no lane is possible.

        Args:
            allowed: What each layer may be given.
            needless: Whether to look for nothing between two that were found, of which the first
                is the quicker one.
        """
        quick, frugal = self.best(allowed, 1, 0), self.best(allowed, 0, 1)
        if quick is None or frugal is None:
            return
        yield from (quick, frugal)
        pairs = deque([(quick, frugal)])
        while pairs:
            left, right = pairs.popleft()
            time = left.point.energy_pj - right.point.energy_pj
            energy = right.point.latency_ns - left.point.latency_ns
            if time <= 0 or energy <= 0 or (needless is not None and needless(left, right)):
                continue
            found = self.best(allowed, time, energy)
            if found is None:
                raise InternalError(f"labelling of {self._network.name}: lost its only lane")
            yield found
            if found.point.priced(time, energy) < left.point.priced(time, energy):
                pairs += ((left, found), (found, right))

    def _problem(self, allowed: Columns, time: int, energy: int) -> LabellingProblem:
        weights = Weights(time=float(time + energy * self._idle_power_mw), energy=float(energy))
        return restricted(weighted_problem(self._network, self.table, weights), allowed)

    def _point(self, labels: tuple[int, ...]) -> Point:
        segments = merged(self.table, labels)
        found = evaluate(self._network, self.table, segments)
        if found.latency_ns is None or found.energy_pj is None:
            broken = "; ".join(found.violations)
            raise InternalError(f"labelling of {self._network.name}: {broken}")
        energy_pj = found.energy_pj + self._idle_power_mw * found.latency_ns
        return Point(labels, segments, found.latency_ns, energy_pj)


def measured_energy(network: Network, table: CostTable) -> CostTable:
    """The table in which a unit refuses every layer whose energy on it is not known.

    Raises:
        UserInputError: Nobody measured any energy.
    """
    energies = table.layer_energy_pj
    if energies is None:
        raise UserInputError(
            f"energy of {network.name} was not measured in these costs: plan with the table of a "
            "platform that has a power for its layers (recorded with a power meter, or modelled)"
        )
    return table.refusing_unknown(energies, "its energy is not known")


def energy_settings(table: CostTable) -> dict[str, Setting]:
    """What an energy consists of; an idle power that is not known (``None``) counts as 0."""
    return {"idle_power_mw": table.idle_power_mw}


def _rounding(problem: LabellingProblem) -> Fraction:
    """Relative error of a labelling's cost whose numbers exceed :data:`EXACT`.

    A sum of n numbers of at least 0 is wrong by at most n times 2**-53 of itself (Higham,
    *Accuracy and Stability of Numerical Algorithms*, 2002, eq. 4.4). Doubled, as partial sums
    are compared as well.
    """
    terms = problem.layer_count * 2 + sum(len(use.consumers) + 1 for use in problem.tensors)
    return Fraction(2 * (terms + 8), EXACT)
