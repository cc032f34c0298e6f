"""A plan for a machine that is not here, on this one: segments and transfers take their time.

What runs is the simulator's graph with the simulator's durations, so a link moves a tensor while
the devices on both of its sides do something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from counterpoint.errors import PlanFileError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.pace import Pace
from counterpoint.schedule.plan import LinkTransfer, Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.wiring import LaneWiring, Slots, Step


def emulated(
    network: Network, plan: Plan, platform: Platform, lanes: Sequence[LaneWiring], pace: Pace
) -> tuple[DispatchGraph, tuple[LaneWiring, ...]]:
    """What the executor takes.

    Args:
        network: The plan's.
        plan: One that :func:`check_plan` accepts.
        platform: The machine that is not here.
        lanes: The plan's, as they compute on this machine.
        pace: Keeps the time.

    Returns:
        The graph has a node for each segment and each transfer, and pins none of them: their
        processors are another machine's. The lanes have a step for each node.

    Raises:
        PlanFileError: The plan predicts no times.
    """
    predicted = predicted_graph(network, plan, platform)
    if predicted is None:
        raise PlanFileError(
            f"the plan for {plan.network_name} predicts no times, so that {platform.name} cannot "
            "be emulated: make it with `counterpoint plan`"
        )
    graph, durations_ns = predicted
    free = tuple(tuple(replace(node, cores=()) for node in nodes) for nodes in graph.lanes)
    transfers = plan.prediction.transfers or ((),) * len(lanes)
    paced = tuple(map(partial(_paced, pace), lanes, free, durations_ns, transfers))
    return replace(graph, lanes=free), paced


def segment_places(segments: int, transfers: Sequence[LinkTransfer]) -> tuple[int, ...]:
    """Which nodes of a predicted lane are its segments: each is behind its own transfers."""
    targets = [transfer.target for transfer in transfers if transfer.target is not None]
    return tuple(
        position + sum(target <= position for target in targets) for position in range(segments)
    )


def _paced(
    pace: Pace,
    lane: LaneWiring,
    nodes: Sequence[SegmentNode],
    times_ns: Sequence[int],
    transfers: Sequence[LinkTransfer],
) -> LaneWiring:
    """A lane with a step for each node, and behind its tensors a slot for the end of each."""
    places = segment_places(len(lane.steps), transfers)
    computing = dict(zip(places, lane.steps, strict=True))
    first_end = len(lane.readers)
    steps = tuple(
        _PacedStep(
            computing.get(index),
            node,
            partial(pace.run, node.devices, time_ns),
            end=first_end + index,
            waits=tuple(first_end + earlier for earlier in node.predecessors),
        )
        for index, (node, time_ns) in enumerate(zip(nodes, times_ns, strict=True))
    )
    return replace(
        lane,
        steps=steps,
        readers=(*lane.readers, *[0] * len(nodes)),
        pools=(*lane.pools, *[None] * len(nodes)),
    )


class _PacedStep(Step):
    """A segment that takes its time, or a transfer, in which nothing else happens: here all memory
    is one.
    """

    __slots__ = ("_compute", "_end", "_take", "_waits")

    def __init__(
        self,
        computing: Step | None,
        node: SegmentNode,
        take: Callable[..., int],
        *,
        end: int,
        waits: tuple[int, ...],
    ) -> None:
        super().__init__(
            run=tuple if computing is None else computing.run,
            reads=() if computing is None else computing.reads,
            writes=() if computing is None else computing.writes,
            lends=None if computing is None else computing.lends,
            name=node.name,
            layer="" if computing is None else computing.layer,
            unit=node.unit,
        )
        self._compute = None if computing is None else computing.advance
        self._take = take
        self._end = end
        self._waits = waits

    def advance(self, slots: Slots) -> None:
        """See :class:`Step`. The end on the emulated machine goes into a slot of its own."""
        after_ns = [int(slots[slot]) for slot in self._waits]  # type: ignore[arg-type]
        compute = None if self._compute is None else partial(self._compute, slots)
        slots[self._end] = np.asarray(self._take(compute, after_ns))
