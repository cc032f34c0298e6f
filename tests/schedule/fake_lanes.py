"""Lanes for any dispatch graph, whose segments compute numbers that tell where they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import TensorSpec
from counterpoint.schedule.buffers import BufferPool, aligned_array
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.wiring import LaneWiring, Step

NUMBER = TensorSpec("number", "int64", (1,))

Visit = Callable[[int, int, int], None]
"""Called in each run with lane, frame and segment."""


def fake_lane(nodes: Sequence[SegmentNode], visit: Callable[[int, int], None]) -> LaneWiring:
    """Slot 0 holds the frame's number, slot ``i + 1`` what segment ``i`` makes of it and of what it
    waits for. Returned is what nobody waits for.
    """
    readers = [len(nodes), *[0] * len(nodes)]
    for node in nodes:
        for earlier in node.predecessors:
            readers[earlier + 1] += 1
    outputs = tuple(slot for slot, count in enumerate(readers) if not count)
    pools = [None if slot in (0, *outputs) else BufferPool(NUMBER) for slot in range(len(readers))]
    steps = []
    for segment, node in enumerate(nodes):

        def run(
            inputs: Sequence[Any], lent: Sequence[Tensor], segment: int = segment
        ) -> Sequence[Tensor]:
            visit(int(inputs[0][0]), segment)
            lent[0][...] = (segment + 1) * sum(int(tensor[0]) for tensor in inputs) + 1
            return lent

        pool = pools[segment + 1]
        steps.append(
            Step(
                run=run,
                reads=(0, *(earlier + 1 for earlier in node.predecessors)),
                writes=(segment + 1,),
                lends=(partial(aligned_array, NUMBER) if pool is None else pool.borrow,),
                name=f"segment{segment}",
                layer=f"layer{segment}",
                unit="unit",
            )
        )
    for slot in outputs:
        readers[slot] += 1
    return LaneWiring(tuple(steps), outputs, tuple(readers), tuple(pools))


def fake_lanes(graph: DispatchGraph, visit: Visit) -> list[LaneWiring]:
    return [fake_lane(nodes, partial(visit, lane)) for lane, nodes in enumerate(graph.lanes)]


def number(frame: int) -> list[Tensor]:
    """The inputs of a frame."""
    return [np.array([frame], np.int64)]


def expected(nodes: Sequence[SegmentNode], frame: int) -> list[int]:
    """What a fake lane returns."""
    made: list[int] = []
    for segment, node in enumerate(nodes):
        total = frame + sum(made[earlier] for earlier in node.predecessors)
        made.append((segment + 1) * total + 1)
    waited_for = {earlier for node in nodes for earlier in node.predecessors}
    return [value for segment, value in enumerate(made) if segment not in waited_for]
