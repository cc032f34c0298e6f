"""What a session does when a unit fails; the random cases are in the kill test."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from counterpoint.engines.faulty import FaultyEngine, Injection
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, InternalError, NoUnitLeftError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.checked_assembly import Checking
from counterpoint.schedule.faults import casualties
from counterpoint.schedule.pace import Pace
from counterpoint.schedule.perfetto import write_perfetto
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.recovery import Fallback, Replan, log_incident
from counterpoint.schedule.session import Session
from counterpoint.schedule.spot_check import SpotCheck
from counterpoint.schedule.trace import Incident
from counterpoint.schedule.watchdog import HangLimits
from tests.fake_engine import (
    FakeEngine,
    fake_frame,
    fake_network,
    fake_platform,
    reference_outputs,
)
from tests.schedule.hanging import LIMITS, HangingEngine, sure_watchdog
from tests.schedule.random_plans import plan_for

CHAIN = fake_network([["x"], ["t0"], ["t1"]])
PLATFORM = fake_platform("a", "b", "c")
A, B, C = (unit.name for unit in PLATFORM.units)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(30)  # one that hung and was released
    assert set(threading.enumerate()) <= before


def on(*units: str, frames_in_flight: int = 3) -> Plan:
    """A layer on each of those units, the last one with the rest."""
    rest = tuple(range(len(units) - 1, 3))
    lane = [((index,), unit) for index, unit in enumerate(units[:-1])] + [(rest, units[-1])]
    return plan_for(CHAIN, PLATFORM, [lane], frames_in_flight=frames_in_flight)


def to_the_rest(lost: frozenset[str]) -> Plan | str:
    left = [name for name in (A, B, C) if name not in lost]
    return on(*left[:3]) if left else "all three have failed"


def session_of(
    engine: HangingEngine,
    plan: Plan,
    replan: Replan = to_the_rest,
    *,
    reported: list[Incident] | None = None,
    checking: Checking | None = None,
) -> Session:
    report = log_incident if reported is None else reported.append
    return Session(
        CHAIN,
        plan,
        engines={"fake": engine},
        platform=PLATFORM,
        trace=True,
        fallback=Fallback(replan, LIMITS, report),
        checking=checking,
        watchdog=sure_watchdog(engine),
    )


def faulty(*injections: Injection) -> HangingEngine:
    return HangingEngine(FakeEngine(), injections)


def frame(number: int) -> dict[str, Tensor]:
    return fake_frame(CHAIN, number)


def is_right(number: int, outputs: Sequence[Tensor]) -> bool:
    wanted = reference_outputs(CHAIN, frame(number))
    return [x.tolist() for x in outputs] == [x.tolist() for x in wanted]


def check_stream(session: Session, count: int = 12) -> None:
    results = list(session.stream(frame(number) for number in range(count)))
    assert len(results) == count
    assert all(is_right(number, outputs) for number, outputs in enumerate(results))


def test_a_failure_is_an_error_unless_falling_back_is_asked_for() -> None:
    engine = faulty(Injection("run", B, at=1, lasting=False))
    with Session(CHAIN, on(A, B), engines={"fake": engine}, platform=PLATFORM) as session:
        session.run(None, frame(0))
        with pytest.raises(EngineError, match="injected") as caught:
            session.run(None, frame(1))
        assert caught.value.unit == B
        assert caught.value.layer == "layer1"
        assert is_right(2, session.run(None, frame(2)))
        assert session.incidents == ()


@pytest.mark.parametrize("kind", ["run", "transfer"])
def test_frames_under_way_start_again_without_the_unit(kind: str) -> None:
    reported: list[Incident] = []
    engine = faulty(Injection(kind, B, at=4))  # type: ignore[arg-type]
    with session_of(engine, on(A, B), reported=reported) as session:
        check_stream(session)
        assert session.units_lost == {B}
        assert session.plan.units == (A, C)
        check_stream(session)
        trace = session.trace()
    assert [incident.kind for incident in reported] == ["run", "replanned"]
    assert B in reported[0].message
    assert reported[0].frame == 4
    assert reported[1].message.startswith(f"going on with {A} + {C}: ")
    assert trace is not None
    assert [incident.kind for incident in trace.incidents] == ["run", "replanned"]
    assert trace.incidents[0].frame is None  # of an earlier stream
    assert engine.open == 0


def test_the_trace_shows_what_failed_and_what_ran_instead(tmp_path: Path) -> None:
    with session_of(faulty(Injection("run", B, at=2)), on(A, B), reported=[]) as session:
        check_stream(session, 6)
        trace = session.trace()
    assert trace is not None
    fault, replanned = trace.incidents
    assert (fault.kind, fault.unit, fault.frame) == ("run", B, 2)
    before = {span.unit for span in trace.spans if span.end_ns <= fault.time_ns}
    after = {span.unit for span in trace.spans if span.start_ns >= replanned.time_ns}
    assert B in before
    assert after == {A, C}
    assert [span.frame for span in trace.spans if span.segment == 0].count(2) >= 2
    write_perfetto(tmp_path / "trace.json", [trace])
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    marks = [event for event in events if event["ph"] == "i"]
    assert [mark["cat"] for mark in marks] == ["run", "replanned"]
    assert "injected" in marks[0]["name"]


def test_a_unit_that_cannot_compile_is_left_out_from_the_start() -> None:
    reported: list[Incident] = []
    with session_of(faulty(Injection("compile", A, at=0)), on(A, B), reported=reported) as session:
        check_stream(session)
        assert session.plan.units == (B, C)
    assert [incident.kind for incident in reported] == ["compile"]


def test_a_unit_that_cannot_compile_the_new_plan_is_lost_too() -> None:
    reported: list[Incident] = []
    engine = faulty(Injection("run", B, at=2), Injection("compile", C, at=0))
    with session_of(engine, on(A, B), reported=reported) as session:
        check_stream(session)
        assert session.units_lost == {B, C}
        assert session.plan.units == (A,)
    assert [incident.kind for incident in reported] == ["run", "compile", "replanned"]


def test_what_is_compiled_and_still_needed_is_kept() -> None:
    engine = faulty(Injection("run", B, at=2))
    inside = engine._inside
    assert isinstance(inside, FakeEngine)

    def keep_a(lost: frozenset[str]) -> Plan:
        return on(A, C)

    with session_of(engine, on(A, B), keep_a, reported=[]) as session:
        check_stream(session)
    assert [segment.unit.name for segment, _ in inside.compiled] == [A, B, C]


def test_a_call_that_hangs_is_given_up() -> None:
    reported: list[Incident] = []
    engine = faulty(Injection("hang", B, at=2))
    with session_of(engine, on(A, B), reported=reported) as session:
        check_stream(session)
        assert session.units_lost == {B}
        assert engine.hanging == {B: 1}
        hung = next(incident for incident in reported if incident.unit == B)
    assert hung.message == f"{B} hangs in segment layer1..layer2: no result after 0.008 s"
    assert engine.open == 1  # what hangs must not be closed
    engine.release()


def test_a_call_is_given_up_after_its_limit() -> None:
    engine = faulty(Injection("hang", A, at=0))
    limits = HangLimits(floor_ns=1_000_000_000, unknown_ns=1_000_000_000)
    with Session(
        CHAIN,
        on(A),
        engines={"fake": engine},
        platform=PLATFORM,
        fallback=Fallback(to_the_rest, limits),
    ) as session:
        assert is_right(0, session.run(None, frame(0)))
        hang = session.incidents[0]
        assert hang.kind == "hang"
        assert hang.time_ns >= 1_000_000_000
    engine.release()


def test_what_hung_closes_its_segment_when_it_comes_back() -> None:
    engine = faulty(Injection("hang", B, at=0))
    with session_of(engine, on(A, B), reported=[]) as session:
        check_stream(session)
        (stuck,) = [thread for thread in threading.enumerate() if thread.name == "b"]
        engine.release()
        stuck.join(30)
        assert not stuck.is_alive()
        check_stream(session)
    assert engine.open == 0


def test_closing_does_not_wait_for_what_hangs() -> None:
    engine = faulty(Injection("hang", A, at=0))
    session = session_of(engine, on(A, B), reported=[])
    future = session.run_async(None, frame(0))
    assert engine.hung.wait(30)
    session.close()
    error = future.exception(30)
    if error is not None:  # otherwise it was given up and done again before the close
        assert isinstance(error, UserInputError)
        assert "closed" in str(error)
    engine.release()


def test_no_unit_left_is_one_clear_line_and_lasts() -> None:
    engine = faulty(*(Injection("run", name, at=1) for name in (A, B, C)))
    with session_of(engine, on(A, B), reported=[]) as session:
        results = session.stream(frame(number) for number in range(9))
        assert is_right(0, next(results))
        with pytest.raises(NoUnitLeftError) as caught:
            list(results)
        told = str(caught.value)
        assert told.startswith("nothing is left to run fake: ")
        assert told.endswith("; all three have failed")
        assert all(name in told for name in (A, B, C))
        for _ in range(2):
            with pytest.raises(NoUnitLeftError):
                session.run(None, frame(0))
    assert engine.open == 0


def test_the_session_returns_to_a_unit_only_when_asked() -> None:
    engine = faulty(Injection("run", B, at=1, lasting=False))
    with session_of(engine, on(A, B), reported=[]) as session:
        check_stream(session)
        check_stream(session)
        assert session.plan.units == (A, C)
        session.restore()
        assert session.plan.units == (A, B)
        assert session.units_lost == frozenset()
        check_stream(session)
        assert session.plan.units == (A, B)
        assert [incident.kind for incident in session.incidents] == ["run", "replanned"]


def test_restoring_after_the_last_unit_failed() -> None:
    engine = faulty(*(Injection("run", name, at=0, lasting=False) for name in (A, B, C)))
    with session_of(engine, on(A, B), reported=[]) as session:
        with pytest.raises(NoUnitLeftError):
            session.run(None, frame(0))
        session.restore()
        assert is_right(1, session.run(None, frame(1)))


def test_restoring_needs_a_session_at_rest() -> None:
    with session_of(faulty(), on(A, B), reported=[]) as session:
        results = session.stream(frame(number) for number in range(9))
        next(results)
        with pytest.raises(UserInputError, match="frames are under way"):
            session.restore()
        list(results)
        session.restore()
    with pytest.raises(UserInputError, match="closed"):
        session.restore()


def test_more_frames_may_be_under_way_afterwards() -> None:
    def wider(lost: frozenset[str]) -> Plan:
        return on(A, C, frames_in_flight=5)

    engine = faulty(Injection("run", B, at=0))
    with session_of(engine, on(A, B, frames_in_flight=1), wider, reported=[]) as session:
        futures = [session.run_async(None, frame(number)) for number in range(30)]
        assert all(is_right(number, future.result(30)) for number, future in enumerate(futures))


def test_a_failure_is_logged_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING, "counterpoint"),
        session_of(faulty(Injection("run", B, at=0)), on(A, B)) as session,
    ):
        check_stream(session)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert B in caplog.text
    assert "going on with" in caplog.text


def test_a_listener_that_raises_ends_nothing() -> None:
    def complain(incident: Incident) -> None:
        raise RuntimeError("I do not want to know")

    fallback = Fallback(to_the_rest, report=complain)
    engine = faulty(Injection("run", B, at=0))
    with Session(
        CHAIN, on(A, B), engines={"fake": engine}, platform=PLATFORM, fallback=fallback
    ) as session:
        check_stream(session)


def test_a_new_plan_with_a_lost_unit_is_refused() -> None:
    engine = faulty(Injection("run", B, at=0))
    with (
        session_of(engine, on(A, B), lambda lost: on(A, B), reported=[]) as session,
        pytest.raises(EngineError, match=f"the new plan uses {B}, which failed"),
    ):
        session.run(None, frame(0))


def test_our_own_bug_in_planning_reaches_the_caller() -> None:
    def broken(lost: frozenset[str]) -> Plan:
        raise KeyError("bug")

    engine = faulty(Injection("run", B, at=0))
    with (
        session_of(engine, on(A, B), broken, reported=[]) as session,
        pytest.raises(InternalError, match="please report it") as caught,
    ):
        session.run(None, frame(0))
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_callback_during_recovery_cannot_run_frames() -> None:
    answers: list[BaseException | None] = []
    engine = faulty(*(Injection("run", name, at=0) for name in (A, B, C)))
    with session_of(engine, on(A), reported=[]) as session:
        future = session.run_async(None, frame(0))

        def run_another(_: object) -> None:
            try:
                session.run_async(None, frame(1))
            except Exception as error:
                answers.append(error)

        future.add_done_callback(run_another)
        assert isinstance(future.exception(30), NoUnitLeftError)
    assert len(answers) == 1


def test_an_emulated_machine_does_not_fail() -> None:
    with pytest.raises(UserInputError, match="emulated"):
        Session(
            CHAIN,
            on(A, B),
            engines={"fake": FakeEngine()},
            platform=PLATFORM,
            pace=Pace(),
            fallback=Fallback(to_the_rest),
        )


# What is lost with a unit


def test_a_gpu_is_lost_as_a_whole_and_a_cpu_unit_by_itself() -> None:
    cpu, gpu = Device("CPU", DeviceKind.CPU), Device("GPU.0", DeviceKind.GPU, memory="GPU.0")
    units = tuple(
        ComputeUnit(engine, (device,), precision)
        for engine in ("one", "two")
        for device in (cpu, gpu)
        for precision in ("fp32", "fp16")
    )
    platform = Platform("m", "f", (cpu, gpu), units)
    assert casualties("one:CPU@fp32", platform) == {"one:CPU@fp32"}
    assert casualties("one:GPU.0@fp16", platform) == {
        f"{engine}:GPU.0@{precision}" for engine in ("one", "two") for precision in ("fp32", "fp16")
    }
    assert casualties("reference:CPU@fp32", platform) == {"reference:CPU@fp32"}


# Spot checks


def checking(rate: float, arbiter: FaultyEngine | None = None) -> Checking:
    return Checking(SpotCheck(rate), arbiter)


def reference(*injections: Injection) -> FaultyEngine:
    return FaultyEngine(FakeEngine(name="reference"), injections)


def test_wrong_numbers_are_an_error_without_falling_back() -> None:
    engine = faulty(Injection("wrong numbers", B, at=2))
    with Session(
        CHAIN,
        on(A, B, frames_in_flight=1),
        engines={"fake": engine},
        platform=PLATFORM,
        checking=checking(1.0, reference()),
    ) as session:
        results = session.stream(frame(number) for number in range(9))
        assert is_right(0, next(results))  # for which B was called twice: it checks A
        with pytest.raises(EngineError, match="other numbers than") as caught:
            next(results)
        assert caught.value.unit == B


def test_a_unit_with_wrong_numbers_is_left_out() -> None:
    reported: list[Incident] = []
    arbiter = reference()
    engine = faulty(Injection("wrong numbers", B, at=2))
    with session_of(
        engine, on(A, B), reported=reported, checking=checking(1.0, arbiter)
    ) as session:
        check_stream(session)
        assert session.units_lost == {B}
    assert [incident.kind for incident in reported] == ["wrong numbers", "replanned"]
    assert (engine.open, arbiter.open) == (0, 0)


def test_the_arbiter_finds_the_checking_unit_at_fault() -> None:
    reported: list[Incident] = []
    engine = faulty(Injection("wrong numbers", C, at=0))  # C checks; the plan does not use it
    with session_of(
        engine, on(A, B), reported=reported, checking=checking(1.0, reference())
    ) as session:
        # A is checked by B, B by A: C is asked only once one of them is gone.
        assert session.units_lost == frozenset()
        check_stream(session)
    engine = faulty(Injection("wrong numbers", A, at=0))
    plan = on(C, frames_in_flight=1)
    with session_of(
        engine, plan, reported=reported, checking=checking(1.0, reference())
    ) as session:
        check_stream(session)
        assert session.units_lost == {A}
        assert session.plan == plan


def test_without_an_arbiter_the_checking_unit_is_believed() -> None:
    engine = faulty(Injection("wrong numbers", A, at=0, lasting=False))
    with session_of(engine, on(C), reported=[], checking=checking(1.0)) as session:
        check_stream(session)
        assert session.units_lost == {C}


def test_checks_are_spread_over_the_frames() -> None:
    with session_of(faulty(), on(A, B), reported=[], checking=checking(0.25)) as session:
        check_stream(session, 40)
        trace = session.trace()
    assert trace is not None
    checks = [span for span in trace.spans if span.name.startswith("check of ")]
    assert {span.unit for span in checks} == {A, B}
    checked = sorted({span.frame for span in checks})
    assert len(checked) == 10
    assert len(checks) == 20  # each of two segments
    assert {later - earlier for earlier, later in pairwise(checked)} == {4}


def test_a_segment_that_nobody_can_check_is_refused() -> None:
    alone = fake_platform("a")
    network: Network = CHAIN
    plan = plan_for(network, alone, [[((0, 1, 2), A)]])
    for fallback in (None, Fallback(to_the_rest)):
        with pytest.raises(UserInputError, match=r"no other unit can check segment layer0\.\."):
            Session(
                network,
                plan,
                engines={"fake": FakeEngine()},
                platform=alone,
                checking=checking(0.5),
                fallback=fallback,
            )


def test_checks_end_with_a_word_when_nobody_is_left_to_make_them() -> None:
    reported: list[Incident] = []
    engine = faulty(Injection("run", B, at=0), Injection("run", C, at=0))
    with session_of(engine, on(A, B), reported=reported, checking=checking(1.0)) as session:
        check_stream(session)
        assert session.plan.units == (A,)
    assert "unchecked" in [incident.kind for incident in reported]


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan")])
def test_rates_are_parts_of_the_frames(rate: float) -> None:
    with pytest.raises(UserInputError, match="give 0 to 1"):
        SpotCheck(rate)
