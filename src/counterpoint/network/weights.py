"""One file of weights that every part of a network shares.

Engines read weights as ONNX external data out of this file and map it into memory, so cutting a
network into a hundred segments copies nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
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

SUB_BYTE_BITS: Mapping[str, int] = {
    "INT2": 2,
    "UINT2": 2,
    "INT4": 4,
    "UINT4": 4,
    "FLOAT4E2M1": 4,
    "FLOAT6E2M3": 6,
    "FLOAT6E3M2": 6,
}
"""Element types that ONNX packs, which NumPy keeps in a byte each."""


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
        """Keeps an array, of a type of whole bytes; see :meth:`add_raw`."""
        data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        flat = np.ascontiguousarray(array).reshape(-1)
        return self.add_raw(name, data_type, array.shape, flat.view(np.uint8).data)

    def add_raw(
        self, name: str, data_type: int, shape: tuple[int, ...], data: bytes | memoryview
    ) -> TensorProto:
        """Keeps little-endian raw bytes of a tensor as they stand in ONNX's ``raw_data``.

        Returns:
            A tensor that refers to the file, or holds the bytes itself where they are few.

        Raises:
            MachineError: The disk is full.
        """
        tensor = TensorProto(name=name, data_type=data_type, dims=shape)
        self._hash.update(f"{name}:{data_type}:{shape}".encode())
        self._hash.update(data)
        length = memoryview(data).nbytes
        if length <= INLINE_BYTES:
            tensor.raw_data = bytes(data)
            return tensor
        offset = -(-self._end // ALIGNMENT) * ALIGNMENT
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
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", WEIGHTS_FILE),
            ("offset", str(offset)),
            ("length", str(length)),
        ):
            tensor.external_data.add(key=key, value=value)
        return tensor

    def add_by_content(self, name: str, array: npt.NDArray[np.generic]) -> TensorProto:
        """Keeps an array of a rewritten form of the network in a file that is named by its content.

        The same array is written once, and whatever else was rewritten before changes neither the
        reference nor :meth:`digest`: the same rewrite gives the same network.

        Raises:
            MachineError: The disk is full.
        """
        tensor = numpy_helper.from_array(array, name)
        if array.nbytes <= INLINE_BYTES:
            return tensor
        data = tensor.raw_data
        file_name = hashlib.blake2b(data, digest_size=16).hexdigest() + ".bin"
        path = self.scratch.path / file_name
        if not path.exists():
            partial = path.with_suffix(f".{threading.get_ident()}")
            try:
                partial.write_bytes(data)
                partial.replace(path)
            except OSError as error:
                partial.unlink(missing_ok=True)
                raise MachineError(
                    f"cannot keep weights in {self.scratch.path}: {error.strerror}; "
                    "free some room or point TMPDIR at another disk"
                ) from error
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file_name), ("offset", "0"), ("length", str(len(data)))):
            tensor.external_data.add(key=key, value=value)
        return tensor

    def digest(self) -> str:
        """Hash over everything kept so far by :meth:`add`, in order."""
        return self._hash.hexdigest()


def is_inline(tensor: TensorProto) -> bool:
    """The tensor holds its values itself."""
    return bool(tensor.data_location != TensorProto.EXTERNAL)


def tensor_bytes(tensor: TensorProto) -> int:
    """Bytes of the dense values as raw data, from type and shape alone.

    Raises:
        KeyError: No such element type, or text, which has no fixed size.
    """
    if tensor.data_type == TensorProto.STRING:
        raise KeyError(tensor.data_type)
    whole = 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    bits = SUB_BYTE_BITS.get(TensorProto.DataType.Name(tensor.data_type), whole)
    size: int = -(-prod(tensor.dims) * bits // 8)
    return size
