"""Every engine keeps the contract, and the check finds each promise that one breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from counterpoint.engines import onnxruntime, openvino
from counterpoint.engines.contract import check_engine
from counterpoint.engines.contract_cases import ContractCase, standard_cases
from counterpoint.engines.protocol import NodeProfile, Tensor
from counterpoint.engines.reference import ReferenceEngine, ReferenceSegment
from counterpoint.engines.registry import all_engines
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.fake_engine import FakeEngine, fake_frame, fake_network, reference_outputs

CPU = Device("CPU", DeviceKind.CPU)
GROUPS = (
    Device("CPU.0", DeviceKind.CPU, cores=(0,)),
    Device("CPU.1", DeviceKind.CPU, cores=(1,)),
)


@pytest.fixture(scope="module")
def cases() -> tuple[ContractCase, ...]:
    return standard_cases()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "reference"])
def test_engines_on_the_whole_cpu(name: str, cases: tuple[ContractCase, ...]) -> None:
    assert check_engine(all_engines()[name], [CPU], cases=cases) == ()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_engines_on_groups_of_cores(name: str, cases: tuple[ContractCase, ...]) -> None:
    chosen = [case for case in cases if case.name in ("convolution", "quantised to int8")]
    assert check_engine(all_engines()[name], GROUPS, cases=chosen) == ()


def test_each_case_runs_on_some_unit(cases: tuple[ContractCase, ...]) -> None:
    """Otherwise the check would say nothing about it."""
    engine = all_engines()["onnxruntime"]
    for case in cases:
        assert any(
            not any(engine.unsupported_reason(layer, unit) for layer in case.network.layers)
            for unit in engine.units([CPU])
        ), case.name


def test_fake_engine() -> None:
    network = fake_network([["x"], ["t0", "y"], ["t0"], ["t1", "t2"]], inputs=("x", "y"))
    frames = [fake_frame(network, number) for number in (1, 2)]
    first, second = ([frame[spec.name] for spec in network.inputs] for frame in frames)
    one, two = (reference_outputs(network, frame) for frame in frames)
    case = ContractCase("fake", network, (first, second), (one, two))
    assert check_engine(FakeEngine(), GROUPS, cases=[case]) == ()


@pytest.mark.parametrize(("module", "function"), [(onnxruntime, "_library"), (openvino, "_core")])
def test_missing_engines(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str, cases: tuple[ContractCase, ...]
) -> None:
    monkeypatch.setattr(module, function, lambda: None)
    engine = all_engines()[module.__name__.rpartition(".")[2]]
    assert check_engine(engine, [CPU]) == ()
    assert engine.units([CPU]) == ()
    reason = engine.missing_reason()
    assert reason is not None
    assert "pip install" in reason
    network = cases[0].network
    unit = ComputeUnit(engine.name, (CPU,), "fp32")
    with pytest.raises(EngineError, match="pip install"):
        engine.compile(network.whole(), unit)
    assert engine.as_installed(network, any_precision=False) is None


class Flawed(ReferenceEngine):
    """The reference engine with a segment that a test bends."""

    def __init__(self, bend: Callable[[Any], None] = lambda segment: None) -> None:
        self.bend = bend

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> ReferenceSegment:
        made = super().compile(segment, unit)
        self.bend(made)
        return made


def with_run(run: Callable[..., Sequence[Tensor]]) -> Callable[[Any], None]:
    """Bends ``run``: called with the segment's own run and the inputs."""

    def bend(segment: Any) -> None:
        own = segment.run

        def bent(inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None) -> Any:
            results = run(own, inputs)
            if outputs is None:
                return results
            for lent, result in zip(outputs, results, strict=False):
                lent[...] = result.reshape(lent.shape)
            return outputs

        segment.run = bent

    return bend


def with_lending(run: Callable[..., Sequence[Tensor]]) -> Callable[[Any], None]:
    """Bends runs that are lent outputs: called with the segment's own run, inputs and outputs."""

    def bend(segment: Any) -> None:
        own = segment.run
        segment.run = lambda inputs, outputs=None: (
            own(inputs) if outputs is None else run(own, inputs, outputs)
        )

    return bend


def returning_others(own: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Any:
    own(inputs, outputs)
    return [output.copy() for output in outputs]


def filling_nothing(own: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Any:
    return outputs


def bound_for_good(lasting: bool) -> Callable[[Any], None]:
    """Each run also writes where the one before it was told to; or returns that."""

    def bend(segment: Any) -> None:
        own = segment.run
        bound: list[Sequence[Tensor]] = []

        def run(inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None) -> Any:
            if lasting and outputs is None and bound:
                return own(inputs, bound[-1])
            for earlier in bound:
                own(inputs, earlier)
            if outputs is not None:
                bound[:] = [outputs]
            return own(inputs, outputs)

        segment.run = run

    return bend


def inexact(own: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [output * np.float32(1.01) for output in own(inputs)]


def not_a_number(own: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [np.full_like(output, np.nan) for output in own(inputs)]


def in_double(own: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [output.astype(np.float64) for output in own(inputs)]


def one_too_many(own: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [*own(inputs), inputs[0]]


def writing(own: Any, inputs: Sequence[Tensor]) -> Any:
    inputs[0].flags.writeable = True
    inputs[0][...] = 0
    return own(inputs)


def always_the_same_arrays() -> Callable[[Any], None]:
    def bend(segment: Any) -> None:
        own = segment.run
        kept: list[Tensor] = []

        def run(inputs: Sequence[Tensor], outputs: Any = None) -> Sequence[Tensor]:
            made: Sequence[Tensor] = own(inputs, outputs)
            if outputs is not None:
                return made
            if not kept:
                kept.extend(made)
            for array, output in zip(kept, made, strict=True):
                array[...] = output
            return kept

        segment.run = run

    return bend


def careless(own: Any, inputs: Sequence[Tensor]) -> Any:
    return own([inputs[0] if inputs else np.zeros((1, 3, 9, 9), np.float32)])


def raising(own: Any, inputs: Sequence[Tensor]) -> Any:
    raise RuntimeError("out of luck")


def in_one_thread_only(own: Any, inputs: Sequence[Tensor]) -> Any:
    if threading.current_thread() is not threading.main_thread():
        raise EngineError("reference:CPU@fp32 knows one thread only")
    return own(inputs)


def with_profile(profile: NodeProfile) -> Callable[[Any], None]:
    def bend(segment: Any) -> None:
        segment.profile = lambda: profile

    return bend


def closed_once() -> Callable[[Any], None]:
    def bend(segment: Any) -> None:
        own = segment.close

        def close() -> None:
            own()
            segment.close = None

        segment.close = close

    return bend


def one_at_a_time() -> Callable[[Any], None]:
    """A later compilation takes the place of an earlier one."""
    latest: list[Any] = []

    def bend(segment: Any) -> None:
        latest.append(segment.run)

        def run(inputs: Sequence[Tensor], outputs: Any = None) -> Any:
            return latest[-1](inputs, outputs)

        segment.run = run

    return bend


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (with_run(inexact), "is off by 0.01, allowed 0.0001"),
        (with_run(not_a_number), "is off by nan"),
        (with_run(in_double), "is float64[1, 8, 9, 9] instead of float32[1, 8, 9, 9]"),
        (with_run(one_too_many), "2 outputs instead of 1"),
        (with_run(writing), "run writes to its inputs"),
        (always_the_same_arrays(), "a later run changes the outputs of an earlier one"),
        (with_lending(returning_others), "does not return the arrays that it was lent"),
        (with_lending(filling_nothing), "with lent outputs"),
        (bound_for_good(lasting=False), "writes to arrays that were lent to an earlier one"),
        (bound_for_good(lasting=True), "returns memory that was lent to an earlier run"),
        (with_run(lambda own, inputs: [i.reshape(-1) for i in inputs]), "shares memory"),
        (with_run(careless), "run accepts 0 inputs instead of 1"),
        (with_run(careless), "run accepts 2 inputs instead of 1"),
        (with_run(raising), "raised RuntimeError, which is no EngineError: out of luck"),
        (with_run(in_one_thread_only), "knows one thread only"),
        (with_profile(NodeProfile({}, 0)), "without profile=True has a profile"),
        (with_profile(NodeProfile({7: 1}, 0)), "the profile has layers {7}"),
        (with_profile(NodeProfile({0: -1}, 0)), "the profile has a time below 0"),
        (with_profile(NodeProfile({0: 1}, -1)), "the profile has a time below 0"),
        (closed_once(), "raised TypeError"),
    ],
)
def test_each_broken_promise_is_found(
    bend: Callable[[Any], None], told: str, cases: tuple[ContractCase, ...]
) -> None:
    found = check_engine(Flawed(bend), [CPU], cases=cases[:1])
    assert any(told in line for line in found), found
    assert all(line.startswith("reference:CPU@fp32: convolution: ") for line in found)


def test_segments_that_disturb_each_other_are_found(cases: tuple[ContractCase, ...]) -> None:
    branches = [case for case in cases if case.name == "branches and a residual"]
    found = check_engine(Flawed(one_at_a_time()), [CPU], cases=branches)
    assert any("reference:CPU@fp32 failed" in line or "in two parts" in line for line in found)


class WrongUnits(ReferenceEngine):
    def __init__(self, units: Sequence[ComputeUnit], missing: str | None = None) -> None:
        self.offered = list(units)
        self.missing = missing

    def missing_reason(self) -> str | None:
        return self.missing

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return tuple(self.offered)


GOOD = ComputeUnit("reference", (CPU,), "fp32")


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (WrongUnits([]), "it is there and offers no unit"),
        (WrongUnits([GOOD, GOOD]), "two units are called reference:CPU@fp32"),
        (WrongUnits([ComputeUnit("other", (CPU,), "fp32")]), "names another engine"),
        (WrongUnits([ComputeUnit("reference", GROUPS[:1], "fp32")]), "none of the CPUs given"),
        (WrongUnits([GOOD], "not installed"), "says that it is missing (not installed) and offers"),
        (WrongUnits([], " "), "is missing and does not say why"),
    ],
)
def test_wrong_units_are_found(
    engine: WrongUnits, told: str, cases: tuple[ContractCase, ...]
) -> None:
    found = check_engine(engine, [CPU], cases=cases[:1])
    assert any(told in line for line in found), found


class WrongReasons(ReferenceEngine):
    """Says something else each time, or nothing."""

    def __init__(self, *reasons: Any) -> None:
        self.reasons = list(reasons)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> Any:
        self.reasons.append(self.reasons.pop(0))
        return self.reasons[-1]


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (("a whim", None), "differs when asked again"),
        ((True,), "is True: neither a sentence nor None"),
        (("",), "is '': neither a sentence nor None"),
        (("never",), "runs none of the 1 networks"),
    ],
)
def test_wrong_reasons_are_found(
    reasons: tuple[Any, ...], told: str, cases: tuple[ContractCase, ...]
) -> None:
    found = check_engine(WrongReasons(*reasons), [CPU], cases=cases[:1])
    assert any(told in line for line in found), found


class WrongRefusal(ReferenceEngine):
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> ReferenceSegment:
        if segment.network.name != "foreign":
            return super().compile(segment, unit)
        if self.error is not None:
            raise self.error
        return ReferenceSegment(segment, unit, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, "compile accepted a layer that unsupported_reason refuses"),
        (KeyError("Nonsense"), "compile raised KeyError"),
        (EngineError("no", layer="relu0", unit="reference:CPU@fp32"), "does not name the unit"),
        (EngineError("reference:CPU@fp32 cannot", unit="reference:CPU@fp32"), "a layer of its"),
        (
            EngineError("reference:CPU@fp32\nno", layer="relu0", unit="reference:CPU@fp32"),
            "is not one line",
        ),
    ],
)
def test_wrong_refusals_are_found(
    error: Exception | None, told: str, cases: tuple[ContractCase, ...]
) -> None:
    found = check_engine(WrongRefusal(error), [CPU], cases=cases[:1])
    assert any(told in line for line in found), found
