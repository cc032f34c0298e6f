"""One file of weights that every part of a network shares.

Engines read weights as ONNX external data out of this file and map it into memory, so cutting a
network into a hundred segments copies nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from counterpoint.errors import MachineError

WEIGHTS_FILE = "weights.bin"

INLINE_BYTES = 1024
"""Constants up to this size stay inside the model: shapes, axes and scales must be readable to
shape inference and to importers, which do not follow external data."""

ALIGNMENT = 4096
"""Large tensors start at a page border, so that each can be mapped by itself (ONNX's advice in
``docs/ExternalData.md``)."""


class Scratch:
    """A private folder that is removed with its owner or at exit.

    Raises:
        MachineError: The folder cannot be made.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="counterpoint-"))
        except OSError as error:
            raise MachineError(
                f"no scratch folder: {error.strerror}; point TMPDIR at a disk with room"
            ) from error
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def close(self) -> None:
        """Removes the folder now."""
        self._finalizer()


class WeightFile:
    """Appends tensors to one file and hands back references to them.

    Attributes:
        scratch: The folder it lies in; segments' model files belong there too.
    """

    def __init__(self) -> None:
        self.scratch = Scratch()
        self._path = self.scratch.path / WEIGHTS_FILE
        self._end = 0
        self._hash = hashlib.blake2b(digest_size=20)
        self._path.touch()

    def add(self, name: str, array: npt.NDArray[np.generic]) -> TensorProto:
        """Keeps an array; the returned tensor refers to the file unless it is tiny.

        Raises:
            MachineError: The disk is full.
        """
        if array.nbytes <= INLINE_BYTES:
            tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
            self._hash.update(tensor.SerializeToString(deterministic=True))
            return tensor
        contiguous = np.asarray(array, order="C")
        data_type = onnx.helper.np_dtype_to_tensor_dtype(contiguous.dtype)
        return self.add_raw(name, data_type, contiguous.shape, contiguous.view(np.uint8).data)

    def add_raw(
        self, name: str, data_type: int, shape: tuple[int, ...], data: bytes | memoryview
    ) -> TensorProto:
        """Keeps little-endian raw bytes of a tensor as they stand in ONNX's ``raw_data``."""
        offset = -(-self._end // ALIGNMENT) * ALIGNMENT
        length = memoryview(data).nbytes
        try:
            with self._path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
        except OSError as error:
            raise MachineError(
                f"cannot keep weights in {self.scratch.path}: {error.strerror}; "
                "free some room or point TMPDIR at another disk"
            ) from error
        self._end = offset + length
        self._hash.update(f"{name}:{data_type}:{shape}".encode())
        self._hash.update(data)
        tensor = TensorProto(name=name, data_type=data_type, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", WEIGHTS_FILE),
            ("offset", str(offset)),
            ("length", str(length)),
        ):
            tensor.external_data.add(key=key, value=value)
        return tensor

    def digest(self) -> str:
        """Hash over everything kept so far, in order."""
        return self._hash.hexdigest()

    def read(self, tensor: TensorProto) -> npt.NDArray[np.generic]:
        """The values of one of its tensors, mapped read-only when they lie in the file."""
        if tensor.data_location != TensorProto.EXTERNAL:
            return numpy_helper.to_array(tensor)
        where = {entry.key: entry.value for entry in tensor.external_data}
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return np.memmap(
            self._path,
            dtype=dtype,
            mode="r",
            offset=int(where["offset"]),
            shape=tuple(tensor.dims),
        )


def tensor_bytes(tensor: TensorProto) -> int:
    """Bytes of the dense values, from type and shape alone."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return prod(tensor.dims) * dtype.itemsize
