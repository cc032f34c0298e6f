from __future__ import annotations

import numpy as np
import pytest

from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.plan import check_plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.tune import TuneResult, chosen_units, tune
from counterpoint.tuning.verification import compare
from tests.tuning.small_network import CHANNELS, EDGE, small_network
from tests.tuning.wrapped_engine import CPU, WrappedEngine, machine

QUICK = SamplingSettings(warmup_ns=0, budget_ns=5_000_000, min_count=5, max_count=9)


def tuned(*engines: WrappedEngine, store: Store | None = None, **options: object) -> TuneResult:
    platform, by_name = machine(*engines)
    return tune(
        small_network(),
        platform=platform,
        engines=by_name,
        store=store or Store.in_memory(),
        settings=QUICK,
        **options,  # type: ignore[arg-type]
    )


def slow_at(*names: str) -> WrappedEngine:
    """An engine that takes forty times as long at those layers."""
    name = "without_" + "_".join(names)
    return WrappedEngine(name, repeats=lambda layer: 40 if layer.name in names else 1)


def test_a_single_unit_that_is_best_is_the_plan() -> None:
    result = tuned(WrappedEngine("quick"), slow_at("conv0", "conv1", "conv2", "conv3", "conv4"))
    assert result.winner == "quick:CPU@fp32"
    assert not result.ended_early
    (lane,) = result.plan.lanes
    assert [segment.layers for segment in lane.segments] == [(0, 1, 2, 3, 4)]
    assert result.verification.passed
    assert result.plan.measured_latency is not None
    bound = result.plan.prediction.lower_bound
    assert bound is not None
    assert bound <= result.plan.prediction.latency_ns


def test_layers_go_where_they_are_quick_and_the_plan_runs() -> None:
    engines = slow_at("conv0", "conv1"), slow_at("conv3", "conv4")
    result = tuned(*engines)
    (lane,) = result.plan.lanes
    by_layer = {index: s.unit for s in lane.segments for index in s.layers}
    assert by_layer[0] == by_layer[1] == "without_conv3_conv4:CPU@fp32"
    assert by_layer[3] == by_layer[4] == "without_conv0_conv1:CPU@fp32"
    platform, by_name = machine(*engines)
    network = small_network()
    check_plan(result.plan, network, platform)
    frame = {"input": np.ones((1, CHANNELS, EDGE, EDGE), np.float32)}
    with Session(network, result.plan, engines=by_name, platform=platform) as session:
        mixed = session.run(None, frame)
    whole = WrappedEngine("x").compile(network.whole(), ComputeUnit("x", (CPU,), "fp32"))
    assert compare([mixed], [whole.run([frame["input"]])], 1e-5).passed


def test_layers_that_one_engine_refuses_go_to_the_other() -> None:
    picky = WrappedEngine("picky", refuse=lambda x: "too deep" if x.index > 2 else None)
    slow = WrappedEngine("slow", repeats=lambda _layer: 30)
    result = tuned(picky, slow)
    units = [segment.unit for segment in result.plan.lanes[0].segments]
    assert units == ["picky:CPU@fp32", "slow:CPU@fp32"]
    assert any("picky:CPU@fp32 refuses conv3: too deep" in line for line in result.rejected)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda tensor: tensor * np.float32(1.01), "is off by"),
        (lambda tensor: np.full_like(tensor, np.nan), "not finite"),
    ],
)
def test_a_quick_engine_that_computes_something_else_is_never_chosen(
    spoil: object, told: str
) -> None:
    wrong = WrappedEngine("wrong", spoil=spoil)  # type: ignore[arg-type]
    slow = WrappedEngine("slow", repeats=lambda _layer: 8)
    result = tuned(wrong, slow)
    assert result.plan.units == ("slow:CPU@fp32",)
    assert any(told in line for line in result.rejected)


def test_when_every_engine_is_wrong_there_is_no_plan() -> None:
    def spoil(tensor: Tensor) -> Tensor:
        return np.asarray(tensor, np.float32) + np.float32(1)

    with pytest.raises(EngineError, match="no plan for small runs and computes"):
        tuned(WrappedEngine("wrong", spoil=spoil))


def test_a_layer_that_nobody_runs_is_named_with_the_reason() -> None:
    picky = WrappedEngine("picky", refuse=lambda x: "no fourths" if x.name == "conv3" else None)
    with pytest.raises(UserInputError, match="conv3") as told:
        tuned(picky)
    assert "no fourths" in str(told.value)
    assert "\n" not in str(told.value)


def test_fixed_layers_stay_where_the_user_put_them() -> None:
    engines = WrappedEngine("quick"), WrappedEngine("slow", repeats=lambda _layer: 20)
    result = tuned(*engines, fixed={2: "slow:CPU@fp32"})
    by_layer = {i: s.unit for s in result.plan.lanes[0].segments for i in s.layers}
    assert by_layer[2] == "slow:CPU@fp32"
    assert by_layer[0] == by_layer[4] == "quick:CPU@fp32"


def test_tuning_again_takes_every_measurement_from_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine, nothing is measured again for disagreeing with the clock.
    monkeypatch.setattr("counterpoint.tuning.tune.AGREEMENT", 1e9)
    store = Store.in_memory()
    engines = WrappedEngine("a"), WrappedEngine("b", repeats=lambda _layer: 30)
    first = tuned(*engines, store=store)
    compiled = len(engines[0].compiled) + len(engines[1].compiled)
    for engine in engines:
        engine.compiled.clear()
    second = tuned(*engines, store=store)
    assert [c.segments for c in second.candidates] == [c.segments for c in first.candidates]
    assert [c.segment_ns for c in second.candidates] == [c.segment_ns for c in first.candidates]
    # What is left to do is to verify and to compare the finalists.
    assert len(engines[0].compiled) + len(engines[1].compiled) < compiled


def test_when_the_time_is_over_units_are_timed_as_a_whole_and_no_mix_is_looked_for() -> None:
    slow, quick = WrappedEngine("slow", repeats=lambda _layer: 40), WrappedEngine("quick")
    result = tuned(slow, quick, limit=TimeLimit(0))
    assert result.ended_early
    assert {len(layers) for engine in (slow, quick) for layers in engine.compiled} == {5}
    assert result.plan.units == ("quick:CPU@fp32",)
    assert sorted(found.label for found in result.candidates) == ["quick:CPU@fp32", "slow:CPU@fp32"]
    assert result.plan.measured_latency is not None
    assert result.verification.passed


def test_a_mix_is_found_after_the_time_where_nothing_else_runs() -> None:
    head = WrappedEngine("head", refuse=lambda x: "too deep" if x.index > 2 else None)
    tail = WrappedEngine("tail", refuse=lambda x: "too early" if x.index < 3 else None)
    result = tuned(head, tail, limit=TimeLimit(0))
    assert result.plan.units == ("head:CPU@fp32", "tail:CPU@fp32")


def test_layers_stay_where_they_are_bound_however_late() -> None:
    result = tuned(
        WrappedEngine("quick"),
        WrappedEngine("other"),
        fixed=dict.fromkeys(range(5), "other:CPU@fp32"),
        limit=TimeLimit(0),
    )
    assert result.plan.units == ("other:CPU@fp32",)


def test_units_are_chosen_by_precision() -> None:
    network = small_network()
    units = [ComputeUnit("e", (CPU,), precision) for precision in ("fp32", "bf16", "int8")]
    assert [u.precision for u in chosen_units(network, units, None)] == ["fp32"]
    assert [u.precision for u in chosen_units(network, units, ("fp32", "bf16", "int8"))] == [
        "fp32",
        "bf16",
    ]
    with pytest.raises(UserInputError, match=r"no unit computes small in fp16.*bf16, fp32, int8"):
        chosen_units(network, units, ("fp16",))
