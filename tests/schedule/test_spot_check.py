from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.errors import EngineError
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.schedule.arbitration import Judge
from counterpoint.schedule.faults import WrongNumbersError
from counterpoint.schedule.spot_check import CheckStep, SpotCheck, difference, witnesses
from counterpoint.schedule.wiring import Slots, Step
from counterpoint.tuning.frames import seeded_frame
from tests.tuning.small_network import small_network

CPU = Device("CPU", DeviceKind.CPU)
GPU = Device("GPU.0", DeviceKind.GPU)
SOFTWARE = Device("GPU.1", DeviceKind.GPU, cores=(0, 1))
FINE = ComputeUnit("one", (CPU,), "fp32")
COARSE = ComputeUnit("two", (CPU,), "bf16")


class FakeJudge:
    """Says what it is told, and counts."""

    def __init__(self, truth: float | None, allowance: float = 0.0) -> None:
        self.value = truth
        self.allowed = allowance
        self.asked = 0

    def truth(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        self.asked += 1
        if self.value is None:
            raise EngineError("no such operator")
        return [np.array([self.value])]

    def allowance(self, inputs: object, truth: object, precision: str) -> float:
        return self.allowed if precision == "bf16" else 0.0


def check(unit: ComputeUnit, other: ComputeUnit, expected: float, judge: Any) -> CheckStep:
    """What ``other`` computes is ``expected``."""
    subject = Step(
        run=lambda inputs: inputs,
        reads=(0,),
        writes=(1,),
        lends=None,
        name="conv1..fc",
        layer="conv1",
        unit=unit.name,
    )
    return CheckStep(
        subject,
        lambda inputs: [np.array([expected])],
        settings=SpotCheck(1.0),
        unit=unit,
        witness=other,
        judge=judge,
    )


def slots(made: float) -> Slots:
    return [np.array([0.0]), np.array([made])]


def test_results_that_agree_ask_nobody() -> None:
    judge = FakeJudge(None)
    check(FINE, COARSE, 1.05, judge).advance(slots(1.0))
    assert judge.asked == 0


@pytest.mark.parametrize(
    ("made", "expected", "truth", "blamed"),
    [
        (2.0, 1.0, 1.0, FINE),
        (1.0, 2.0, 1.0, COARSE),
        (2.0, 3.0, 1.0, FINE),  # and the other one is found later
        (2.0, 1.0, None, FINE),
        (float("nan"), 1.0, 1.0, FINE),
        (1.0, float("nan"), 1.0, COARSE),
    ],
)
def test_who_is_far_from_the_truth_is_blamed(
    made: float, expected: float, truth: float | None, blamed: ComputeUnit
) -> None:
    with pytest.raises(WrongNumbersError, match=r"segment conv1\.\.fc") as caught:
        check(FINE, COARSE, expected, FakeJudge(truth)).advance(slots(made))
    assert caught.value.unit == blamed.name
    assert caught.value.layer == "conv1"
    assert str(caught.value).startswith(f"{blamed.name} computed other numbers than ")


def test_two_sides_of_the_truth_are_both_right() -> None:
    judge = FakeJudge(1.0)
    step = check(FINE, replace(FINE, engine="two"), 1.0009, judge)
    step.advance(slots(0.9991))
    step.advance(slots(0.9991))
    assert judge.asked == 1  # from then on it is known


def test_coarse_units_may_err_as_much_as_their_rounding_does() -> None:
    judge = FakeJudge(1.0, allowance=0.3)
    step = check(COARSE, FINE, 1.0, judge)
    step.advance(slots(1.25))
    step.advance(slots(1.25))
    assert judge.asked == 1
    with pytest.raises(WrongNumbersError):
        step.advance(slots(1.5))
    with pytest.raises(WrongNumbersError):
        check(FINE, replace(FINE, engine="two"), 1.0, judge).advance(slots(1.25))


def test_without_a_judge_the_checking_unit_is_believed() -> None:
    with pytest.raises(WrongNumbersError) as caught:
        check(FINE, COARSE, 2.0, None).advance(slots(1.0))
    assert caught.value.unit == FINE.name


def test_what_is_compared() -> None:
    one = np.ones((2, 2))
    assert difference([one], [one * 1.01], 0.02) is None
    assert difference([one], [one * 1.1], 0.02) == "off by 0.091, 0.02 is allowed"
    assert difference([one], [one, one], 1) == "1 tensors instead of 2"
    assert difference([one], [np.ones(4)], 1) == "a shape of [2, 2] instead of [4]"
    assert difference([one * np.inf], [one], 1) == "not finite"


def test_who_checks_is_as_unlike_as_can_be() -> None:
    units = [
        ComputeUnit(engine, (device,), precision)
        for engine in ("one", "two")
        for device in (CPU, GPU, SOFTWARE)
        for precision in ("fp16", "fp32", "int8")
    ]
    order = [unit.name for unit in witnesses(FINE, units, quantised=False)]
    assert order == [
        "two:GPU.0@fp32", "two:GPU.0@fp16", "two:GPU.1@fp32", "two:GPU.1@fp16",
        "one:GPU.0@fp32", "one:GPU.0@fp16", "one:GPU.1@fp32", "one:GPU.1@fp16",
        "two:CPU@fp32", "two:CPU@fp16",
    ]  # fmt: skip
    assert witnesses(FINE, units, quantised=True)[0].name == "two:GPU.0@int8"
    assert FINE.name not in order


def test_the_judge_computes_the_truth_and_what_rounding_makes_of_it() -> None:
    network = small_network()
    engine = ReferenceEngine()
    (unit,) = engine.units([CPU])
    judge = Judge(network, network.subnetwork([2, 3, 4]), engine, unit)
    frame = seeded_frame(network.subnetwork([2, 3, 4]).inputs, 1)
    inputs = [frame[spec.name] for spec in judge.part.inputs]
    truth = judge.truth(inputs)
    assert len(truth) == len(judge.part.outputs)
    bf16, fp16 = (judge.allowance(inputs, truth, name) for name in ("bf16", "fp16"))
    assert 3e-3 < bf16 < 0.1
    assert 3e-4 < fp16 < bf16 / 4  # 3 more bits
    assert judge.allowance(inputs, truth, "fp32") == 0
