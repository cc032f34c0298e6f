"""Tensors between segments: the same memory, frame after frame."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network, Subnetwork, TensorSpec
from counterpoint.schedule.buffers import ALIGNMENT_BYTES, BufferPool, aligned_array, is_lendable
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from tests.fake_engine import (
    FakeEngine,
    FakeSegment,
    fake_frame,
    fake_network,
    fake_platform,
    reference_outputs,
)
from tests.schedule.random_plans import plan_for

A, B, C = "fake:a@fp32", "fake:b@fp32", "fake:c@fp32"
PLATFORM = fake_platform("a", "b", "c")
READS = [["x"], ["t0"], ["t0", "t1"], ["t2"]]
NETWORK = fake_network(READS, outputs=["t3", "t1"])
LANE = [((0,), A), ((1,), B), ((2,), C), ((3,), A)]
STEPS = plan_for(NETWORK, PLATFORM, [LANE])
PIPELINE = plan_for(NETWORK, PLATFORM, [LANE], frames_in_flight=3)
PLANS = [STEPS, PIPELINE]


def pools_of(session: Session) -> list[BufferPool]:
    return [p for lane in session._executor._lanes for p in lane.pools if p is not None]


class Watching:
    """The memory of each tensor that a segment reads, run by run."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, list[int]] = defaultdict(list)
        self.lock = threading.Lock()

    def __call__(self, segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        with self.lock:
            for name, array in inputs.items():
                self.seen[name].append(array.ctypes.data)


def session_of(plan: Plan, engine: FakeEngine, network: Network = NETWORK) -> Session:
    return Session(network, plan, engines={"fake": engine}, platform=PLATFORM)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5, 7), (2, 0, 4), (1, 64, 33, 31)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "float64"])
def test_arrays_are_aligned(shape: tuple[int, ...], dtype: str) -> None:
    array = aligned_array(TensorSpec("t", dtype, shape))
    assert (array.shape, str(array.dtype)) == (shape, dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.size == 0 or array.ctypes.data % ALIGNMENT_BYTES == 0


@pytest.mark.parametrize(
    ("dtype", "shape", "lendable"),
    [
        ("float32", (1, 2), True),
        ("float32", None, False),
        ("string", (1, 2), False),
        ("bfloat16", (1, 2), False),
    ],
)
def test_what_can_be_lent(dtype: str, shape: tuple[int, ...] | None, lendable: bool) -> None:
    assert is_lendable(TensorSpec("t", dtype, shape)) is lendable


def test_a_pool_makes_only_what_it_lacks() -> None:
    pool = BufferPool(TensorSpec("t", "float32", (2,)))
    one, other = pool.borrow(), pool.borrow()
    assert not np.may_share_memory(one, other)
    assert (pool.made, pool.lent) == (2, 2)
    pool.give_back(one)
    assert pool.borrow() is one
    pool.give_back(other)
    pool.give_back(one)
    assert (pool.made, pool.lent) == (2, 0)


@pytest.mark.parametrize("plan", PLANS)
def test_tensors_between_segments_keep_their_memory(plan: Plan) -> None:
    watching = Watching()
    frames = [fake_frame(NETWORK, number) for number in range(60)]
    with session_of(plan, FakeEngine(watching)) as session:
        results = list(session.stream(frames))
        for pool in pools_of(session):
            assert pool.lent == 0
            assert 1 <= pool.made <= plan.frames_in_flight
        assert len(pools_of(session)) == 2  # t0 and t2; t1 and t3 are the caller's
    for name in ("t0", "t2"):
        assert len(set(watching.seen[name])) <= plan.frames_in_flight
    for outputs, frame in zip(results, frames, strict=True):
        assert all(map(np.array_equal, outputs, reference_outputs(NETWORK, frame)))
    arrays = [array for outputs in results for array in outputs]
    assert len({array.ctypes.data for array in arrays}) == len(arrays)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("fails_in", range(4))
def test_a_frame_that_fails_gives_back_what_it_borrowed(plan: Plan, fails_in: int) -> None:
    def fail(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        if segment.layers[0].index == fails_in and np.isnan(next(iter(inputs.values()))).any():
            raise ValueError("not a number")

    bad = {"x": np.full((1, 4), np.nan, np.float32)}
    with session_of(plan, FakeEngine(fail)) as session:
        for _ in range(3):
            with pytest.raises(EngineError, match="not a number"):
                session.run(None, bad)
            with pytest.raises(EngineError, match="not a number"):
                list(session.stream([fake_frame(NETWORK), bad, fake_frame(NETWORK)]))
            assert all(pool.lent == 0 for pool in pools_of(session))
        session.run(None, fake_frame(NETWORK))
        assert all(pool.made <= plan.frames_in_flight for pool in pools_of(session))


@pytest.mark.parametrize("plan", PLANS)
def test_no_memory_is_lent_where_sizes_are_not_known(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = fake_network(READS, outputs=["t3", "t1"], shape=None)
    plan = plan_for(network, PLATFORM, [LANE], frames_in_flight=plan.frames_in_flight)
    run = FakeSegment.run

    def checked(
        self: FakeSegment, inputs: Sequence[Tensor], *lent: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        assert not lent
        return run(self, inputs)

    monkeypatch.setattr(FakeSegment, "run", checked)
    frame = {"x": np.ones((2, 3), np.float32)}
    with session_of(plan, FakeEngine(), network) as session:
        for outputs in session.stream([frame] * 3):
            assert all(map(np.array_equal, outputs, reference_outputs(network, frame)))
        assert pools_of(session) == []


@pytest.mark.parametrize("plan", PLANS)
def test_an_engine_that_returns_memory_of_its_own(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FakeSegment.run
    monkeypatch.setattr(FakeSegment, "run", lambda self, inputs, outputs=None: run(self, inputs))
    with session_of(plan, FakeEngine()) as session:
        with pytest.raises(EngineError, match="returned other tensors than it was lent") as caught:
            session.run(None, fake_frame(NETWORK))
        assert (caught.value.layer, caught.value.unit) == ("layer0", A)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
