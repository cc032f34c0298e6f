"""What a session adds to the engines' own time, with engines that do nothing.

Run: python benchmarks/session_overhead.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fake_engine import FakeEngine, FakeSegment, fake_network, fake_platform
from tests.schedule.random_plans import plan_for

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.recovery import Fallback
from counterpoint.schedule.session import Session

ROUNDS = 9
CALLS = 2000
SEGMENTS = 8


class IdleSegment(FakeSegment):
    """Returns what it made once."""

    def __init__(self, engine: FakeEngine, segment: Subnetwork, unit: ComputeUnit) -> None:
        super().__init__(engine, segment, unit)
        self.outputs = [np.zeros(spec.shape or (), np.float32) for spec in segment.outputs]

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        return self.outputs if outputs is None else outputs


class IdleEngine(FakeEngine):
    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> IdleSegment:
        return IdleSegment(self, segment, unit)


PLATFORM = fake_platform("a", "b")
CHAIN = fake_network([["x"], *([f"t{index}"] for index in range(SEGMENTS - 1))])
DIAMOND = fake_network([["x"], ["t0"], ["t0"], ["t1", "t2"]])
UNITS = [unit.name for unit in PLATFORM.units]


def session_of(
    segments: int, frames_in_flight: int = 1, fallback: Fallback | None = None
) -> Session:
    each = SEGMENTS // segments
    lane = [
        (range(index * each, (index + 1) * each), UNITS[index % 2]) for index in range(segments)
    ]
    plan = plan_for(CHAIN, PLATFORM, [lane], frames_in_flight=frames_in_flight)
    return Session(
        CHAIN, plan, engines={"fake": IdleEngine()}, platform=PLATFORM, fallback=fallback
    )


def branches() -> Session:
    lane = [((0,), UNITS[0]), ((1,), UNITS[0]), ((2,), UNITS[1]), ((3,), UNITS[0])]
    plan = plan_for(DIAMOND, PLATFORM, [lane])
    return Session(DIAMOND, plan, engines={"fake": IdleEngine()}, platform=PLATFORM)


def microseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    frame: Mapping[str, Tensor] = {"x": np.zeros((1, 4), np.float32)}
    single, chain, threaded, split = (
        session_of(1),
        session_of(SEGMENTS),
        session_of(SEGMENTS, frames_in_flight=4),
        branches(),
    )
    watched = session_of(1, fallback=Fallback(lambda lost: "nothing fails here"))
    segment = IdleEngine().compile(CHAIN.whole(), PLATFORM.units[0])
    array = [frame["x"]]
    cases: dict[str, Callable[[], object]] = {
        "engine": lambda: segment.run(array),
        "single": lambda: single.run(None, frame),
        "chain": lambda: chain.run(None, frame),
        "branches": lambda: split.run(None, frame),
        "watched": lambda: watched.run(None, frame),
    }
    times: dict[str, list[float]] = {name: [] for name in [*cases, "stream"]}
    for _ in range(ROUNDS):
        for name, call in cases.items():
            times[name].append(microseconds(call))
        start = time.perf_counter()
        for _ in threaded.stream([frame] * CALLS):
            pass
        times["stream"].append((time.perf_counter() - start) / CALLS * 1e6)
    medians = {name: statistics.median(samples) for name, samples in times.items()}
    spread = {name: f"({min(s):.2f} to {max(s):.2f})" for name, s in times.items()}
    print(f"engine alone                        {medians['engine']:7.2f} us {spread['engine']}")
    over = medians["single"] - medians["engine"]
    print(f"run, 1 segment                      {medians['single']:7.2f} us {spread['single']}")
    print(f"  over the engine                   {over:7.2f} us")
    print(
        f"run, {SEGMENTS} segments, one thread          "
        f"{medians['chain']:7.2f} us {spread['chain']}"
    )
    step = (medians["chain"] - medians["single"]) / (SEGMENTS - 1) - medians["engine"]
    print(f"  each further hand-over            {step:7.2f} us")
    print(f"run, 1 segment, allow_fallback      {medians['watched']:7.2f} us {spread['watched']}")
    print(f"run, 4 segments, branches, threads  {medians['branches']:7.2f} us {spread['branches']}")
    print(
        f"stream, {SEGMENTS} segments, 4 in flight      "
        f"{medians['stream']:7.2f} us {spread['stream']}"
    )
    print(f"  each segment                      {medians['stream'] / SEGMENTS:7.2f} us")
    for session in (single, chain, threaded, split, watched):
        session.close()


if __name__ == "__main__":
    main()
