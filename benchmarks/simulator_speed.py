"""Segment events that the simulator handles in a second.

Run: python benchmarks/simulator_speed.py
"""

from __future__ import annotations

import statistics
import time

from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.simulate import simulate

ROUNDS = 7
EVENTS = 40_000


def chain(*devices: str) -> tuple[SegmentNode, ...]:
    return tuple(
        SegmentNode((device,), (index - 1,) if index else ())
        for index, device in enumerate(devices)
    )


def diamond(first: str, second: str) -> tuple[SegmentNode, ...]:
    return (
        SegmentNode((first,)),
        SegmentNode((first,), (0,)),
        SegmentNode((second,), (0,)),
        SegmentNode((first,), (1, 2)),
    )


CASES = {
    "1 lane, 1 segment": DispatchGraph((chain("CPU"),), (1,), 1),
    "1 lane, 4 segments, 4 in flight": DispatchGraph(
        (chain("CPU.0", "GPU", "NPU", "CPU.1"),), (1,), 4
    ),
    "2 lanes, branches, 4 in flight": DispatchGraph(
        (diamond("CPU.0", "GPU"), chain("NPU")), (2, 3), 4
    ),
    "3 lanes, 6 segments, 8 in flight": DispatchGraph(
        (
            chain("CPU.0", "GPU", "NPU"),
            chain("CPU.1", "NPU"),
            chain("GPU"),
        ),
        (3, 2, 1),
        8,
    ),
}


def main() -> None:
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, graph in CASES.items():
            durations = [
                [700 + 130 * index for index, _ in enumerate(lane)] for lane in graph.lanes
            ]
            per_round = sum(
                share * len(lane) for share, lane in zip(graph.shares, graph.lanes, strict=True)
            )
            frames = EVENTS * sum(graph.shares) // per_round
            start = time.perf_counter()
            simulate(graph, durations, frames, record=False)
            rates[name].append(EVENTS / (time.perf_counter() - start))
    for name, samples in rates.items():
        low, middle, high = min(samples), statistics.median(samples), max(samples)
        print(f"{name:34} {middle:9,.0f} events/s  ({low:,.0f} to {high:,.0f})")


if __name__ == "__main__":
    main()
