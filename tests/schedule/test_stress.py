"""A hundred thousand frames: random plans, failures, cancellations, closed streams."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from random import Random

import numpy as np
import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Subnetwork
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from tests.fake_engine import (
    FakeEngine,
    fake_frame,
    fake_platform,
    reference_outputs,
)
from tests.schedule.seeded_plans import random_network, random_plan

FRAMES = 100_000
PLANS = 250
NUMBERS = 61
"""Frames that differ; more than any executor holds at once, so one out of turn is noticed."""
LONGEST_DELAY_NS = 20_000

PLATFORM = fake_platform("a", "b", "c")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Case:
    """A random network and plan, and frames to send through.

    Attributes:
        chokes_on: The layer that fails in frames that are not numbers.
        told: How often each thing happened.
        replies: How often the callback of each future was called, by its number.
    """

    def __init__(self, seed: int, told: Counter[str]) -> None:
        self.random = Random(seed)
        self.network = random_network(self.random)
        self.plan = random_plan(self.random, self.network, PLATFORM)
        self.chokes_on = self.random.randrange(len(self.network.layers))
        self.delays = itertools.cycle(
            [self.random.choice([0, 0, None, self.random.randrange(LONGEST_DELAY_NS)])]
            + [self.random.choice([0, None, self.random.randrange(LONGEST_DELAY_NS)])] * 2
        )
        self.frames = [fake_frame(self.network, number) for number in range(NUMBERS)]
        self.wanted = [reference_outputs(self.network, frame) for frame in self.frames]
        self.bad = {name: np.full_like(array, np.nan) for name, array in self.frames[0].items()}
        choking = [
            segment
            for lane in self.plan.lanes
            for segment in lane.segments
            if self.chokes_on in segment.layers
        ]
        self.culprits = {(f"layer{segment.layers[0]}", segment.unit) for segment in choking}
        self.told = told
        self.replies: Counter[int] = Counter()
        self.futures_made = 0

    def work(self, segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        """Takes its time, one way or the other, and fails where it should."""
        delay_ns = next(self.delays)
        if delay_ns is None:
            if hasattr(os, "sched_yield"):
                os.sched_yield()
        else:
            end_ns = time.perf_counter_ns() + delay_ns
            while time.perf_counter_ns() < end_ns:
                pass
        tensor = next(iter(inputs.values()))
        if tensor.flat[0] != tensor.flat[0] and self.chokes_on in {x.index for x in segment.layers}:
            raise ValueError("choked")

    def check(self, number: int, outputs: Sequence[Tensor]) -> None:
        wanted = self.wanted[number % NUMBERS]
        assert len(outputs) == len(wanted)
        for output, right in zip(outputs, wanted, strict=True):
            assert output.flat[0] == right.flat[0]
            assert output.flat[-1] == right.flat[-1]
        self.told["results"] += 1

    def check_error(self, error: BaseException | None) -> None:
        assert isinstance(error, EngineError)
        assert "choked" in str(error)
        assert (error.layer, error.unit) in self.culprits
        self.told["errors"] += 1

    def frame(self, number: int, bad: bool) -> dict[str, Tensor]:
        return self.bad if bad else self.frames[number % NUMBERS]

    def runs(self, session: Session, count: int) -> None:
        for number in range(count):
            bad = self.random.random() < 0.05
            try:
                outputs = session.run(None, self.frame(number, bad))
            except EngineError as error:
                assert bad
                self.check_error(error)
            else:
                assert not bad
                self.check(number, outputs)

    def stream_to_the_end(self, session: Session, count: int) -> None:
        fails_at = self.random.randrange(count) if self.random.random() < 0.5 else count
        results = session.stream(self.frame(number, number == fails_at) for number in range(count))
        for number in range(fails_at):
            self.check(number, next(results))
        if fails_at < count:
            with pytest.raises(EngineError) as caught:
                next(results)
            self.check_error(caught.value)
        assert next(results, None) is None

    def half_read_stream(self, session: Session, count: int) -> None:
        results = session.stream(self.frame(number, False) for number in range(count))
        for number in range(count // 2):
            self.check(number, next(results))
        results.close()  # type: ignore[attr-defined]
        self.told["closed streams"] += 1

    def futures(self, session: Session, count: int) -> None:
        pending: deque[tuple[int, bool, Future[list[Tensor]]]] = deque()
        for number in range(count):
            bad = self.random.random() < 0.05
            future = session.run_async(None, self.frame(number, bad))
            self.await_reply(future)
            pending.append((number, bad, future))
            if self.random.random() < 0.1:
                self.random.choice(pending)[2].cancel()
            while len(pending) > self.random.randint(1, 12):
                self.take(*pending.popleft())
        while pending:
            self.take(*pending.popleft())

    def await_reply(self, future: Future[list[Tensor]]) -> None:
        serial = self.futures_made
        self.futures_made += 1
        future.add_done_callback(lambda _: self.replies.update([serial]))

    def take(self, number: int, bad: bool, future: Future[list[Tensor]]) -> None:
        if future.cancelled():
            self.told["cancelled"] += 1
            return
        error = future.exception()
        if bad:
            self.check_error(error)
        else:
            assert error is None
            self.check(number, future.result())

    def closed_under_way(self, session: Session) -> None:
        futures = [
            session.run_async(None, frame)
            for frame in self.frames[: self.plan.frames_in_flight + 1]
        ]
        self.told["frames"] += len(futures)
        for future in futures:
            self.await_reply(future)
        session.close()
        for number, future in enumerate(futures):
            assert future.done()
            if future.exception() is None:
                self.check(number, future.result())
            else:
                assert isinstance(future.exception(), UserInputError)
                self.told["closed frames"] += 1


def check_idle(session: Session, plan: Plan) -> None:
    """Nothing is left of the frames that went through."""
    executor = session._executor
    for lane in executor._lanes:
        for pool in lane.pools:
            assert pool is None or (pool.lent == 0 and pool.made <= plan.frames_in_flight)
    if executor._threads is not None:
        executor._threads._dispatcher.check()
        assert executor._threads._dispatcher.outstanding == 0
        assert not executor._threads._flights
        assert not executor._threads._landed
        assert executor._threads.broken is None


def test_a_hundred_thousand_frames() -> None:
    told: Counter[str] = Counter()
    seeds = itertools.count()
    while told["frames"] < FRAMES:
        case = Case(next(seeds), told)
        engine = FakeEngine(case.work)
        session = Session(case.network, case.plan, engines={"fake": engine}, platform=PLATFORM)
        loads: list[Callable[[Session, int], None]] = [
            case.stream_to_the_end, case.half_read_stream, case.futures, case.runs
        ]  # fmt: skip
        left = FRAMES // PLANS
        with session:
            while left > 0:
                count = min(left, case.random.randint(1, 160))
                case.random.choice(loads)(session, count)
                check_idle(session, case.plan)
                told["frames"] += count
                left -= count
            case.closed_under_way(session)
            check_idle(session, case.plan)
        assert all(segment.closed for segment, _ in engine.compiled)
        assert case.replies == Counter(range(case.futures_made))
    assert all(
        told[key] > 100 for key in ("errors", "cancelled", "closed streams", "closed frames")
    )
