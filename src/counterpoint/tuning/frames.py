"""Frames to measure and to compare with, when the user gives none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import FrameError
from counterpoint.network.graph import Network, TensorSpec


def seeded_tensor(spec: TensorSpec, seed: int) -> Tensor:
    """Random values of a plausible range: pixels for integers, a standard normal for floats.

    Raises:
        FrameError: The shape is not known, or the type holds no numbers.
    """
    if spec.shape is None or spec.dtype in ("string", "undefined"):
        raise FrameError(
            f"tensor {spec.name!r} has no static numeric shape ({spec.dtype}); "
            "give real frames, or fix the input with --shape"
        )
    random = np.random.default_rng([seed, *spec.shape])
    if spec.dtype == "bool":
        return random.integers(0, 2, spec.shape).astype(bool)
    if "int" in spec.dtype:
        return random.integers(0, 128, spec.shape).astype(spec.dtype)
    values = random.standard_normal(spec.shape, dtype=np.float32)
    if spec.dtype == "bfloat16":
        import ml_dtypes

        return values.astype(ml_dtypes.bfloat16)
    return values.astype(spec.dtype)


def seeded_frame(specs: Sequence[TensorSpec], seed: int = 0) -> dict[str, Tensor]:
    """One tensor for each spec, by name."""
    return {spec.name: seeded_tensor(spec, seed + index) for index, spec in enumerate(specs)}


def ordered(network: Network, frame: Mapping[str, Tensor]) -> list[Tensor]:
    """The frame's tensors in the order of the network's inputs."""
    return [np.ascontiguousarray(frame[spec.name]) for spec in network.inputs]
