from __future__ import annotations

import numpy as np
import pytest

from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.verification import Reference, compare, relative_error, tolerance_of
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


def test_the_coarsest_precision_sets_the_tolerance() -> None:
    network = small_network()
    exact = ComputeUnit("e", (CPU,), "fp32")
    coarse = ComputeUnit("e", (CPU,), "bf16")
    assert tolerance_of([exact], network) < tolerance_of([exact, coarse], network)


def test_the_reference_does_without_fusion_what_the_engine_does_with_it() -> None:
    network = small_network()
    frame = ordered(network, seeded_frame(network.inputs))
    platform, _ = machine(WrappedEngine("a"))
    plain = Reference(network, platform, {"onnxruntime": OnnxRuntimeEngine()}).outputs([frame])
    slow = Reference(network, platform, {}).outputs([frame])  # by the ONNX reference evaluator
    assert compare(plain, slow, 1e-5).passed
