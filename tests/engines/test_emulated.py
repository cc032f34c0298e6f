"""Engines of machines that are not here compute the true numbers here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from counterpoint import api
from counterpoint.engines.contract import check_engine
from counterpoint.engines.contract_cases import ContractCase, foreign_network, standard_cases
from counterpoint.engines.emulated import EmulatedEngine, emulated_engines, zeros
from counterpoint.engines.registry import all_engines
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.plan import Plan, Prediction
from tests.fake_engine import FakeEngine, fake_frame, fake_network
from tests.schedule.random_plans import plan_for

BIG = Device("CPU.0", DeviceKind.CPU, "big", cores=(4000, 4001))
GPU = Device("GPU", DeviceKind.GPU, "gpu")
NPU = Device("NPU", DeviceKind.NPU)
UNITS = (
    ComputeUnit("armcl", (BIG,), "fp32"),
    ComputeUnit("armcl", (GPU,), "fp16"),
    ComputeUnit("rknn", (NPU,), "int8"),
)
BOARD = Platform("board", "board-fingerprint", (BIG, GPU, NPU), UNITS)


@pytest.fixture(scope="module")
def cases() -> dict[str, ContractCase]:
    return {case.name: case for case in standard_cases()}


def two_segments(network: Network) -> Plan:
    half = len(network.layers) // 2
    lane = [
        (range(half), UNITS[0].name),
        (range(half, len(network.layers)), UNITS[1].name),
    ]
    plan = plan_for(network, BOARD, [lane], frames_in_flight=2)
    return replace(plan, prediction=Prediction(2000, ((1000, 1000),)))


def test_it_keeps_the_contract(cases: dict[str, ContractCase]) -> None:
    engines = emulated_engines(BOARD, all_engines()["onnxruntime"])
    assert set(engines) == {"armcl", "rknn"}
    for engine in engines.values():
        assert check_engine(engine, [BIG], cases=tuple(cases.values())) == ()


def test_units_are_those_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = emulated_engines(BOARD, None)["armcl"]
    assert engine.units(BOARD.devices) == UNITS[:2]
    assert engine.units([]) == (UNITS[1],)
    missing = FakeEngine()
    monkeypatch.setattr(missing, "missing_reason", lambda: "not installed")
    assert EmulatedEngine("armcl", UNITS[:2], base=missing).units([BIG]) == ()


def test_refusals_name_the_emulated_unit() -> None:
    base = FakeEngine()
    base.refuse = EngineError("no room", unit="fake:CPU@fp32")
    engine = EmulatedEngine("armcl", UNITS[:2], base=base)
    with pytest.raises(EngineError, match=r"^armcl:GPU@fp16 cannot compile .*: no room$") as caught:
        engine.compile(fake_network([["x"]]).whole(), UNITS[1])
    assert caught.value.unit == UNITS[1].name


def test_it_cannot_compute_what_the_host_cannot() -> None:
    layer = foreign_network().layers[-1]
    engine = EmulatedEngine("armcl", UNITS[:2], base=all_engines()["onnxruntime"])
    assert "Nonsense" in (engine.unsupported_reason(layer, UNITS[0]) or "")
    assert EmulatedEngine("armcl", UNITS, base=None).unsupported_reason(layer, UNITS[0]) is None


def test_zeros_where_nobody_computes() -> None:
    network = fake_network([["x"], ["t0"]], outputs=["t0", "t1"])
    compiled = EmulatedEngine("armcl", UNITS, base=None).compile(network.whole(), UNITS[0])
    frame = list(fake_frame(network).values())
    outputs = compiled.run(frame)
    assert [(array.shape, array.dtype.name) for array in outputs] == [((1, 4), "float32")] * 2
    lent = [np.ones((1, 4), np.float32) for _ in range(2)]
    assert compiled.run(frame, lent) is lent
    assert not np.any([*outputs, *lent])
    with pytest.raises(ValueError, match="0 inputs instead of 1"):
        compiled.run([])


def test_zeros_of_types_that_numpy_has_not_and_of_unknown_shapes() -> None:
    assert zeros(TensorSpec("t", "bfloat16", (2, 3))).dtype.name == "bfloat16"
    assert zeros(TensorSpec("t", "int8", (2, 3))).shape == (2, 3)
    assert zeros(TensorSpec("t", "float32", None)).shape == ()


def test_a_session_on_an_emulated_machine(cases: dict[str, ContractCase]) -> None:
    case = cases["several inputs and outputs"]
    names = [spec.name for spec in case.network.inputs]
    frames = [dict(zip(names, frame, strict=True)) for frame in case.frames]
    machine = api.emulated_machine(BOARD, time_scale=0.5)
    with api.Session(case.network, two_segments(case.network), machine=machine) as session:
        for outputs, expected in zip(session.stream(frames), case.expected, strict=True):
            for output, wanted in zip(outputs, expected, strict=True):
                np.testing.assert_allclose(
                    output.astype(np.float32), wanted.astype(np.float32), rtol=1e-4, atol=1e-5
                )
        kept = session.punctuality()
    assert kept is not None
    assert kept.runs == 4


def test_nothing_is_measured_on_an_emulated_machine() -> None:
    machine = api.emulated_machine(BOARD, compute=False)
    with pytest.raises(UserInputError, match="board is emulated"):
        api.tune(fake_network([["x"]]), machine=machine, store=None)


def test_a_machine_that_is_here_has_no_punctuality(cases: dict[str, ContractCase]) -> None:
    network = cases["classifier"].network
    here = api.devices(only=["onnxruntime:CPU@fp32"])
    lane = [(range(len(network.layers)), here.platform.units[0].name)]
    with api.Session(network, plan_for(network, here.platform, [lane]), machine=here) as session:
        assert session.punctuality() is None
