"""A plan for a machine that is not here, on this one: segments and transfers take their time.

What runs is the simulator's graph with the simulator's durations, so a link moves a tensor while
the devices on both of its sides do something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import PlanFileError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.pace import Pace
from counterpoint.schedule.plan import LinkTransfer, Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.wiring import LaneWiring, Step


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
    paced = []
    for lane, nodes, times_ns, moved in zip(lanes, free, durations_ns, transfers, strict=True):
        places = segment_places(len(lane.steps), moved)
        steps = [
            _transfer(pace, node, time_ns) for node, time_ns in zip(nodes, times_ns, strict=True)
        ]
        for step, place in zip(lane.steps, places, strict=True):
            steps[place] = _paced(step, pace, nodes[place], times_ns[place])
        paced.append(replace(lane, steps=tuple(steps)))
    return replace(graph, lanes=free), tuple(paced)


def segment_places(segments: int, transfers: Sequence[LinkTransfer]) -> tuple[int, ...]:
    """Which nodes of a predicted lane are its segments: behind each one's own transfers."""
    targets = [transfer.target for transfer in transfers if transfer.target is not None]
    return tuple(
        position + sum(target <= position for target in targets) for position in range(segments)
    )


def _paced(step: Step, pace: Pace, node: SegmentNode, time_ns: int) -> Step:
    """A segment's step that takes its time."""

    def run(inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None) -> Sequence[Tensor]:
        return pace.run(node.devices, time_ns, partial(step.run, inputs, outputs))

    return Step(
        run=run,
        reads=step.reads,
        writes=step.writes,
        lends=step.lends,
        name=step.name,
        layer=step.layer,
        unit=step.unit,
    )


def _transfer(pace: Pace, node: SegmentNode, time_ns: int) -> Step:
    """A transfer's step, in which nothing happens but time: memories of the host are one."""

    def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return pace.run(node.devices, time_ns, tuple)

    return Step(run=run, reads=(), writes=(), lends=None, name=node.name, layer="", unit=node.unit)
