"""Measures what values a network's tensors take on calibration frames.

The network runs twice over the frames in ONNX Runtime, made to return every tensor that may go
through int8: once for the ends of their ranges, once for histograms between these ends. No more
than one frame's tensors are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt

from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import FrameError, UserInputError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.network.precision.quantise import observed
from counterpoint.network.precision.ranges import Ranges, TensorRange
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.histogram import Histogram
from counterpoint.tuning.progress import Progress, Silence


def calibrate(
    network: Network,
    frames: Sequence[Mapping[str, Tensor]],
    *,
    progress: Progress | None = None,
) -> Ranges:
    """Ranges of every tensor that ``network.precision.quantise.quantise`` may need.

    Args:
        network: In float32, wholly or in part.
        frames: Inputs by name, each of the network's own batch and shape; some tens do.
        progress: Told of each frame, twice.

    Raises:
        UserInputError: There is no frame, or a value is not finite; names frame, layer and tensor.
        FrameError: A frame does not fit the network.
        EngineError: ONNX Runtime is not installed or cannot run the network.
    """
    if not frames:
        raise UserInputError("there is no calibration frame: give at least one image or tensor")
    told = progress or Silence()
    inputs = [_checked(network, frame, number) for number, frame in enumerate(frames)]
    segment = observed(network)
    engine = OnnxRuntimeEngine()
    precision = "int8" if network.is_quantised else "fp32"
    unit = ComputeUnit(engine.name, (Device("CPU", DeviceKind.CPU),), precision)
    ends: dict[str, tuple[float, float]] = {}
    with closing(engine.compile(segment, unit)) as compiled:
        told.begin("calibration: ranges", len(frames))
        for number, frame in enumerate(inputs):
            for name, values in _named(segment, frame, compiled.run(frame)):
                low, high = float(values.min()), float(values.max())
                if not (np.isfinite(low) and np.isfinite(high)):
                    raise UserInputError(_not_finite(network, name, number))
                known = ends.get(name, (low, high))
                ends[name] = min(known[0], low), max(known[1], high)
            told.step(f"frame {number + 1}")
        histograms = {name: Histogram(low, high) for name, (low, high) in ends.items()}
        told.begin("calibration: histograms", len(frames))
        for number, frame in enumerate(inputs):
            for name, values in _named(segment, frame, compiled.run(frame)):
                histograms[name].add(values)
            told.step(f"frame {number + 1}")
    tensors = {}
    for name, (minimum, maximum) in ends.items():
        low, high = histograms[name].least_error()
        tensors[name] = TensorRange(minimum, maximum, low, high)
    return Ranges(len(frames), tensors)


def warnings(network: Network, ranges: Ranges) -> tuple[str, ...]:
    """What looks wrong with ranges, in sentences: layers that always make the same value."""
    return tuple(
        f"{_where(network, name)} has the value {ranges.tensors[name].minimum:g} everywhere, on "
        f"all of {ranges.frames} calibration frames: are they blank, or is the layer dead?"
        for name in ranges.constant
    )


def _checked(network: Network, frame: Mapping[str, Tensor], number: int) -> list[Tensor]:
    for spec in network.inputs:
        given = frame.get(spec.name)
        if given is None:
            raise FrameError(f"calibration frame {number + 1} has no input {spec.name!r}")
        if given.shape != spec.shape or str(given.dtype) != spec.dtype:
            raise FrameError(
                f"calibration frame {number + 1}: input {spec.name!r} is {given.dtype} "
                f"{given.shape}, the network takes {spec.dtype} {spec.shape}"
            )
    return ordered(network, frame)


def _named(
    segment: Subnetwork, frame: Sequence[Tensor], made: Sequence[Tensor]
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Every float32 tensor of the frame and of what was made of it."""
    specs = (*segment.inputs, *segment.outputs)
    for spec, tensor in zip(specs, (*frame, *made), strict=True):
        if spec.dtype == "float32" and tensor.size:
            yield spec.name, np.asarray(tensor, np.float32)


def _where(network: Network, tensor: str) -> str:
    """The tensor by name, and the layer that makes it."""
    maker = network.producer.get(tensor)
    if maker is not None:
        return f"tensor {tensor!r} of layer {network.layers[maker].name!r}"
    if any(spec.name == tensor for spec in network.inputs):
        return f"input {tensor!r}"
    return f"tensor {tensor!r} inside a layer"


def _not_finite(network: Network, tensor: str, number: int) -> str:
    return (
        f"{_where(network, tensor)} of {network.name} is not finite on calibration frame "
        f"{number + 1}: check the frame and its preprocessing"
    )
