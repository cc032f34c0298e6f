"""A plan in virtual time: its segments and the transfers between them, as predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode, dispatch_graph
from counterpoint.schedule.plan import Lane, LinkTransfer, Plan
from counterpoint.schedule.simulate import Durations


def predicted_graph(
    network: Network, plan: Plan, platform: Platform
) -> tuple[DispatchGraph, Durations] | None:
    """What the simulator takes: a node for each segment and each transfer, and their times.

    Args:
        network: The plan's.
        plan: One that :func:`check_plan` accepts.
        platform: Where it runs, or would run.

    Returns:
        ``None`` where the plan predicts no times. Without transfers the nodes of a lane are its
        segments, with the same indices.
    """
    times = plan.prediction.segment_ns
    if times is None:
        return None
    graph = dispatch_graph(network, plan, platform)
    if not any(plan.prediction.transfers):
        return graph, times
    lanes, durations = [], []
    for lane, nodes, lane_ns, transfers in zip(
        plan.lanes, graph.lanes, times, plan.prediction.transfers, strict=True
    ):
        readers = _readers(network, lane, transfers)
        widened, widened_ns = _with_transfers(nodes, lane_ns, transfers, readers)
        lanes.append(widened)
        durations.append(widened_ns)
    return DispatchGraph(tuple(lanes), graph.shares, graph.frames_in_flight), tuple(durations)


def _readers(
    network: Network, lane: Lane, transfers: Sequence[LinkTransfer]
) -> tuple[frozenset[int], ...]:
    """For each transfer the segments that wait for it: the target, and later ones on its unit.

    A tensor moves to a unit once, so that those read what was moved for the first of them.
    """
    waiting: list[frozenset[int]] = []
    for transfer in transfers:
        if transfer.target is None:
            waiting.append(frozenset())
            continue
        readers = set(network.consumers.get(transfer.tensor, ()))
        unit = lane.segments[transfer.target].unit
        others = (
            position
            for position, segment in enumerate(lane.segments)
            if segment.unit == unit and not readers.isdisjoint(segment.layers)
        )
        waiting.append(frozenset({transfer.target, *others}))
    return tuple(waiting)


def _with_transfers(
    nodes: Sequence[SegmentNode],
    times_ns: Sequence[int],
    transfers: Sequence[LinkTransfer],
    readers: Sequence[frozenset[int]],
) -> tuple[tuple[SegmentNode, ...], tuple[int, ...]]:
    """A lane in which each transfer is a node in front of the segment that waits for it.

    A segment that gets a tensor over a link waits for the transfer and not for its maker, unless
    it also gets something from there directly; waiting for both is the same, as the transfer
    starts when the maker has ended.
    """
    made: list[SegmentNode] = []
    made_ns: list[int] = []
    place: list[int] = []
    arrives: list[int | None] = [None] * len(transfers)
    for position in range(len(nodes) + 1):
        for number, transfer in enumerate(transfers):
            target = len(nodes) if transfer.target is None else transfer.target
            if target != position:
                continue
            arrives[number] = len(made)
            waits = () if transfer.origin is None else (place[transfer.origin],)
            made.append(
                SegmentNode(
                    devices=(transfer.link, *transfer.occupies),
                    predecessors=waits,
                    name=transfer.tensor,
                    unit=transfer.link,
                )
            )
            made_ns.append(transfer.time_ns)
        if position < len(nodes):
            node = nodes[position]
            earlier = {place[index] for index in node.predecessors}
            arrived = {
                step
                for step, waiting in zip(arrives, readers, strict=True)
                if step is not None and position in waiting
            }
            place.append(len(made))
            made.append(replace(node, predecessors=tuple(sorted(earlier | arrived))))
            made_ns.append(times_ns[position])
    return tuple(made), tuple(made_ns)
