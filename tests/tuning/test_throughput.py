from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

import counterpoint as cp
from counterpoint.api import Machine, as_planned
from counterpoint.costs.objective import Objective
from counterpoint.costs.store import Store
from counterpoint.engines.protocol import InstalledStream, Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.platform.model import Device, DeviceKind, Platform
from counterpoint.schedule.plan import check_plan
from counterpoint.schedule.session import Session
from counterpoint.tuning import stream_comparison, stream_meter, throughput
from counterpoint.tuning.throughput import ThroughputResult, tune_throughput
from counterpoint.tuning.verification import compare
from tests.tuning.small_network import CHANNELS, EDGE, small_network
from tests.tuning.wrapped_engine import CPU, WrappedEngine

QUICK = SamplingSettings(warmup_ns=0, budget_ns=2_000_000, min_count=3, max_count=5)
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
PARTS = tuple(
    Device(f"CPU.{index}", DeviceKind.CPU, cores=(core,), likeness="1-test")
    for index, core in enumerate(CORES[:2])
)

needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores for lanes")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_meter, "STREAM_NS", 5_000_000)
    monkeypatch.setattr(stream_comparison, "RUN_NS", 2_000_000)
    monkeypatch.setattr(throughput, "COMPARED_ROUNDS", 2)


def machine(*engines: WrappedEngine) -> tuple[Platform, dict[str, WrappedEngine]]:
    devices = (replace(CPU, cores=tuple(CORES)), *PARTS)
    units = tuple(unit for engine in engines for unit in engine.units(devices))
    return Platform("test", "test", devices, units), {engine.name: engine for engine in engines}


def tuned(
    *engines: WrappedEngine, store: Store | None = None, **options: object
) -> ThroughputResult:
    platform, by_name = machine(*engines)
    return tune_throughput(
        small_network(),
        platform=platform,
        engines=by_name,
        store=store or Store.in_memory(),
        settings=QUICK,
        **options,  # type: ignore[arg-type]
    )


class OneByOne:
    """An engine's own mode that runs frame after frame."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.runs = 0

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        assert [tensor.shape for tensor in inputs] == [spec.shape for spec in self.network.inputs]
        self.runs += count

    def close(self) -> None:
        pass


class WithMode(WrappedEngine):
    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        return {"own mode": OneByOne}


@needs_two_cores
def test_lanes_side_by_side_run_by_the_plan() -> None:
    engine = WrappedEngine("quick")
    result = tuned(engine, batches=(1, 2), method="replicate")
    plan = result.plan
    assert plan.objective is Objective.THROUGHPUT
    assert [lane.segments[0].unit for lane in plan.lanes] == [
        "quick:CPU.0@fp32",
        "quick:CPU.1@fp32",
    ]
    assert plan.frames_in_flight == 4
    assert plan.cpu_parts == {"CPU.0": (CORES[0],), "CPU.1": (CORES[1],)}
    assert plan.batch in (1, 2)
    assert plan.prediction.interval_ns is not None
    assert plan.measured_interval is not None
    assert {streamed.batch for streamed in result.streamed} == {1, 2}
    assert result.verification.passed
    network = as_planned(small_network(), plan)
    platform, by_name = machine(engine)
    check_plan(plan, network, platform)
    shape = (plan.batch, CHANNELS, EDGE, EDGE)
    frames = [np.full(shape, index / 8, np.float32) for index in range(8)]
    with Session(network, plan, engines=by_name, platform=platform) as session:
        streamed = [outputs[0] for outputs in session.stream(frames)]
        alone = [session.run(None, {"input": frame})[0] for frame in frames]
    for one, other in zip(streamed, alone, strict=True):
        assert compare([[one]], [[other]], 1e-5).passed


def test_when_the_time_is_over_there_is_a_plan_and_nothing_more_is_tried() -> None:
    result = tuned(WrappedEngine("quick"), batches=(1, 2), method="auto", limit=TimeLimit(0))
    assert {streamed.batch for streamed in result.streamed} == {1}
    assert result.planned is None
    assert result.plan.measured_interval is not None


@needs_two_cores
def test_a_mix_is_found_after_the_time_where_no_unit_runs_everything() -> None:
    head = WrappedEngine("head", refuse=lambda x: "too deep" if x.index > 2 else None)
    tail = WrappedEngine("tail", refuse=lambda x: "too early" if x.index < 3 else None)
    result = tuned(head, tail, batches=(1,), limit=TimeLimit(0))
    assert len(result.streamed) == 1


def test_a_single_unit_when_that_is_asked_for() -> None:
    result = tuned(WrappedEngine("quick"), batches=(1,), method="single")
    assert result.plan.units == ("quick:CPU@fp32",)
    assert result.plan.frames_in_flight == 1
    assert result.planned is None


@needs_two_cores
def test_a_mix_when_no_unit_runs_everything() -> None:
    head = WrappedEngine("head", refuse=lambda x: "too deep" if x.index > 2 else None)
    tail = WrappedEngine("tail", refuse=lambda x: "too early" if x.index < 3 else None)
    result = tuned(head, tail, batches=(1,))
    assert result.planned is not None
    for lane in result.plan.lanes:
        assert [segment.unit.partition(":")[0] for segment in lane.segments] == ["head", "tail"]
    assert result.plan.prediction.lower_bound is not None
    assert result.plan.prediction.interval_ns is not None
    assert result.plan.prediction.lower_bound <= result.plan.prediction.interval_ns


def test_the_engines_own_modes_run_the_same_images() -> None:
    result = tuned(WithMode("quick"), batches=(1, 4), method="single")
    (mode,) = result.installed
    assert mode.label == "quick own mode"
    assert {result.winner, mode.label} <= set(result.comparison.samples)
    assert result.images % 4 == 0


def test_streams_are_kept_between_runs() -> None:
    store = Store.in_memory()
    first = tuned(WrappedEngine("quick"), store=store, batches=(1,), method="single")
    engine = WrappedEngine("quick")
    second = tuned(engine, store=store, batches=(1,), method="single")
    assert [s.interval_ns for s in first.streamed] == [s.interval_ns for s in second.streamed]


def test_a_plan_that_computes_something_else_is_refused() -> None:
    wrong = WrappedEngine("wrong", spoil=lambda tensor: np.asarray(1.01 * tensor, np.float32))  # type: ignore[operator]
    with pytest.raises(EngineError, match=r"wrong:CPU@fp32, batch 1: off by 0\.01,"):
        tuned(wrong, batches=(1,), method="single")


def test_limits_and_methods_that_cannot_be_met_are_told() -> None:
    with pytest.raises(UserInputError, match=r"latency of 0\.001 ms or less"):
        tuned(WrappedEngine("quick"), batches=(1,), method="single", max_latency_ns=1000)
    with pytest.raises(UserInputError, match="unknown method 'best'"):
        tuned(WrappedEngine("quick"), batches=(1,), method="best")


@needs_two_cores
def test_the_session_takes_the_network_at_the_plans_batch() -> None:
    engine = WrappedEngine("quick")
    plan = tuned(engine, batches=(2,), method="replicate").plan
    platform, by_name = machine(engine)
    with cp.Session(small_network(), plan, machine=Machine(platform, by_name)) as session:
        (outputs,) = session.run(None, {"input": np.zeros((2, CHANNELS, EDGE, EDGE), np.float32)})
    assert outputs.shape[0] == 2
