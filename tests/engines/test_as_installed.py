"""What a user of each engine runs today."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoint.engines.contract_cases import ContractCase, foreign_network, standard_cases
from counterpoint.engines.registry import all_engines, planning_engines
from counterpoint.errors import EngineError
from tests.engine_runs import relative_error

FLOAT = ("classifier", "branches and a residual", "several inputs and outputs")


@pytest.fixture(scope="module")
def cases() -> tuple[ContractCase, ...]:
    return standard_cases()


@pytest.mark.parametrize("any_precision", [True, False])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_it_computes_the_network(
    name: str, any_precision: bool, cases: tuple[ContractCase, ...]
) -> None:
    assert name in planning_engines()
    for case in cases:
        if case.name not in FLOAT:
            continue
        engine = all_engines()[name]
        compiled = engine.as_installed(case.network, any_precision=any_precision)
        assert compiled is not None
        outputs = [compiled.run(frame) for frame in case.frames]
        allowed = 5e-2 if any_precision else 1e-5
        for made, wanted in zip(outputs, case.expected, strict=True):
            assert relative_error(made, wanted) < allowed
        assert compiled.profile() is None
        compiled.close()
        compiled.close()


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_array_that_is_filled_anew_is_read_anew(
    name: str, strided: bool, cases: tuple[ContractCase, ...]
) -> None:
    case = next(case for case in cases if case.name == "classifier")
    compiled = all_engines()[name].as_installed(case.network, any_precision=False)
    assert compiled is not None
    (first,) = case.frames[0]
    doubled = np.zeros((*first.shape[:-1], 2 * first.shape[-1]), first.dtype)
    buffer = doubled[..., ::2] if strided else np.zeros_like(first)
    for frame, wanted in zip(case.frames, case.expected, strict=True):
        buffer[...] = frame[0]
        assert relative_error(compiled.run([buffer]), wanted) < 1e-5
    compiled.close()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_it_refuses_in_one_line(name: str) -> None:
    with pytest.raises(EngineError) as caught:
        all_engines()[name].as_installed(foreign_network(), any_precision=False)
    line = str(caught.value)
    assert "foreign" in line
    assert "Nonsense" in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_wrong_number_of_inputs(name: str, cases: tuple[ContractCase, ...]) -> None:
    compiled = all_engines()[name].as_installed(cases[0].network, any_precision=False)
    assert compiled is not None
    with pytest.raises(EngineError):
        compiled.run([])


def test_nobody_uses_the_reference(cases: tuple[ContractCase, ...]) -> None:
    assert all_engines()["reference"].as_installed(cases[0].network, any_precision=True) is None
