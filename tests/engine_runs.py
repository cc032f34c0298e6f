"""Runs networks on an engine in whatever parts a test wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.engines.registry import all_engines
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

CPU = Device("CPU", DeviceKind.CPU)


def unit_for(network: Network, engine: Engine) -> ComputeUnit:
    """The engine's CPU unit of the network's own precision."""
    return ComputeUnit(engine.name, (CPU,), "int8" if network.is_quantised else "fp32")


def random_frame(network: Network, scale: float = 1.0, seed: int = 0) -> dict[str, Any]:
    """Seeded arrays by input name."""
    random = np.random.default_rng(seed)
    return {
        spec.name: (random.standard_normal(spec.shape or ()) * scale).astype(spec.dtype)
        for spec in network.inputs
    }


def run_segment(
    segment: Subnetwork, tensors: Mapping[str, Tensor], engine: str = "onnxruntime"
) -> list[Tensor]:
    """The segment's outputs, each checked against its spec.

    Args:
        segment: What to run, compiled by itself.
        tensors: At least its inputs, by name.
        engine: By name.
    """
    software = all_engines()[engine]
    unit = unit_for(segment.network, software)
    with closing(software.compile(segment, unit)) as compiled:
        outputs = list(compiled.run([tensors[spec.name] for spec in segment.inputs]))
    for spec, output in zip(segment.outputs, outputs, strict=True):
        assert spec.dtype == str(output.dtype), spec.name
        assert spec.shape in (None, output.shape), spec.name
    return outputs


def run_parts(
    network: Network,
    parts: Sequence[Iterable[int]],
    frame: Mapping[str, Tensor],
    engine: str = "onnxruntime",
) -> list[Tensor]:
    """The network's outputs, its parts (layer indices) run one after another."""
    tensors = dict(frame)
    for part in parts:
        segment = network.subnetwork(part)
        outputs = run_segment(segment, tensors, engine)
        tensors |= {spec.name: out for spec, out in zip(segment.outputs, outputs, strict=True)}
    return [tensors[spec.name] for spec in network.outputs]


def run_whole(
    network: Network, frame: Mapping[str, Tensor], engine: str = "onnxruntime"
) -> list[Tensor]:
    return run_parts(network, [range(len(network.layers))], frame, engine)


def relative_error(outputs: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """The largest error of any element over the largest magnitude of its tensor."""
    worst = 0.0
    for output, exact in zip(outputs, wanted, strict=True):
        assert output.shape == exact.shape
        reference = exact.astype(np.float64)
        scale = float(np.abs(reference).max()) or 1.0
        worst = max(worst, float(np.abs(output.astype(np.float64) - reference).max()) / scale)
    return worst
