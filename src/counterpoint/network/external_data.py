"""External data of ONNX models: weights in files beside the model, read with distrust.

A model file is a stranger's. The path it names must stay in the model's own folder, symbolic links
resolved, and the bytes it asks for must be there before any memory is taken for them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from onnx import TensorProto

from counterpoint.errors import ModelFileError


@contextmanager
def read_external(
    tensor: TensorProto, folder: Path, declared_bytes: int
) -> Iterator[memoryview | bytes]:
    """The tensor's bytes, mapped for as long as the context is open.

    Args:
        tensor: With ``data_location`` EXTERNAL.
        folder: Of the model file.
        declared_bytes: What type and shape ask for.

    Raises:
        ModelFileError: The path leaves the folder, the file is missing, or it is too short.
    """
    where = {entry.key: entry.value for entry in tensor.external_data}
    location = where.get("location", "")
    try:
        path = _inside(folder, location, tensor.name)
        available = path.stat().st_size
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise ModelFileError(
            f"weight {tensor.name!r} is in {location[:80]!r}, which cannot be read: {error}"
        ) from error
    offset = _number(where.get("offset", "0"), "offset", tensor.name)
    length = _number(where.get("length", str(declared_bytes)), "length", tensor.name)
    if length != declared_bytes:
        raise ModelFileError(
            f"weight {tensor.name!r} needs {declared_bytes} bytes, its external data are {length}"
        )
    if offset + length > available:
        raise ModelFileError(
            f"weight {tensor.name!r} ends at byte {offset + length} of {path.name}, "
            f"which has {available}; the file is truncated"
        )
    if length == 0:
        yield b""
        return
    with (
        _opened(path, tensor.name) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
        view[offset : offset + length] as window,
    ):
        yield window


def _opened(path: Path, name: str) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ModelFileError(
            f"weight {name!r} is in {path.name}, which cannot be read: {error.strerror}"
        ) from error


def _inside(folder: Path, location: str, name: str) -> Path:
    pure = PurePosixPath(location)
    outside = (
        not location
        or pure.is_absolute()
        or PureWindowsPath(location).is_absolute()
        or ".." in pure.parts
        or "\\" in location
        or "\0" in location
    )
    root = folder.resolve()
    if outside or not (root / location).resolve().is_relative_to(root):
        raise ModelFileError(
            f"weight {name!r} asks for {location!r}, which is outside the model's folder; refused"
        )
    path = (root / location).resolve()
    if not path.is_file():
        raise ModelFileError(
            f"weight {name!r} is in {location!r}, which is missing beside the model"
        )
    return path


def _number(text: str, key: str, name: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ModelFileError(f"weight {name!r}: external data's {key} {text!r} is no number")
    return int(text)
