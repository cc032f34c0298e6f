"""Darknet's weights: a header, then float32 numbers in the order of the layers.

Source: Darknet, ``parser.c``, ``load_weights_upto``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from counterpoint.errors import ModelFileError
from counterpoint.network.zoo.initial import BatchNorm, Moments, SeededWeights

Float32 = npt.NDArray[np.float32]

LARGEST_SEEDED_BYTES = 2 << 30

_ITEM_BYTES = 4
_LARGE_SEEN = 2  # from version 0.2 on the count of images seen has 8 bytes


class Numbers(Protocol):
    """Hands out a layer's numbers, in the order in which the file holds them."""

    def convolution(
        self, name: str, shape: tuple[int, ...], source: Moments, *, norm: bool
    ) -> tuple[Float32, Float32, BatchNorm | None]:
        """Kernel ``shape``, bias ``(out,)``, and the statistics where there is a BatchNorm.

        The bias is the BatchNorm's then (its ``beta``).
        """
        ...

    def connected(
        self, name: str, shape: tuple[int, ...], source: Moments, *, norm: bool
    ) -> tuple[Float32, Float32, BatchNorm | None]:
        """The same of a fully connected layer ``(out, in)``, whose order is another."""
        ...


class FileNumbers:
    """Numbers of a ``.weights`` file.

    Raises:
        ModelFileError: It cannot be read, or is none.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file")
        self._path = path
        try:
            self._left = path.stat().st_size
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            self._skip_header()
        except ModelFileError:
            self._file.close()
            raise

    def __enter__(self) -> FileNumbers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def convolution(
        self, name: str, shape: tuple[int, ...], source: Moments, *, norm: bool
    ) -> tuple[Float32, Float32, BatchNorm | None]:
        """See :class:`Numbers`."""
        del source
        bias = self._floats((shape[0],), name)
        statistics = self._statistics(shape[0], bias, name) if norm else None
        return self._floats(shape, name), bias, statistics

    def connected(
        self, name: str, shape: tuple[int, ...], source: Moments, *, norm: bool
    ) -> tuple[Float32, Float32, BatchNorm | None]:
        """See :class:`Numbers`."""
        del source
        bias = self._floats((shape[0],), name)
        kernel = self._floats(shape, name)
        return kernel, bias, self._statistics(shape[0], bias, name) if norm else None

    def check_end(self) -> None:
        """Nothing is left.

        Raises:
            ModelFileError: Something is.
        """
        if self._left:
            raise ModelFileError(
                f"{self._path}: {self._left} bytes are left after the last layer; the weights "
                "belong to another cfg"
            )

    def _skip_header(self) -> None:
        major, minor, _ = struct.unpack("<iii", self._bytes(12, "the header"))
        if not 0 <= major < 1000 or not 0 <= minor < 1000:
            raise ModelFileError(f"{self._path}: this is no Darknet weights file")
        self._bytes(8 if major * 10 + minor >= _LARGE_SEEN else 4, "the header")

    def _statistics(self, channels: int, beta: Float32, name: str) -> BatchNorm:
        gamma, mean, variance = (self._floats((channels,), name) for _ in range(3))
        return BatchNorm(gamma, beta, mean, variance)

    def _floats(self, shape: tuple[int, ...], name: str) -> Float32:
        count = 1
        for size in shape:
            count *= size
        data = self._bytes(count * _ITEM_BYTES, f"layer {name!r}")
        return np.frombuffer(data, "<f4").reshape(shape)

    def _bytes(self, count: int, what: str) -> bytes:
        if count > self._left:
            raise ModelFileError(
                f"{self._path}: {what} needs {count} bytes and {self._left} are left; the file is "
                "truncated, or belongs to another cfg"
            )
        self._left -= count
        data = self._file.read(count)
        if len(data) != count:
            raise ModelFileError(f"{self._path}: the file was cut while it was read")
        return data


class SeededNumbers:
    """Numbers drawn at random."""

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ModelFileError(f"the seed is {seed}; it must not be negative")
        self._draw = SeededWeights(seed)
        self._spent_bytes = 0

    def convolution(
        self, name: str, shape: tuple[int, ...], source: Moments, *, norm: bool
    ) -> tuple[Float32, Float32, BatchNorm | None]:
        """See :class:`Numbers`."""
        count = 1
        for size in shape:
            count *= size
        self._spent_bytes += count * _ITEM_BYTES
        if self._spent_bytes > LARGEST_SEEDED_BYTES:
            raise ModelFileError(
                f"layer {name!r} brings the seeded weights above {LARGEST_SEEDED_BYTES >> 30} GB; "
                "give trained ones as --weights"
            )
        kernel = self._draw.kernel(f"{name}.weight", shape, source, 1.0)
        if norm:
            statistics = self._draw.batchnorm(f"{name}/bn", kernel, source, 1.0)
            return kernel, statistics.beta, statistics
        return kernel, self._draw.bias(f"{name}.bias", kernel, source), None

    connected = convolution
