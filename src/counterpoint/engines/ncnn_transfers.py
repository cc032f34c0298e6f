"""Networks that do next to nothing but bring a tensor to a Vulkan device, or back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from counterpoint.engines.ncnn_check import NO_BATCH
from counterpoint.engines.ncnn_net import LoadFailure, library, load
from counterpoint.engines.pnnx import Converted
from counterpoint.errors import EngineError
from counterpoint.platform.model import ComputeUnit

_EDGE = 128
"""Pixels of a row and of a column; more bytes are more channels."""

_MAXIMUM = "Pooling last 1 1 in0 out0 0=0 4=1"
"""Reads everything and makes one value for each channel."""

_ENLARGED = f"Interp last 1 1 in0 out0 0=1 3={_EDGE} 4={_EDGE}"
"""Reads one value for each channel and makes everything; the nearest one is taken."""


def upload(unit: ComputeUnit, size_bytes: int) -> Callable[[], object]:
    """Brings a tensor of about that size to the device, and its few maxima back.

    Raises:
        EngineError: The device refuses it.
    """
    return _mover(unit, _MAXIMUM, np.zeros((_channels(size_bytes), _EDGE, _EDGE), np.float32))


def download(unit: ComputeUnit, size_bytes: int) -> Callable[[], object]:
    """Brings a few values to the device, and a tensor of about that size back.

    Raises:
        EngineError: The device refuses it.
    """
    return _mover(unit, _ENLARGED, np.zeros((_channels(size_bytes), 1, 1), np.float32))


def _channels(size_bytes: int) -> int:
    return max(1, round(size_bytes / (4 * _EDGE * _EDGE)))


def _mover(unit: ComputeUnit, layer: str, tensor: Any) -> Callable[[], object]:
    mat = library().Mat(tensor, NO_BATCH)
    with tempfile.TemporaryDirectory(prefix="counterpoint-ncnn-") as folder:
        param, weights = Path(folder) / "model.param", Path(folder) / "model.bin"
        param.write_text(f"7767517\n2 2\nInput in0 0 1 in0\n{layer}\n")
        weights.touch()
        try:
            net = load(Converted(param, weights, (False,), ()), unit)
        except (LoadFailure, RuntimeError) as error:
            raise EngineError(f"{unit.name} cannot move tensors: {error}") from error

    def move() -> object:
        with net.create_extractor() as extractor:
            extractor.input("in0", mat)
            code, made = extractor.extract("out0")
            if code:
                raise EngineError(f"{unit.name} cannot move tensors: ncnn's code {code}")
            return made, tensor  # ncnn reads the tensor where it is

    return move
