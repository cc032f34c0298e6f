"""Small networks in int8 for the functional processors, made as a plan makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.network.precision.quantise import quantise, refusals
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import ordered, seeded_frame
from tests.onnx_models import kernel, loaded, model

FOR_VTA = Scheme(activations="signed", power_of_two=True)
FOR_NVDLA = Scheme(activations="signed")

Array = npt.NDArray[Any]

HOST = Device("CPU", DeviceKind.CPU)
VTA = ComputeUnit("vta", (Device("NPU", DeviceKind.NPU),), "int8")

RESIDUAL = """
    a = Conv<pads=[1,1,1,1]>(x, w0, b0)  ra = Relu(a)
    c = Conv<pads=[1,1,1,1]>(ra, w1, b1) rc = Clip(c, low, high)
    d = Conv<pads=[1,1,1,1]>(rc, w2, b2)
    s = Add(d, ra)  y = Relu(s)
"""
"""A convolution of 3 channels, two of 16, and a residual."""


def residual_network(folder: Path) -> Network:
    """In float32."""
    random = np.random.default_rng(5)
    weights: dict[str, Any] = {
        f"w{i}": kernel(16, into, seed=i) for i, into in enumerate((3, 16, 16))
    }
    biases: dict[str, Any] = {
        f"b{i}": random.standard_normal(16).astype(np.float32) for i in range(3)
    }
    bounds: dict[str, Any] = {"low": np.float32(0).reshape(()), "high": np.float32(1).reshape(())}
    made = model(RESIDUAL, inputs="float[1,3,10,10] x", **weights, **biases, **bounds)
    return loaded(made, folder)


def in_int8(network: Network, scheme: Scheme, layers: Sequence[int] | None = None) -> Network:
    """With all layers that can be, or those, in int8; ranges of eight seeded frames."""
    refused = refusals(network)
    chosen = layers
    if chosen is None:
        chosen = [layer.index for layer in network.layers if layer.index not in refused]
    frames = [seeded_frame(network.inputs, seed) for seed in range(8)]
    return quantise(network, chosen, calibrate(network, frames), scheme)


def frame_of(network: Network, seed: int) -> list[Tensor]:
    """A frame that nothing was calibrated with."""
    return ordered(network, seeded_frame(network.inputs, 100 + seed))


def on_host(segment: Subnetwork, inputs: Sequence[Tensor], precision: str) -> list[Array]:
    """What ONNX Runtime makes of it."""
    compiled = OnnxRuntimeEngine().compile(segment, ComputeUnit("onnxruntime", (HOST,), precision))
    made = compiled.run(list(inputs))
    compiled.close()
    return list(made)
