from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, FrameError, PlanFileError, UserInputError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.dispatch_graph import dispatch_graph
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.schedule.simulate import simulate
from tests.fake_engine import (
    FakeEngine,
    FakeSegment,
    fake_frame,
    fake_network,
    fake_platform,
    reference_outputs,
)
from tests.schedule.random_plans import networks, plan_for, plans

A, B, C = "fake:a@fp32", "fake:b@fp32", "fake:c@fp32"
PLATFORM = fake_platform("a", "b", "c")
CHAIN = fake_network([["x"], ["t0"], ["t1"], ["t2"]])
DIAMOND = fake_network([["x"], ["t0"], ["t0"], ["t1", "t2"]])
BRANCHES = plan_for(DIAMOND, PLATFORM, [[((0, 1), A), ((2,), B), ((3,), A)]])
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


def session_of(
    network: Network,
    plan: Plan,
    engine: FakeEngine | None = None,
    platform: Platform = PLATFORM,
    *,
    trace: bool = False,
) -> Session:
    return Session(
        network, plan, engines={"fake": engine or FakeEngine()}, platform=platform, trace=trace
    )


def same(got: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return len(got) == len(wanted) and all(map(np.array_equal, got, wanted))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@given(data=st.data(), frames=st.integers(0, 12), trace=st.booleans())
def test_any_plan_gives_the_network_s_outputs(
    data: st.DataObject, frames: int, trace: bool
) -> None:
    network = data.draw(networks())
    plan = data.draw(plans(network, PLATFORM))
    inputs = [fake_frame(network, number) for number in range(frames)]
    wanted = [reference_outputs(network, frame) for frame in inputs]
    with session_of(network, plan, trace=trace) as session:
        assert all(same(session.run(None, f), w) for f, w in zip(inputs, wanted, strict=True))
        results = list(session.stream(inputs))
        assert len(results) == frames
        assert all(map(same, results, wanted))
        measured = session.trace()
    if measured is not None:
        done = [(span.frame, span.segment) for span in measured.spans]
        assert len(set(done)) == len(done)
        assert {frame for frame, _ in done} == set(range(frames))


@given(data=st.data(), frames=st.integers(1, 6))
def test_caller_s_thread_keeps_the_order_of_the_simulation(
    data: st.DataObject, frames: int
) -> None:
    cuts = data.draw(st.lists(st.sampled_from([A, B, C]), min_size=4, max_size=4))
    lane = [((index,), unit) for index, unit in enumerate(cuts)]
    shares = [data.draw(st.integers(1, 3)) for _ in range(2)]
    plan = plan_for(CHAIN, PLATFORM, [lane, [(range(4), A)]], shares=shares)
    predicted = simulate(dispatch_graph(CHAIN, plan, PLATFORM), [[3, 1, 4, 1], [5]], frames).trace
    with session_of(CHAIN, plan, trace=True) as session:
        list(session.stream([fake_frame(CHAIN)] * frames))
        measured = session.trace()
    assert predicted is not None
    assert measured is not None
    assert [(s.frame, s.lane, s.segment, s.name, s.devices) for s in measured.spans] == [
        (s.frame, s.lane, s.segment, s.name, s.devices) for s in predicted.spans
    ]


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_measured_trace_is_a_schedule(plan: Plan) -> None:
    with session_of(CHAIN, plan, trace=True) as session:
        list(session.stream([fake_frame(CHAIN)] * 50))
        trace = session.trace()
    assert trace is not None
    assert trace.kind == "measured"
    graph = dispatch_graph(CHAIN, plan, PLATFORM)
    assert trace.start_ns == 0
    ends = {(span.frame, span.segment): span.end_ns for span in trace.spans}
    for span in trace.spans:
        for earlier in graph.lanes[span.lane][span.segment].predecessors:
            assert ends[span.frame, earlier] <= span.start_ns
    for device in graph.devices:
        here = [span for span in trace.spans if device in span.devices]
        assert all(a.end_ns <= b.start_ns for a, b in pairwise(here))


def test_trace_is_of_the_last_run_and_only_when_asked_for() -> None:
    with session_of(CHAIN, STEPS, trace=True) as session:
        session.run(None, fake_frame(CHAIN))
        session.run(None, fake_frame(CHAIN))
        trace = session.trace()
        assert trace is not None
        assert [(span.frame, span.name) for span in trace.spans] == [
            (0, "layer0"),
            (0, "layer1"),
            (0, "layer2..layer3"),
        ]
    with session_of(CHAIN, STEPS) as session:
        session.run(None, fake_frame(CHAIN))
        assert session.trace() is None


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_output_names_and_order(plan: Plan) -> None:
    network = fake_network([["x"], ["t0"], ["t1"], ["t2"]], outputs=["t3", "t1"])
    plan = plan_for(
        network,
        PLATFORM,
        [[(segment.layers, segment.unit) for segment in lane.segments] for lane in plan.lanes],
        frames_in_flight=plan.frames_in_flight,
    )
    frame = fake_frame(network)
    t3, t1 = reference_outputs(network, frame)
    with session_of(network, plan) as session:
        assert same(session.run(None, frame), [t3, t1])
        assert same(session.run(["t1"], frame), [t1])
        assert same(session.run(["t1", "t3"], frame), [t1, t3])
        assert same(next(session.stream([frame], ["t1"])), [t1])
        with pytest.raises(FrameError, match="no output 't2'"):
            session.run(["t2"], frame)
        with pytest.raises(FrameError, match="no output 't2'"):
            session.stream([frame], ["t2"])


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_wrong_frames(plan: Plan) -> None:
    good = fake_frame(CHAIN)
    with session_of(CHAIN, plan) as session:
        with pytest.raises(FrameError, match="missing input 'x'"):
            session.run(None, {})
        results = session.stream([good["x"], good, {"y": good["x"]}, good])
        next(results)
        next(results)
        with pytest.raises(FrameError, match="frame 2: missing input 'x', unknown input 'y'"):
            next(results)
        assert list(results) == []
        session.run(None, good)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_a_source_that_fails_comes_after_the_results_before_it(plan: Plan) -> None:
    def frames() -> Iterator[Tensor]:
        for number in range(7):
            yield fake_frame(CHAIN, number)["x"]
        raise OSError("camera gone")

    results = []
    with session_of(CHAIN, plan) as session, pytest.raises(OSError, match="camera gone"):
        for outputs in session.stream(frames()):
            results.append(outputs)
    wanted = [reference_outputs(CHAIN, fake_frame(CHAIN, number)) for number in range(7)]
    assert all(map(same, results, wanted))
    assert len(results) == 7


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_stream_pulls_lazily_and_not_far_ahead(plan: Plan) -> None:
    pulled = 0

    def frames() -> Iterator[Tensor]:
        nonlocal pulled
        while True:
            pulled += 1
            yield fake_frame(CHAIN)["x"]

    with session_of(CHAIN, plan) as session:
        results = session.stream(frames())
        assert pulled == 0
        for taken in range(1, 200):
            next(results)
            assert pulled <= taken + 4 * plan.frames_in_flight


def poisoned(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
    """Fails in the layer that the input names: for networks whose layers all read ``x``."""
    layer = int(inputs["x"].flat[0]) - 1000
    if layer in [layer.index for layer in segment.layers]:
        raise ValueError(f"poison\nfor {layer}")


ALL_READ_X = fake_network([["x"], ["x", "t0"], ["x", "t0"], ["x", "t1", "t2"]])
POISON_PLANS = [
    plan_for(ALL_READ_X, PLATFORM, [[(range(4), A)]]),
    plan_for(ALL_READ_X, PLATFORM, [[((0,), A), ((1,), B), ((2,), C), ((3,), A)]]),
    plan_for(
        ALL_READ_X,
        PLATFORM,
        [[((0,), A), ((1,), B), ((2,), C), ((3,), A)], [((0, 1), B), ((2, 3), C)]],
        shares=[2, 1],
        frames_in_flight=5,
    ),
]


@pytest.mark.parametrize("plan", POISON_PLANS)
def test_thousands_of_frames_with_failures(plan: Plan) -> None:
    random = np.random.default_rng(7)
    engine = FakeEngine(poisoned)
    wanted = [reference_outputs(ALL_READ_X, fake_frame(ALL_READ_X, n)) for n in range(100)]
    delivered = 0
    with session_of(ALL_READ_X, plan, engine) as session:
        while delivered < 2000:
            frames = [fake_frame(ALL_READ_X, number) for number in range(100)]
            fails_at, layer = int(random.integers(0, 100)), int(random.integers(0, 4))
            frames[fails_at]["x"][:] = 1000 + layer
            results = session.stream(frames)
            for number in range(fails_at):
                assert same(next(results), wanted[number])
                delivered += 1
            with pytest.raises(EngineError, match="poison for") as caught:
                next(results)
            assert isinstance(caught.value.__cause__, ValueError)
            lane_units = {
                segment.unit
                for lane in plan.lanes
                for segment in lane.segments
                if layer in segment.layers
            }
            assert caught.value.unit in lane_units
            assert caught.value.layer in {f"layer{index}" for index in range(layer + 1)}
            assert list(results) == []
            with pytest.raises(EngineError):
                session.run(None, frames[fails_at])
            assert same(session.run(None, fake_frame(ALL_READ_X, 3)), wanted[3])
    assert all(segment.closed for segment, _ in engine.compiled)


def test_no_frame_is_lost_or_doubled() -> None:
    engine = FakeEngine()
    with session_of(CHAIN, LANES, engine) as session:
        inputs = (fake_frame(CHAIN, number) for number in range(3000))
        for number, outputs in enumerate(session.stream(inputs)):
            assert same(outputs, reference_outputs(CHAIN, fake_frame(CHAIN, number)))
    assert number == 2999
    assert [segment.runs for segment, _ in engine.compiled] == [2000, 2000, 1000]


def test_branches_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def meet(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        if segment.layers[0].index in (1, 2):
            meeting.wait()

    plan = plan_for(DIAMOND, PLATFORM, [[((0,), A), ((1,), A), ((2,), B), ((3,), A)]])
    frame = fake_frame(DIAMOND)
    with session_of(DIAMOND, plan, FakeEngine(meet)) as session:
        for _ in range(20):
            assert same(session.run(None, frame), reference_outputs(DIAMOND, frame))


def test_frames_in_flight_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def meet(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        meeting.wait()

    plan = plan_for(CHAIN, PLATFORM, [[(range(4), unit)] for unit in (A, B, C)], frames_in_flight=3)
    with session_of(CHAIN, plan, FakeEngine(meet)) as session:
        assert len(list(session.stream([fake_frame(CHAIN)] * 30))) == 30


@pytest.mark.parametrize("plan", [PIPELINE, LANES])
def test_open_stream_keeps_others_out(plan: Plan) -> None:
    frame = fake_frame(CHAIN)
    with session_of(CHAIN, plan) as session:
        results = session.stream([frame] * 9)
        next(results)
        with pytest.raises(UserInputError, match="a stream is open"):
            session.run(None, frame)
        with pytest.raises(UserInputError, match="a stream is open"):
            next(session.stream([frame]))
        del results
        gc.collect()
        assert len(session.run(None, frame)) == 1


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_close(plan: Plan) -> None:
    engine = FakeEngine()
    session = session_of(CHAIN, plan, engine)
    results = session.stream([fake_frame(CHAIN)] * 100)
    next(results)
    session.close()
    session.close()
    assert all(segment.closed for segment, _ in engine.compiled)
    with pytest.raises(UserInputError, match="closed"):
        list(results)
    with pytest.raises(UserInputError, match="the session is closed"):
        session.run(None, fake_frame(CHAIN))
    with pytest.raises(UserInputError, match="the session is closed"):
        next(session.stream([fake_frame(CHAIN)]))


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_a_session_that_nobody_closed(plan: Plan) -> None:
    engine = FakeEngine()
    session = session_of(CHAIN, plan, engine)
    session.run(None, fake_frame(CHAIN))
    del session
    assert all(segment.closed for segment, _ in engine.compiled)


@pytest.mark.parametrize("plan", [STEPS, BRANCHES])
def test_tensors_go_when_their_last_reader_is_done(plan: Plan) -> None:
    """Where the engine makes them, as nobody knows how large they will be."""
    reads = [layer.inputs for layer in (CHAIN if plan is STEPS else DIAMOND).layers]
    network = fake_network(reads, shape=None)
    own_plan = replace(plan, network_hash=network.content_hash)
    made: dict[str, weakref.ref[Any]] = {}
    alive: dict[int, set[str]] = {}

    def watch(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        made.update({name: weakref.ref(array) for name, array in inputs.items()})
        alive[segment.layers[-1].index] = {name for name, ref in made.items() if ref() is not None}

    frame = fake_frame(network)
    with session_of(network, own_plan, FakeEngine(watch)) as session:
        session.run(None, frame)
    assert alive[3] == ({"x", "t1"} if plan is STEPS else {"x", "t1", "t2"})


def test_engines_may_spin_only_where_they_are_alone() -> None:
    engine = FakeEngine()
    with session_of(CHAIN, STEPS, engine):
        pass
    assert [(s.unit.name, exclusive) for s, exclusive in engine.compiled] == [
        (A, False),
        (B, True),
        (A, False),
    ]


def test_lanes_share_a_segment_that_they_have_in_common() -> None:
    plan = plan_for(
        CHAIN, PLATFORM, [[((0, 1), A), ((2, 3), B)], [((0, 1), A), ((3, 2), C)]], shares=[1, 1]
    )
    engine = FakeEngine()
    with session_of(CHAIN, plan, engine) as session:
        list(session.stream([fake_frame(CHAIN)] * 6))
    assert [(s.runs, exclusive) for s, exclusive in engine.compiled] == [
        (6, True),
        (3, True),
        (3, True),
    ]


def test_plan_is_checked() -> None:
    with pytest.raises(PlanFileError, match="is for network"):
        session_of(DIAMOND, WHOLE)


def test_engine_that_is_not_here() -> None:
    with pytest.raises(EngineError, match="'fake', which is not here; there are: other") as caught:
        Session(CHAIN, WHOLE, engines={"other": FakeEngine()}, platform=PLATFORM)
    assert caught.value.unit == A


def test_engine_that_refuses() -> None:
    class Refusing(FakeEngine):
        def compile(
            self,
            segment: Subnetwork,
            unit: ComputeUnit,
            *,
            exclusive: bool = True,
            profile: bool = False,
        ) -> FakeSegment:
            if segment.layers[0].index == 1:
                raise ValueError("no\nsuch kernel")
            return super().compile(segment, unit, exclusive=exclusive, profile=profile)

    engine = Refusing()
    message = "fake:b@fp32 refused segment layer1: no such kernel"
    with pytest.raises(EngineError, match=message) as caught:
        session_of(CHAIN, STEPS, engine)
    assert (caught.value.layer, caught.value.unit) == ("layer1", B)
    assert [segment.closed for segment, _ in engine.compiled] == [True]


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_engine_s_own_error_gets_layer_and_unit(plan: Plan) -> None:
    own = EngineError("out of memory")

    def fail(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        raise own

    with session_of(CHAIN, plan, FakeEngine(fail)) as session:
        with pytest.raises(EngineError, match=r"^out of memory$") as caught:
            session.run(None, fake_frame(CHAIN))
        assert caught.value is own
        assert (own.layer, own.unit) == ("layer0", plan.lanes[0].segments[0].unit)


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_engine_that_returns_too_few(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSegment, "run", lambda self, inputs, outputs=None: [])
    message = "returned (0 tensors instead of 1|other tensors than it was lent) in segment layer0"
    with session_of(CHAIN, plan) as session, pytest.raises(EngineError, match=message):
        session.run(None, fake_frame(CHAIN))
