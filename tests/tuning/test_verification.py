from __future__ import annotations

import numpy as np
import pytest

from counterpoint.engines.agreement import MOST_ERROR, TOLERANCE, relative_error, rounded
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.reference import Reference
from counterpoint.tuning.verification import compare
from tests.tuning.small_network import small_network
from tests.tuning.wrapped_engine import CPU, WrappedEngine, machine


def test_relative_error_is_the_norm_of_the_difference() -> None:
    truth = np.array([3.0, 4.0], np.float32)
    assert relative_error(truth, truth) == 0
    assert relative_error(np.array([3.0, 4.5]), truth) == pytest.approx(0.1)
    small = np.full(4, 1e-6)  # counts as 1e-3
    assert relative_error(small * 1.5, small) == pytest.approx(0.5e-3)
    assert relative_error(np.ones(4), np.zeros(4)) == pytest.approx(1e3)
    assert relative_error(np.array([np.nan, 4.0]), truth) is None
    infinite = np.array([np.inf, 1.0])
    assert relative_error(infinite, infinite) == 0


def test_the_worst_output_of_the_worst_frame_counts() -> None:
    truth: list[list[Tensor]] = [[np.ones(4), np.ones(4)], [np.ones(4), np.ones(4)]]
    made: list[list[Tensor]] = [[np.ones(4), np.ones(4)], [np.ones(4), np.ones(4) * 1.5]]
    assert compare(made, truth, 0.6).relative_error == pytest.approx(0.5)
    assert compare(made, truth, 0.6).passed
    assert not compare(made, truth, 0.4).passed
    reshaped: list[list[Tensor]] = [[np.ones((2, 2)), np.ones(4)], [np.ones(4), np.ones(4)]]
    assert not compare(reshaped, truth, 1.0).passed


def reference(engines: dict[str, Engine], frame: list[Tensor]) -> Reference:
    platform, _ = machine(WrappedEngine("a"))
    return Reference(small_network(), platform, engines, [frame])


def test_the_reference_does_without_fusion_what_the_engine_does_with_it() -> None:
    frame = ordered(small_network(), seeded_frame(small_network().inputs))
    plain = reference({"onnxruntime": OnnxRuntimeEngine()}, frame)
    slow = reference({}, frame)  # by the ONNX reference evaluator
    assert compare(plain.expected, slow.expected, 1e-5).passed


def test_a_coarse_precision_may_err_as_much_as_rounding_does() -> None:
    network = small_network()
    frame = ordered(network, seeded_frame(network.inputs))
    fresh = reference({"onnxruntime": OnnxRuntimeEngine()}, frame)
    exact, coarse = (ComputeUnit("e", (CPU,), precision) for precision in ("fp32", "bf16"))
    assert fresh.tolerance([exact]) == TOLERANCE["fp32"]
    assert TOLERANCE["bf16"] <= fresh.tolerance([exact, coarse]) <= MOST_ERROR
    noise = [[np.zeros_like(t) for t in outputs] for outputs in fresh.expected]
    assert not fresh.verify(noise, [coarse]).passed
    assert fresh.verify([[rounded(t, "bf16") for t in fresh.expected[0]]], [coarse]).passed


def test_rounding_keeps_as_many_digits_as_the_type_has() -> None:
    third = np.array([1 / 3, 1e6], np.float32)
    assert rounded(third, "bf16")[0] == np.float32(0.333984375)
    assert np.isinf(rounded(third, "fp16")[1])
    whole = np.array([3], np.int64)
    assert rounded(whole, "bf16") is whole
