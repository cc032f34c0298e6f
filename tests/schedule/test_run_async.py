"""Frames that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait

import numpy as np
import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, FrameError, InternalError, UserInputError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from tests.fake_engine import (
    FakeEngine,
    fake_frame,
    fake_network,
    fake_platform,
    reference_outputs,
)
from tests.schedule.random_plans import plan_for

A, B, C = "fake:a@fp32", "fake:b@fp32", "fake:c@fp32"
PLATFORM = fake_platform("a", "b", "c")
CHAIN = fake_network([["x"], ["t0"], ["t1"], ["t2"]])
WHOLE = plan_for(CHAIN, PLATFORM, [[(range(4), A)]])
STEPS = plan_for(CHAIN, PLATFORM, [[((0,), A), ((1,), B), ((2, 3), A)]])
PIPELINE = plan_for(CHAIN, PLATFORM, [[((0,), A), ((1,), B), ((2, 3), C)]], frames_in_flight=3)
LANES = plan_for(
    CHAIN,
    PLATFORM,
    [[((0, 1), A), ((2, 3), B)], [(range(4), C)]],
    shares=[2, 1],
    frames_in_flight=4,
)
ALL_PLANS = [WHOLE, STEPS, PIPELINE, LANES]
TIMEOUT_S = 30


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def session_of(
    plan: Plan, engine: FakeEngine | None = None, network: Network = CHAIN, *, trace: bool = False
) -> Session:
    return Session(
        network, plan, engines={"fake": engine or FakeEngine()}, platform=PLATFORM, trace=trace
    )


def is_right(outputs: list[Tensor], frame: int) -> bool:
    wanted = reference_outputs(CHAIN, fake_frame(CHAIN, frame))
    return len(outputs) == len(wanted) and all(map(np.array_equal, outputs, wanted))


class Gate:
    """Holds up every segment until it is opened, and tells when one is there."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        self.reached.set()
        assert self.open.wait(TIMEOUT_S)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_each_future_has_its_own_frame_s_outputs(plan: Plan) -> None:
    with session_of(plan) as session:
        futures = [session.run_async(None, fake_frame(CHAIN, number)) for number in range(200)]
        assert all(is_right(future.result(), number) for number, future in enumerate(futures))


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_run_and_stream_go_on_beside_it(plan: Plan) -> None:
    engine = FakeEngine()  # it complains when a unit does two things at once
    with session_of(plan, engine) as session:
        assert is_right(session.run(None, fake_frame(CHAIN, 1)), 1)
        for round_ in range(50):
            futures = [session.run_async(None, fake_frame(CHAIN, n)) for n in range(2)]
            assert is_right(session.run(None, fake_frame(CHAIN, round_)), round_)
            results = list(session.stream(fake_frame(CHAIN, n) for n in range(3)))
            assert all(is_right(outputs, n) for n, outputs in enumerate(results))
            assert all(is_right(future.result(), n) for n, future in enumerate(futures))


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_never_more_frames_than_there_is_room_for(plan: Plan) -> None:
    lock = threading.Lock()
    under_way = most = 0

    def left(future: Future[list[Tensor]]) -> None:
        nonlocal under_way
        with lock:
            under_way -= 1

    with session_of(plan) as session:
        for number in range(300):
            future = session.run_async(None, fake_frame(CHAIN, number))
            with lock:
                under_way += 1
                most = max(most, under_way)
            future.add_done_callback(left)
        wait([future])
    # One waits its turn, and each thread may be about to tell of one.
    assert most <= plan.frames_in_flight + 1 + len(plan.units)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_a_call_without_room_waits(plan: Plan) -> None:
    gate = Gate()
    session = session_of(plan, FakeEngine(gate))
    futures: list[Future[list[Tensor]]] = []
    last = threading.Event()

    def one_more() -> None:
        futures.append(session.run_async(None, fake_frame(CHAIN)))
        last.set()

    with session:
        room = plan.frames_in_flight + 1
        futures += [session.run_async(None, fake_frame(CHAIN)) for _ in range(room)]
        submitter = threading.Thread(target=one_more)
        submitter.start()
        assert gate.reached.wait(TIMEOUT_S)
        assert not last.is_set()
        assert not any(future.done() for future in futures)
        gate.open.set()
        submitter.join()
        assert all(is_right(future.result(), 0) for future in futures)
        assert len(futures) == room + 1


@pytest.mark.parametrize("plan", [WHOLE, STEPS])
def test_a_frame_can_be_cancelled_until_it_starts(plan: Plan) -> None:
    gate = Gate()
    engine = FakeEngine(gate)
    with session_of(plan, engine) as session:
        first = session.run_async(None, fake_frame(CHAIN, 1))
        second = session.run_async(None, fake_frame(CHAIN, 2))
        assert gate.reached.wait(TIMEOUT_S)
        assert not first.cancel()
        assert second.cancel()
        gate.open.set()
        third = session.run_async(None, fake_frame(CHAIN, 3))
        assert is_right(first.result(), 1)
        assert is_right(third.result(), 3)
        with pytest.raises(CancelledError):
            second.result()
    assert [segment.runs for segment, _ in engine.compiled] == [2] * len(engine.compiled)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_errors_name_the_layer_and_the_unit(plan: Plan) -> None:
    def fail(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        if np.isnan(next(iter(inputs.values()))).any() and segment.layers[-1].index == 3:
            raise ValueError("not\na number")

    with session_of(plan, FakeEngine(fail)) as session:
        good = session.run_async(None, fake_frame(CHAIN, 1))
        bad = session.run_async(None, {"x": np.full((1, 4), np.nan, np.float32)})
        later = session.run_async(None, fake_frame(CHAIN, 2))
        with pytest.raises(EngineError, match="not a number") as caught:
            bad.result()
        last_segments = [lane.segments[-1] for lane in plan.lanes]
        assert (caught.value.layer, caught.value.unit) in {
            (f"layer{segment.layers[0]}", segment.unit) for segment in last_segments
        }
        assert is_right(good.result(), 1)
        assert is_right(later.result(), 2)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_wrong_frames_are_told_at_once(plan: Plan) -> None:
    network = fake_network([["x"], ["t0"], ["t1"], ["t2"]], outputs=["t3", "t1"])
    parts = [[(segment.layers, segment.unit) for segment in lane.segments] for lane in plan.lanes]
    with session_of(plan_for(network, PLATFORM, parts), None, network) as session:
        with pytest.raises(FrameError, match="missing input 'x'"):
            session.run_async(None, {})
        with pytest.raises(FrameError, match="no output 't2'"):
            session.run_async(["t2"], fake_frame(network))
        _, t1 = reference_outputs(network, fake_frame(network))
        (only,) = session.run_async(["t1"], fake_frame(network)).result()
        assert np.array_equal(only, t1)


@pytest.mark.parametrize("plan", [PIPELINE, LANES])
def test_an_open_stream_keeps_it_out(plan: Plan) -> None:
    with session_of(plan) as session:
        results = session.stream([fake_frame(CHAIN)] * 9)
        next(results)
        with pytest.raises(UserInputError, match="a stream is open"):
            session.run_async(None, fake_frame(CHAIN))
        assert len(list(results)) == 8
        session.run_async(None, fake_frame(CHAIN)).result()


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_closing_fails_the_frames_under_way(plan: Plan) -> None:
    gate = Gate()
    first = threading.Semaphore(1)

    def close_within(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        gate(segment, inputs)
        if first.acquire(blocking=False):
            session._executor.close()  # from a thread that runs a segment, which so is under way

    session = session_of(plan, FakeEngine(close_within))
    futures = [session.run_async(None, fake_frame(CHAIN)) for _ in range(plan.frames_in_flight + 1)]
    gate.open.set()
    done, pending = wait(futures, TIMEOUT_S)
    assert not pending
    assert len(done) == len(futures)
    failed = [future for future in futures if future.exception() is not None]
    assert failed  # the one that waited its turn at least
    for future in failed:
        with pytest.raises(UserInputError, match="closed while frames ran"):
            future.result()
    session.close()
    with pytest.raises(UserInputError, match="the session is closed"):
        session.run_async(None, fake_frame(CHAIN))
    with pytest.raises(UserInputError, match="the session is closed"):
        session.run(None, fake_frame(CHAIN))


def test_a_callback_cannot_run_frames() -> None:
    gate = Gate()
    refusals: list[str] = []

    with session_of(LANES, FakeEngine(gate)) as session:

        def try_all(future: Future[list[Tensor]]) -> None:
            frame = fake_frame(CHAIN)
            calls: list[Callable[[], object]] = [
                lambda: session.run(None, frame),
                lambda: session.run_async(None, frame),
                lambda: next(session.stream([frame])),
            ]
            for call in calls:
                try:
                    call()
                except UserInputError as error:
                    refusals.append(str(error))

        future = session.run_async(None, fake_frame(CHAIN, 5))
        future.add_done_callback(try_all)
        gate.open.set()
        assert is_right(future.result(), 5)
    assert len(refusals) == 3
    assert all("the callback of a future cannot run frames" in line for line in refusals)


@pytest.mark.parametrize("plan", [WHOLE, PIPELINE])
def test_an_engine_that_ends_the_thread_hangs_nobody(plan: Plan) -> None:
    def leave(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        raise SystemExit

    with session_of(plan, FakeEngine(leave)) as session:
        future = session.run_async(None, fake_frame(CHAIN))
        with pytest.raises(InternalError, match="please report it"):
            future.result(TIMEOUT_S)
        with pytest.raises(InternalError, match="please report it"):
            session.run_async(None, fake_frame(CHAIN))


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_trace_is_of_all_frames_since_the_last_run(plan: Plan) -> None:
    with session_of(plan, trace=True) as session:
        session.run(None, fake_frame(CHAIN))
        for rounds in (1, 2):
            wait([session.run_async(None, fake_frame(CHAIN)) for _ in range(5)])
            trace = session.trace()
            assert trace is not None
            assert {span.frame for span in trace.spans} == set(range(5 * rounds))
        session.run(None, fake_frame(CHAIN))
        trace = session.trace()
        assert trace is not None
        assert {span.frame for span in trace.spans} == {0}
