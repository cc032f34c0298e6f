"""From what instruments said to parts of the time: arithmetic alone, no clock.

Instruments cost time themselves. What a profiled run takes longer than a plain one is their cost.
Engines time their nodes one by one, so it is the same for each node, and is taken off: inside of
the nodes and between them, see :func:`_costs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from counterpoint.bench.breakdown.layer_types import layer_type, moves_only
from counterpoint.bench.result import Function, Part
from counterpoint.engines.protocol import NodeProfile, NodeTime
from counterpoint.network.graph import Network


@dataclass(frozen=True, slots=True)
class SegmentTimes:
    """One segment on its unit.

    Attributes:
        plain_ns: Median time of a run without instruments.
        profiled_ns: The same with them; 0 without a profile.
        profile: What the engine told; ``None`` where it cannot.
        waiting_share: Part of the time in nodes in which the calling thread waited for others,
            found from outside; used where the engine does not tell by itself. ``None``: unknown.
    """

    plain_ns: int
    profiled_ns: int = 0
    profile: NodeProfile | None = None
    waiting_share: float | None = None

    @property
    def instrument_ns(self) -> int:
        """What the instruments cost in a run."""
        return max(0, self.profiled_ns - self.plain_ns) if self.profile is not None else 0


def segment_parts(network: Network, times: SegmentTimes) -> list[Part]:
    """Where the time of one segment went; what is missing to ``plain_ns`` nobody saw.

    Args:
        network: Whose layers the profile numbers.
        times: Of one of its segments.
    """
    profile = times.profile
    if profile is None:
        return []
    nodes = profile.nodes or tuple(_from_layers(profile))
    gaps_ns = 0 if profile.call_ns is None else profile.call_ns - _sum_ns(nodes)
    node_cost_ns, gaps_cost_ns = _costs(times, profile, len(nodes), max(0, gaps_ns))
    parts = [
        part
        for node in nodes
        for part in _node_parts(network, node, node_cost_ns, times.waiting_share)
    ]
    if profile.call_ns is not None:
        parts.append(Part(Function.FRAMEWORK, max(0, gaps_ns - gaps_cost_ns)))
        run_ns = times.profiled_ns if profile.run_ns is None else profile.run_ns
        parts.append(Part(Function.PYTHON, max(0, run_ns - profile.call_ns)))
    return [part for part in parts if part.time_ns]


def _sum_ns(nodes: Iterable[NodeTime]) -> int:
    return sum(node.time_ns for node in nodes)


def _costs(times: SegmentTimes, profile: NodeProfile, count: int, gaps_ns: int) -> tuple[int, int]:
    """What the instruments cost inside of each node, and between all of them.

    Where the engine does not know, they cost what is between the nodes first: clocks are read
    and records are kept there.
    """
    total_ns, count = times.instrument_ns, max(1, count)
    if profile.node_cost_ns is None:
        between_ns = min(total_ns, gaps_ns)
        return (total_ns - between_ns) // count, between_ns
    inside_ns = min(profile.node_cost_ns, total_ns // count)
    return inside_ns, min(total_ns - inside_ns * count, gaps_ns)


def _from_layers(profile: NodeProfile) -> Iterator[NodeTime]:
    for index, time_ns in sorted(profile.layer_ns.items()):
        yield NodeTime("", "", index, time_ns)
    if profile.overhead_ns:
        yield NodeTime("", "Reorder", None, profile.overhead_ns)


def _node_parts(
    network: Network, node: NodeTime, cost_ns: int, waiting_share: float | None
) -> list[Part]:
    time_ns = max(0, node.time_ns - cost_ns)
    layer = None if node.layer is None else network.layers[node.layer]
    name = "" if layer is None else layer.name
    moves = moves_only(node.operator)
    kind = "re-layout" if moves else layer_type(node.operator, layer)
    waiting_ns, wake_up_ns = node.waiting_ns, node.wake_up_ns
    if waiting_ns is None:
        waiting_ns = round(time_ns * (waiting_share or 0))
    waiting_ns = min(waiting_ns, time_ns)
    wake_up_ns = min(wake_up_ns or 0, time_ns - waiting_ns)
    own = Function.COPIES if moves else Function.COMPUTE
    return [
        Part(own, time_ns - waiting_ns - wake_up_ns, name, kind),
        Part(Function.WAITING, waiting_ns, name, kind),
        Part(Function.WAKE_UP, wake_up_ns, name, kind),
    ]


def complete(parts: Sequence[Part], whole_ns: int) -> tuple[Part, ...]:
    """The parts, and one more with what is missing to the whole, below zero if they exceed it."""
    missing_ns = whole_ns - sum(part.time_ns for part in parts)
    rest = (Part(Function.UNATTRIBUTED, missing_ns),) if missing_ns else ()
    return (*(part for part in parts if part.time_ns), *rest)


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts alike in function, layer and type as one, in order of first appearance."""
    sums: dict[tuple[Function, str, str], int] = {}
    for part in parts:
        key = part.function, part.layer, part.layer_type
        sums[key] = sums.get(key, 0) + part.time_ns
    return tuple(
        Part(function, time_ns, layer, kind)
        for (function, layer, kind), time_ns in sums.items()
        if time_ns
    )
