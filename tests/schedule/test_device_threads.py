from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import InternalError, MachineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import Device, DeviceKind
from counterpoint.schedule.dispatcher import Command, Dispatcher, Event, SegmentFinished
from counterpoint.schedule.session import Session
from tests.fake_engine import FakeEngine, fake_frame, fake_network, fake_platform
from tests.schedule.random_plans import plan_for

CHAIN = fake_network([["x"], ["t0"]])
LOW = Device("CPU.0", DeviceKind.CPU, cores=(0, 1))
HIGH = Device("CPU.1", DeviceKind.CPU, cores=(2, 3))
ALL = Device("CPU", DeviceKind.CPU, cores=(0, 2))  # two cores with two threads each


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, ...]]:
    """A machine of four processors; who was pinned where."""
    seen: dict[str, tuple[int, ...]] = {}

    def pin(native_id: int, cores: tuple[int, ...]) -> None:
        (name,) = [t.name for t in threading.enumerate() if t.native_id == native_id]
        seen[name] = cores

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", pin, raising=False)
    return seen


def session_on(engine: FakeEngine, *devices: Device) -> Session:
    platform = fake_platform(*devices)
    lane: list[tuple[tuple[int, ...], str]] = [
        ((index,), unit.name) for index, unit in enumerate(platform.units)
    ]
    if len(lane) == 1:
        lane = [((0, 1), lane[0][1])]
    plan = plan_for(CHAIN, platform, [lane])
    return Session(CHAIN, plan, engines={"fake": engine}, platform=platform)


def test_groups_of_cores_run_on_threads_of_their_own(pinned: dict[str, tuple[int, ...]]) -> None:
    engine = FakeEngine()
    with session_on(engine, LOW, HIGH) as session:
        session.run(None, fake_frame(CHAIN))
        list(session.stream([fake_frame(CHAIN)] * 3))
    assert pinned == {"CPU.0": (0, 1), "CPU.1": (2, 3)}
    assert [segment.threads for segment, _ in engine.compiled] == [{"CPU.0"}, {"CPU.1"}]


def test_whole_cpu_stays_on_the_caller_s_thread(pinned: dict[str, tuple[int, ...]]) -> None:
    engine = FakeEngine()
    with session_on(engine, ALL) as session:
        session.run(None, fake_frame(CHAIN))
    assert pinned == {}
    assert engine.compiled[0][0].threads == {threading.current_thread().name}


@pytest.mark.usefixtures("pinned")
def test_processors_that_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(native_id: int, cores: tuple[int, ...]) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    engine = FakeEngine()
    with pytest.raises(MachineError, match=r"CPU\.0 on processors \[0, 1\]: Invalid argument"):
        session_on(engine, LOW, HIGH)
    assert all(segment.closed for segment, _ in engine.compiled)


def test_system_without_pinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    engine = FakeEngine()
    with session_on(engine, LOW, HIGH) as session:
        session.run(None, fake_frame(CHAIN))
    assert engine.compiled[0][0].threads == {threading.current_thread().name}


def test_pinning_holds_on_this_machine() -> None:
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs Linux and two processors")
    available = sorted(os.sched_getaffinity(0))
    seen: list[set[int]] = []

    def look(segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        seen.append(os.sched_getaffinity(0))

    one = Device("CPU.0", DeviceKind.CPU, cores=(available[0],))
    other = Device("CPU.1", DeviceKind.CPU, cores=(available[1],))
    with session_on(FakeEngine(look), one, other) as session:
        session.run(None, fake_frame(CHAIN))
    assert seen == [{available[0]}, {available[1]}]
    assert sorted(os.sched_getaffinity(0)) == available


@pytest.mark.usefixtures("pinned")
def test_our_own_bug_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Dispatcher.handle

    def broken(self: Dispatcher, event: Event) -> list[Command]:
        if isinstance(event, SegmentFinished):
            raise KeyError("bug")
        return handle(self, event)

    monkeypatch.setattr(Dispatcher, "handle", handle)
    with session_on(FakeEngine(), LOW, HIGH) as session:
        monkeypatch.setattr(Dispatcher, "handle", broken)
        for _ in range(2):
            with pytest.raises(InternalError, match="please report it") as caught:
                session.run(None, fake_frame(CHAIN))
            assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(InternalError):
            list(session.stream([fake_frame(CHAIN)]))


@pytest.mark.usefixtures("pinned")
def test_an_engine_that_ends_the_thread_hangs_nobody() -> None:
    def leave(segment: Subnetwork, inputs: Mapping[str, Any]) -> None:
        raise SystemExit

    with session_on(FakeEngine(leave), LOW, HIGH) as session, pytest.raises(InternalError):
        session.run(None, fake_frame(CHAIN))
