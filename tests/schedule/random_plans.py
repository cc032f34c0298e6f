"""Random fake networks, plans for them, and dispatch graphs."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from tests.fake_engine import fake_network


def plan_for(
    network: Network,
    platform: Platform,
    lanes: Sequence[Sequence[tuple[Sequence[int], str]]],
    *,
    shares: Sequence[int] | None = None,
    frames_in_flight: int = 1,
) -> Plan:
    """A plan of lanes given as ``(layers, unit)`` for each segment."""
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=platform.name,
        platform_fingerprint=platform.fingerprint,
        objective=Objective.LATENCY,
        lanes=tuple(
            Lane(tuple(Segment(tuple(layers), unit) for layers, unit in lane), share)
            for lane, share in zip(lanes, shares or [1] * len(lanes), strict=True)
        ),
        frames_in_flight=frames_in_flight,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={"fake": "1.0"},
        prediction=Prediction(latency_ns=1000),
    )


@st.composite
def networks(draw: st.DrawFn, max_layers: int = 8) -> Network:
    inputs = ["x", "y"][: draw(st.integers(1, 2))]
    reads: list[list[str]] = []
    for index in range(draw(st.integers(1, max_layers))):
        there = [*inputs, *(f"t{earlier}" for earlier in range(index))]
        reads.append(draw(st.lists(st.sampled_from(there), min_size=1, max_size=3, unique=True)))
    read = {name for row in reads for name in row}
    made = [f"t{index}" for index in range(len(reads))]
    # Some tensors are both read and returned.
    outputs = [name for name in made if name not in read or draw(st.integers(0, 3)) == 0]
    return fake_network(reads, inputs=inputs, outputs=outputs)


@st.composite
def plans(draw: st.DrawFn, network: Network, platform: Platform) -> Plan:
    units = [unit.name for unit in platform.units]
    lanes = []
    for _ in range(draw(st.integers(1, 3))):
        order = draw(topological_orders(network))
        lane: list[tuple[list[int], str]] = []
        for layer in order:
            if not lane or draw(st.booleans()):
                lane.append(([], draw(st.sampled_from(units))))
            lane[-1][0].append(layer)
        lanes.append(lane)
    return plan_for(
        network,
        platform,
        lanes,
        shares=[draw(st.integers(1, 3)) for _ in lanes],
        frames_in_flight=draw(st.integers(1, 4)),
    )


@st.composite
def topological_orders(draw: st.DrawFn, network: Network) -> list[int]:
    left = {layer.index for layer in network.layers}
    order: list[int] = []
    while left:
        free = [
            index
            for index in sorted(left)
            if not left & {network.producer.get(name) for name in network.layers[index].inputs}
        ]
        order.append(draw(st.sampled_from(free)))
        left.remove(order[-1])
    return order


@st.composite
def dispatch_graphs(draw: st.DrawFn) -> DispatchGraph:
    devices = ["a", "b", "c"][: draw(st.integers(1, 3))]
    lanes = []
    for _ in range(draw(st.integers(1, 3))):
        lane = []
        for index in range(draw(st.integers(1, 5))):
            earlier = (
                draw(st.lists(st.integers(0, index - 1), max_size=2, unique=True)) if index else []
            )
            taken = draw(st.lists(st.sampled_from(devices), min_size=1, max_size=2, unique=True))
            lane.append(SegmentNode(tuple(taken), tuple(earlier)))
        lanes.append(tuple(lane))
    shares = tuple(draw(st.integers(1, 4)) for _ in lanes)
    kinds = [draw(st.integers(0, 2)) for _ in lanes]
    twins = tuple(
        tuple(index for index, other in enumerate(kinds) if other == kind) for kind in kinds
    )
    return DispatchGraph(
        tuple(lanes), shares, draw(st.integers(1, 4)), draw(st.sampled_from(((), twins)))
    )
