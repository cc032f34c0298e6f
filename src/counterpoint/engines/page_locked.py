"""Host memory that a CUDA device reads and writes by itself: pages that are locked.

A copy from ordinary pages goes through a buffer of the driver's; one from locked pages is a
transfer of the hardware's own (CUDA C++ Best Practices Guide, "Pinned Memory").
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

_NAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "cudart64_13", "cudart64_12")

Array = npt.NDArray[np.generic]


def staging(shape: tuple[int, ...], dtype: str, runtime: Any = None) -> Array:
    """An array of zeros in locked pages; in ordinary ones where CUDA's runtime is not here.

    Args:
        shape: Of the array.
        dtype: NumPy's name.
        runtime: CUDA's runtime library; ``None`` looks for it.
    """
    array = np.zeros(shape, dtype)
    library = runtime or _runtime()
    if library is None or array.nbytes == 0:
        return array
    # cudaHostRegister(ptr, size, cudaHostRegisterDefault): 0 is cudaSuccess.
    address = ctypes.c_void_p(array.ctypes.data)
    if library.cudaHostRegister(address, ctypes.c_size_t(array.nbytes), ctypes.c_uint(0)) == 0:
        weakref.finalize(array, library.cudaHostUnregister, address)
    return array


def can_lock() -> bool:
    """CUDA's runtime is here."""
    return _runtime() is not None


@cache
def _runtime() -> Any:
    """CUDA's runtime as ONNX Runtime loaded it, or as the system has it."""
    for name in (*_NAMES, ctypes.util.find_library("cudart")):
        if name is None:
            continue
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
