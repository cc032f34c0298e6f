from __future__ import annotations

import numpy as np
import pytest

from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.network.probe import probe_network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

MACS = 3 * 40 * 40 * 256 * 256 * 9


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("quantised", [False, True])
def test_nearly_all_of_it_is_convolution(quantised: bool, batch: int) -> None:
    network = probe_network(quantised=quantised, batch=batch)
    assert network.macs == MACS * batch
    assert network.inputs[0].shape == (batch, 256, 40, 40)
    convolutions = [layer for layer in network.layers if layer.kind == "Conv"]
    assert len(convolutions) == 3
    assert all(layer.quantised == quantised for layer in convolutions)


@pytest.mark.parametrize("quantised", [False, True])
def test_its_numbers_stay_in_range(quantised: bool) -> None:
    network = probe_network(quantised=quantised)
    precision = "int8" if quantised else "fp32"
    unit = ComputeUnit("onnxruntime", (Device("CPU", DeviceKind.CPU),), precision)
    compiled = OnnxRuntimeEngine().compile(network.whole(), unit)
    frame = np.random.default_rng(0).standard_normal((1, 256, 40, 40), np.float32)
    (output,) = compiled.run([frame])
    compiled.close()
    values = np.asarray(output, np.float64)
    assert np.isfinite(values).all()
    assert values.std() > 0.1
