"""Where a layer's numbers come from: a caffemodel, or a seed.

Parameters that layers share by name (``param { name: "w" }``) are one tensor; the first layer owns
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import numpy.typing as npt

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.caffemodel import TrainedWeights
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.zoo.initial import Moments, SeededWeights

Float32 = npt.NDArray[np.float32]

LARGEST_SEEDED_BYTES = 2 << 30
"""All seeded weights together: VGG16 has 0.6 GB. More than this is drawn on no file's word."""


@dataclass(frozen=True, slots=True)
class BlobKey:
    """Whose blob it is: the layer that owns it, and its number there."""

    layer: str
    index: int


Seeding = Callable[[SeededWeights, str, tuple[int, ...]], Float32]
"""Draws a parameter of that name and shape, where there is no trained one."""


class Parameters(Protocol):
    """Hands out a layer's blobs."""

    def has(self, key: BlobKey) -> bool:
        """There is such a blob."""
        ...

    def array(self, key: BlobKey, shape: tuple[int, ...], seeded: Seeding) -> Float32:
        """The blob under the shape that the layer needs.

        Raises:
            ModelFileError: It is missing, or has other dimensions.
        """
        ...


def owner_keys(layers: Sequence[pb.LayerParameter]) -> dict[BlobKey, BlobKey]:
    """For each shared blob, whose it is."""
    owners: dict[str, BlobKey] = {}
    keys: dict[BlobKey, BlobKey] = {}
    for layer in layers:
        for index, spec in enumerate(layer.param):
            if spec.name:
                key = BlobKey(layer.name, index)
                keys[key] = owners.setdefault(spec.name, key)
    return keys


class TrainedParameters:
    """Blobs of a caffemodel."""

    def __init__(self, weights: TrainedWeights) -> None:
        self._weights = weights

    def has(self, key: BlobKey) -> bool:
        """See :class:`Parameters`."""
        return self._weights.has(key.layer, key.index)

    def array(self, key: BlobKey, shape: tuple[int, ...], seeded: Seeding) -> Float32:
        """See :class:`Parameters`."""
        del seeded
        if not self.has(key):
            raise ModelFileError(
                f"the weights hold {self._weights.count(key.layer)} blobs for layer "
                f"{key.layer!r}, which needs {key.index + 1} or more; they belong to another "
                "network"
            )
        stored = self._weights.shape(key.layer, key.index)
        if not _fits(stored, shape):
            raise ModelFileError(
                f"blob {key.index} of layer {key.layer!r} is {_size(stored)} in the weights and "
                f"{_size(shape)} by the prototxt; they belong to different networks"
            )
        return self._weights.values(key.layer, key.index).reshape(shape)


class SeededParameters:
    """Blobs drawn at random, the same bits for the same seed and layer name."""

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ModelFileError(f"the seed is {seed}; it must not be negative")
        self._draw = SeededWeights(seed)
        self._spent_bytes = 0

    def has(self, key: BlobKey) -> bool:
        """See :class:`Parameters`: whatever is asked for is there."""
        del key
        return True

    def array(self, key: BlobKey, shape: tuple[int, ...], seeded: Seeding) -> Float32:
        """See :class:`Parameters`."""
        self._spent_bytes += 4 * prod(shape)
        if self._spent_bytes > LARGEST_SEEDED_BYTES:
            raise ModelFileError(
                f"layer {key.layer!r} brings the seeded weights above "
                f"{LARGEST_SEEDED_BYTES >> 30} GB; give trained ones as --weights"
            )
        return seeded(self._draw, f"{key.layer}.{key.index}", shape)


def _fits(stored: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """The same dimensions; legacy blobs have 1s in front, and scalars may be any number of 1s."""
    return stored == wanted or _without_ones(stored) == _without_ones(wanted)


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


# ---- how each kind of parameter is drawn ---------------------------------------------------------


def kernel_seeding(source: Moments, gain: float = 1.0) -> Seeding:
    """A kernel ``(out, in, ...)`` behind a tensor of those moments."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        return weights.kernel(name, shape, source, gain)

    return draw


def bias_seeding(offsets: npt.NDArray[np.float64] | float = 0.0) -> Seeding:
    """A bias that takes away the expected mean of each channel, up to a tenth of a deviation."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        noise = weights.bias(name, np.zeros((prod(shape), 1), np.float32), Moments(0.0, 1.0))
        centred: Float32 = (noise.reshape(shape) - offsets).astype(np.float32)
        return centred

    return draw


def filled_seeding(value: float) -> Seeding:
    """One value throughout."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        del weights, name
        return np.full(shape, value, np.float32)

    return draw


def scale_seeding() -> Seeding:
    """Factors around 1."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        flat = np.zeros((prod(shape), 1), np.float32)
        return weights.batchnorm(name, flat, Moments(0.0, 1.0), 1.0).gamma.reshape(shape)

    return draw


def mean_seeding(offsets: npt.NDArray[np.float64] | float, deviation: float) -> Seeding:
    """Running means: the expected ones, up to a tenth of a deviation."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        flat = np.zeros((prod(shape), 1), np.float32)
        noise = weights.batchnorm(name, flat, Moments(0.0, 1.0), 1.0).mean
        return (noise.reshape(shape) * deviation + offsets).astype(np.float32)

    return draw


def variance_seeding(variance: float) -> Seeding:
    """Running variances: around the expected one."""

    def draw(weights: SeededWeights, name: str, shape: tuple[int, ...]) -> Float32:
        flat = np.zeros((prod(shape), 1), np.float32)
        drawn = weights.batchnorm(name, flat, Moments(0.0, 1.0), 1.0).variance
        return (drawn.reshape(shape) * np.float32(variance)).astype(np.float32)

    return draw
