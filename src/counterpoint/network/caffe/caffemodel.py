"""Reads a caffemodel: the weights of each layer, by the layer's name.

Only names and blobs are read. The bytes of a blob are handed out as they stand in the file, after
its declared shape has been compared with them; no memory is taken on a declared size alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb

Float32 = npt.NDArray[np.float32]

LARGEST_FILE_BYTES = (1 << 31) - 1
"""Protobuf's own limit."""

MOST_AXES = 32
"""Caffe's ``kMaxBlobAxes``."""

_RAW_TYPES = ("<f8", "<f4", "<f2")


@dataclass(frozen=True, slots=True)
class TrainedWeights:
    """The blobs of a caffemodel.

    Attributes:
        blobs: By layer name; of layers that share a name, the first, as Caffe does.
    """

    blobs: Mapping[str, tuple[pb.Blob, ...]] = field(repr=False)

    def has(self, layer: str, index: int) -> bool:
        """The layer has a blob of that number."""
        return index < len(self.blobs.get(layer, ()))

    def count(self, layer: str) -> int:
        """How many blobs the layer has."""
        return len(self.blobs.get(layer, ()))

    def shape(self, layer: str, index: int) -> tuple[int, ...]:
        """The declared shape; the legacy form has four dimensions.

        Raises:
            ModelFileError: It is absurd.
        """
        blob = self.blobs[layer][index]
        if blob.HasField("shape"):
            shape = tuple(blob.shape.dim)
        elif any(map(blob.HasField, ("num", "channels", "height", "width"))):
            shape = (blob.num, blob.channels, blob.height, blob.width)
        else:
            shape = ()
        if len(shape) > MOST_AXES or any(size < 0 for size in shape):
            raise ModelFileError(f"blob {index} of layer {layer!r} has an absurd shape")
        return shape

    def values(self, layer: str, index: int) -> Float32:
        """The numbers, flat; a view of the file's bytes where these are float32.

        Raises:
            ModelFileError: They are not as many as the shape declares.
        """
        blob = self.blobs[layer][index]
        declared = prod(self.shape(layer, index))
        values = _numbers(blob, layer, index)
        if values.size != declared:
            raise ModelFileError(
                f"blob {index} of layer {layer!r} declares {declared} numbers and has "
                f"{values.size}; the file is damaged"
            )
        return values


def read_caffemodel(path: Path) -> TrainedWeights:
    """Reads a file.

    Raises:
        ModelFileError: It cannot be read, or holds no Caffe weights.
    """
    try:
        return _read(path)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _read(path: Path) -> TrainedWeights:
    if path.is_dir():
        raise ModelFileError("this is a folder; name the .caffemodel file")
    if not path.is_file():
        raise ModelFileError("no such file")
    message = pb.NetWeights()
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ModelFileError("larger than 2 GB, which protobuf cannot read")
        message.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelFileError(f"cannot be read: {error.strerror}") from error
    except (DecodeError, RuntimeError, ValueError) as error:
        raise ModelFileError(
            "this is no caffemodel, or a truncated one; fetch it again (HDF5 is not supported)"
        ) from error
    blobs: dict[str, tuple[pb.Blob, ...]] = {}
    for layer in message.layer:
        blobs.setdefault(_text(layer.name), tuple(layer.blobs))
    for old in message.layers:
        if old.HasField("layer"):
            blobs.setdefault(_text(old.layer.name), tuple(old.layer.blobs or old.blobs))
        else:
            blobs.setdefault(_text(old.name), tuple(old.blobs))
    if not any(blobs.values()):
        raise ModelFileError("this is no caffemodel: no layer in it has weights")
    return TrainedWeights(blobs)


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "replace")


def _numbers(blob: pb.Blob, layer: str, index: int) -> Float32:
    if blob.HasField("raw_data"):  # NVIDIA's form
        if not 0 <= blob.raw_data_type < len(_RAW_TYPES):
            raise ModelFileError(f"blob {index} of layer {layer!r} has an unknown element type")
        return _from_bytes(blob.raw_data, _RAW_TYPES[blob.raw_data_type], layer, index)
    if blob.data:
        return _from_bytes(_joined(blob.data), "<f4", layer, index)
    if blob.double_data:
        return _from_bytes(_joined(blob.double_data), "<f8", layer, index)
    loose = pb.LooseBlob()  # numbers that were not packed are among the unknown fields
    loose.ParseFromString(blob.SerializeToString())
    return np.array(loose.data or loose.double_data, np.float32)


def _joined(chunks: object) -> bytes:
    parts = list(chunks)  # type: ignore[call-overload]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _from_bytes(data: bytes, dtype: str, layer: str, index: int) -> Float32:
    if len(data) % np.dtype(dtype).itemsize:
        raise ModelFileError(f"blob {index} of layer {layer!r} ends inside a number")
    values = np.frombuffer(data, dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # doubles may be anything
        return values.astype(np.float32, copy=False)
