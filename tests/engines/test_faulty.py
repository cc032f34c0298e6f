"""The engine that fails where it is told to; and the contract finds engines that fail badly."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
import pytest

from counterpoint.engines.contract import check_engine
from counterpoint.engines.contract_cases import ContractCase, standard_cases
from counterpoint.engines.contract_faults import FaultChecks
from counterpoint.engines.faulty import FaultyEngine, Injection, InjectionKind
from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.engines.registry import all_engines
from counterpoint.errors import EngineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.fake_engine import FakeEngine, fake_frame, fake_network, reference_outputs

CPU = Device("CPU", DeviceKind.CPU)
UNIT = ComputeUnit("fake", (CPU,), "fp32")
NETWORK = fake_network([["x"], ["t0"], ["x", "t1"]])
FRAME = list(fake_frame(NETWORK).values())
RIGHT = reference_outputs(NETWORK, fake_frame(NETWORK))


def case() -> ContractCase:
    frames = [fake_frame(NETWORK, number) for number in (1, 2)]
    first, second = ([frame["x"]] for frame in frames)
    one, two = (reference_outputs(NETWORK, frame) for frame in frames)
    return ContractCase("fake", NETWORK, (first, second), (one, two))


def is_right(outputs: Sequence[Tensor]) -> bool:
    return bool(np.array_equal(outputs[0], RIGHT[0]))


def engine_with(kind: InjectionKind, at: int, *, lasting: bool = True) -> FaultyEngine:
    return FaultyEngine(FakeEngine(), [Injection(kind, UNIT.name, at, lasting)])


def test_without_injections_it_is_the_engine_inside() -> None:
    assert check_engine(FaultyEngine(FakeEngine()), [CPU], cases=[case()]) == ()


@pytest.mark.parametrize("kind", [kind for kind in get_args(InjectionKind) if kind != "hang"])
def test_the_contract_finds_what_is_injected(kind: InjectionKind) -> None:
    assert check_engine(engine_with(kind, 2), [CPU], cases=[case()]) != ()


def test_compilations_fail_from_the_so_manyth() -> None:
    engine = engine_with("compile", 1)
    engine.compile(NETWORK.whole(), UNIT).close()
    for _ in range(2):
        with pytest.raises(EngineError, match=r"fake:CPU@fp32 cannot compile .*injected") as caught:
            engine.compile(NETWORK.whole(), UNIT)
        assert (caught.value.unit, caught.value.layer) == (UNIT.name, "layer0")
    assert engine.open == 0
    assert [struck.kind for struck in engine.struck] == ["compile"]


def test_calls_fail_once_or_for_good() -> None:
    for lasting in (False, True):
        compiled = engine_with("run", 1, lasting=lasting).compile(NETWORK.whole(), UNIT)
        assert is_right(compiled.run(FRAME))
        with pytest.raises(EngineError, match="device lost"):
            compiled.run(FRAME)
        if lasting:
            with pytest.raises(EngineError):
                compiled.run(FRAME)
        else:
            assert is_right(compiled.run(FRAME))


def test_other_units_are_not_concerned() -> None:
    other = ComputeUnit("fake", (Device("NPU", DeviceKind.NPU),), "fp32")
    compiled = engine_with("run", 0).compile(NETWORK.whole(), other)
    assert is_right(compiled.run(FRAME))


def test_a_failed_transfer_leaves_half_of_the_outputs_written() -> None:
    compiled = engine_with("transfer", 0).compile(NETWORK.whole(), UNIT)
    lent = [np.zeros_like(RIGHT[0])]
    with pytest.raises(EngineError, match="transfer failed"):
        compiled.run(FRAME, lent)
    wrong = lent[0] != RIGHT[0]
    assert wrong.any()
    assert not wrong.all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool"])
def test_wrong_numbers_are_wrong_everywhere(dtype: str) -> None:
    class Zeros(FakeEngine):
        def compile(self, *args: Any, **kwargs: Any) -> Any:
            made = super().compile(*args, **kwargs)
            made.run = lambda inputs, outputs=None: [np.zeros(5, dtype)]  # type: ignore[method-assign]
            return made

    engine = FaultyEngine(Zeros(), [Injection("wrong numbers", UNIT.name, 0)])
    (made,) = engine.compile(NETWORK.whole(), UNIT).run(FRAME)
    assert made.dtype == dtype
    assert made.all()


def test_a_hang_lasts_until_it_is_released() -> None:
    engine = engine_with("hang", 0, lasting=False)
    compiled = engine.compile(NETWORK.whole(), UNIT)
    with ThreadPoolExecutor(1) as other:
        late = other.submit(compiled.run, FRAME)
        assert engine.hung.wait(30)
        assert engine.hanging == {UNIT.name: 1}
        assert not late.done()
        engine.release()
        assert is_right(late.result(30))
    assert engine.hanging == {UNIT.name: 0}


# The contract after faults

ENGINES = ("onnxruntime", "openvino", "reference")


@pytest.mark.parametrize("name", ENGINES)
def test_engines_keep_the_contract_after_faults(name: str) -> None:
    engine = all_engines()[name]
    (convolution,) = (case for case in standard_cases() if case.name == "convolution")
    for unit in engine.units([CPU]):
        if unit.precision == "fp32":
            assert [*FaultChecks(engine, unit, convolution).broken()] == []


class Spoiled(ReferenceEngine):
    """Its segments are wrong while, or after, something happened to another one."""

    def __init__(self) -> None:
        self.alive = 0
        self.lock = threading.Lock()

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> Any:
        return _Alone(self, super().compile(segment, unit))


class _Alone:
    def __init__(self, engine: Spoiled, inside: CompiledSegment) -> None:
        self.engine = engine
        self.inside = inside
        self.closed = False
        engine.alive += 1

    def run(self, inputs: Sequence[Tensor], outputs: Any = None) -> Sequence[Tensor]:
        made = self.inside.run(inputs, outputs)
        if self.engine.alive > 1:
            for array in made:
                array[...] = 77
        return made

    def close(self) -> None:
        self.engine.alive -= not self.closed
        self.closed = True
        self.inside.close()


def test_segments_that_suffer_from_others_are_found() -> None:
    (convolution,) = (case for case in standard_cases() if case.name == "convolution")
    unit = ComputeUnit("reference", (CPU,), "fp32")
    found = [*FaultChecks(Spoiled(), unit, convolution).broken()]
    assert any("while another call hangs" in line for line in found), found
    assert any("after another compilation failed" in line for line in found), found
