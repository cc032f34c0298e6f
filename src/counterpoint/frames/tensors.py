"""Frames and outputs as tensor files: ``.npy``, and ``.f32`` (raw little-endian float32)."""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt

from counterpoint.errors import FrameError
from counterpoint.frames.files import file_bytes, printable, read_whole, write_whole
from counterpoint.network.graph import ITEM_BYTES, TensorSpec

Tensor = npt.NDArray[np.generic]

_MAX_NPY_HEADER_BYTES = 4096
_MAX_FILE_BYTES = 2**30


def numpy_dtype(spec: TensorSpec) -> np.dtype[np.generic]:
    """NumPy's type of the tensor's elements; ``bfloat16`` is ``ml_dtypes.bfloat16``.

    Raises:
        FrameError: NumPy has no such type.
    """
    if spec.dtype not in ITEM_BYTES:
        raise FrameError(f"tensor {spec.name!r} has the unknown type {spec.dtype}")
    return np.dtype(ml_dtypes.bfloat16 if spec.dtype == "bfloat16" else spec.dtype)


def static_shape(spec: TensorSpec) -> tuple[int, ...]:
    """The tensor's shape.

    Raises:
        FrameError: It is not known, so no frame can be checked against it.
    """
    if spec.shape is None:
        raise FrameError(f"tensor {spec.name!r} has no known shape; give the model static shapes")
    return spec.shape


def read_tensor(path: Path, spec: TensorSpec) -> Tensor:
    """Reads one frame for the input ``spec``, by the file's ending.

    ``.npy`` must have exactly the input's type and shape. ``.f32`` must have as many elements; it
    is for floating-point inputs and is converted to the input's type.

    Returns:
        A C-contiguous array of the input's shape and type.

    Raises:
        FrameError: The file does not fit the input. It is measured before anything is allocated.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _read_npy(path, spec)
    if suffix == ".f32":
        return _read_f32(path, spec)
    raise FrameError(f"{printable(path)}: a tensor file ends in .npy or .f32")


def write_tensor(path: Path, tensor: Tensor) -> None:
    """Writes one tensor, by the file's ending; a file is whole or not there.

    ``bfloat16`` becomes float32 in ``.npy``, which has no such type.

    Raises:
        FrameError: The ending is neither ``.npy`` nor ``.f32``, or integers go to ``.f32``.
        MachineError: It cannot be written here.
    """
    suffix = path.suffix.lower()
    is_bfloat16 = tensor.dtype == np.dtype(ml_dtypes.bfloat16)
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, tensor.astype(np.float32) if is_bfloat16 else tensor, allow_pickle=False)
        write_whole(path, buffer.getvalue())
    elif suffix == ".f32":
        if not is_bfloat16 and tensor.dtype.kind != "f":
            raise FrameError(f"{printable(path)}: {tensor.dtype} tensors are written as .npy")
        with np.errstate(over="ignore", invalid="ignore"):
            write_whole(path, tensor.astype("<f4").tobytes())
    else:
        raise FrameError(f"{printable(path)}: a tensor file ends in .npy or .f32")


def _read_npy(path: Path, spec: TensorSpec) -> Tensor:
    shape, dtype = static_shape(spec), numpy_dtype(spec)
    data_bytes = prod(shape) * dtype.itemsize
    data = read_whole(path, max_bytes=_MAX_FILE_BYTES)
    try:
        header, start = _npy_header(data)
        found_shape, found_dtype = header["shape"], np.dtype(header["descr"])
        order: Literal["C", "F"] = "F" if header["fortran_order"] else "C"
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        raise FrameError(f"{printable(path)}: not a readable .npy file") from error
    if found_shape != shape or found_dtype != dtype:
        raise FrameError(
            f"{printable(path)}: {found_dtype} {printable(found_shape)}, but input {spec.name!r} "
            f"takes {spec.dtype} {shape}"
        )
    if len(data) != start + data_bytes:
        raise FrameError(f"{printable(path)}: the file is longer or shorter than it says")
    values = np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)
    return np.array(values, order="C")


def _npy_header(data: bytes) -> tuple[Mapping[str, Any], int]:
    """The header, a Python literal, and where the values start.

    ``numpy.load`` would do, but that it tries to mend headers of Python 2 with a tokenizer, warns
    on the way, and raises whatever comes. See ``numpy.lib.format`` for the format.
    """
    if data[:6] != b"\x93NUMPY" or data[6:8] not in {b"\1\0", b"\2\0"}:
        raise ValueError("not version 1 or 2 of the format")
    length_bytes = 2 if data[6] == 1 else 4
    start = 8 + length_bytes + int.from_bytes(data[8 : 8 + length_bytes], "little")
    if not 10 < start <= min(len(data), _MAX_NPY_HEADER_BYTES):
        raise ValueError("a header without end")
    header = ast.literal_eval(data[8 + length_bytes : start].decode("latin1").strip())
    if not isinstance(header, dict) or not isinstance(header["descr"], str):
        raise TypeError("no array of plain numbers")
    return header, start


def _read_f32(path: Path, spec: TensorSpec) -> Tensor:
    shape, dtype = static_shape(spec), numpy_dtype(spec)
    if dtype.kind not in "fV":
        raise FrameError(
            f"{printable(path)}: input {spec.name!r} takes {spec.dtype}; give it as .npy"
        )
    wanted_bytes = prod(shape) * 4
    size = file_bytes(path, max_bytes=_MAX_FILE_BYTES)
    if size != wanted_bytes:
        raise FrameError(
            f"{printable(path)}: {size} bytes, but input {spec.name!r} {shape} takes "
            f"{wanted_bytes} bytes of float32"
        )
    values = np.frombuffer(read_whole(path, max_bytes=wanted_bytes), dtype="<f4")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.reshape(shape).astype(dtype)
    if np.isinf(converted).sum() > np.isinf(values).sum():
        raise FrameError(f"{printable(path)}: holds values too large for {spec.dtype}")
    return converted
