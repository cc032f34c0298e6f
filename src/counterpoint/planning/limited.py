"""The lane of least cost among those that keep to a limit of another cost.

The limit gets a price: for any price the best weighted sum bounds the cost of every lane that keeps
to the limit (Lagrange), and the best such bound is the height of the hull of both costs above the
limit. What remains between it and the best lane found is closed by branching on a layer about whose
unit the limit's two neighbours on the hull disagree (Handler and Zang, *A dual algorithm for the
constrained shortest path problem*, Networks 10, 1980; theirs ranks paths where we branch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from counterpoint.errors import InternalError
from counterpoint.planning.result import Segment

MAX_BRANCHES = 100
"""Each takes some labellings: seconds for a network of a hundred layers."""

Columns = Sequence[Sequence[int]]
"""For each layer the columns that it may be given."""


@dataclass(frozen=True, slots=True)
class TwoCosts:
    """A lane, what it costs, and how much it takes of what is limited.

    Attributes:
        labels: Column of each layer.
        segments: The lane.
        cost: To be made least.
        limited: To be kept within the limit.
    """

    labels: tuple[int, ...]
    segments: tuple[Segment, ...]
    cost: int
    limited: int

    def priced(self, cost: int, limited: int) -> int:
        """The sum at a price of each."""
        return cost * self.cost + limited * self.limited


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The lane that is cheapest at some prices.

    Attributes:
        point: The lane.
        least: No lane has a smaller sum at these prices.
    """

    point: TwoCosts
    least: int


class Priced(Protocol):
    """Finds the cheapest lane; both costs are whole numbers, at least 0."""

    def cheapest(self, allowed: Columns, cost: int, limited: int) -> Cheapest | None:
        """At a price of the cost and one of what is limited; ``None``: no lane is possible."""
        ...

    def layer_cost(self, layer: int, column: int) -> int:
        """The layer's part of the cost there: tells on which layer to branch."""
        ...


@dataclass(frozen=True, slots=True)
class Within:
    """The answer.

    Attributes:
        best: The best lane found that keeps to the limit; ``None``: none does.
        bound: No lane that keeps to the limit costs less.
    """

    best: TwoCosts | None
    bound: int


@dataclass(frozen=True, slots=True, order=True)
class _Branch:
    """A part of all lanes.

    Attributes:
        bound: No lane of it that keeps to the limit costs less.
        serial: Tells branches of one bound apart.
        allowed: What each layer may be given.
        inside: The cheapest of the hull's lanes that keep to the limit.
        outside: Of those that break it the nearest, or the cheapest lane of all.
    """

    bound: int
    serial: int
    allowed: Columns = field(compare=False)
    inside: TwoCosts = field(compare=False)
    outside: TwoCosts = field(compare=False)


def cheapest_within(
    lanes: Priced, allowed: Columns, limit: int, *, max_branches: int = MAX_BRANCHES
) -> Within:
    """The cheapest lane that keeps to the limit.

    Args:
        lanes: Finds the cheapest without a limit.
        allowed: What each layer may be given.
        limit: Of what is limited.
        max_branches: So many parts of all lanes are looked at; then the bound is below the cost.
    """
    best: TwoCosts | None = None
    waiting: list[_Branch] = []
    parts: list[Columns] = [allowed]
    looked_at = 0
    while True:
        for part in parts:
            looked_at += 1
            branch = _branch(lanes, part, limit, looked_at)
            if branch is None:
                continue
            heappush(waiting, branch)
            for point in (branch.inside, branch.outside):
                if point.limited <= limit and (best is None or point.cost < best.cost):
                    best = point
        if best is not None and (not waiting or waiting[0].bound >= best.cost):
            return Within(best, best.cost)
        if not waiting:
            return Within(None, 0)
        branch = heappop(waiting)
        parts = _parted(branch, lanes)
        if not parts or looked_at >= max_branches:
            return Within(best, branch.bound)


def _branch(lanes: Priced, allowed: Columns, limit: int, serial: int) -> _Branch | None:
    """The best bound that a price of the limit gives; ``None`` where no lane keeps to it."""
    cheap = lanes.cheapest(allowed, 1, 0)
    if cheap is None:
        return None
    bound = cheap.least
    if cheap.point.limited <= limit:
        return _Branch(bound, serial, allowed, cheap.point, cheap.point)
    modest = lanes.cheapest(allowed, 0, 1)
    if modest is None or modest.least > limit:
        return None
    inside, outside = modest.point, cheap.point
    while inside.limited <= limit and inside.cost > outside.cost:
        cost, limited = outside.limited - inside.limited, inside.cost - outside.cost
        found = lanes.cheapest(allowed, cost, limited)
        if found is None:
            raise InternalError("a labelling lost its only lane")
        if cost:
            bound = max(bound, -((limited * limit - found.least) // cost))
        if found.point.priced(cost, limited) >= inside.priced(cost, limited):
            break
        if found.point.limited <= limit:
            inside = found.point
        else:
            outside = found.point
    return _Branch(bound, serial, allowed, inside, outside)


def _parted(branch: _Branch, lanes: Priced) -> list[Columns]:
    """Two parts of it, each without one of its two lanes; nothing where the two are one."""
    one, other = branch.inside.labels, branch.outside.labels

    def difference(layer: int) -> int:
        return abs(lanes.layer_cost(layer, one[layer]) - lanes.layer_cost(layer, other[layer]))

    disputed = [layer for layer in range(len(one)) if one[layer] != other[layer]]
    if not disputed:
        return []
    layer = max(disputed, key=difference)
    rest = [column for column in branch.allowed[layer] if column != one[layer]]
    return [
        [*branch.allowed[:layer], columns, *branch.allowed[layer + 1 :]]
        for columns in ([one[layer]], rest)
    ]
