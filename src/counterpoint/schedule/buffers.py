"""Memory for the tensors that pass between segments: allocated once, lent to frame after frame.

An engine writes into a lent buffer directly, where its own memory would have to be copied. A buffer
that comes back is bound to the engine already, and no page of it faults.
"""

from __future__ import annotations

from math import prod

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import ITEM_BYTES, TensorSpec

ALIGNMENT_BYTES = 64
"""A cache line, and the widest vector register of today's processors. No engine demands it."""


class BufferPool:
    """Buffers of one tensor of a lane, each lent to one frame at a time.

    There are as many as frames ever needed at once. Lending and giving back may happen in different
    threads; only one thread at a time borrows.

    Attributes:
        made: How many buffers there are, lent or not.
    """

    __slots__ = ("_free", "_spec", "made")

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec
        # The last one given back is lent first: it is in the cache, and bound to the engine.
        self._free: list[Tensor] = []
        self.made = 0

    @property
    def lent(self) -> int:
        """How many buffers are lent to frames."""
        return self.made - len(self._free)

    def borrow(self) -> Tensor:
        """A buffer that nobody else has, with anything in it."""
        try:
            return self._free.pop()
        except IndexError:
            self.made += 1
            return aligned_array(self._spec)

    def give_back(self, buffer: Tensor) -> None:
        """Takes back a buffer that nobody reads any more."""
        self._free.append(buffer)


def is_lendable(spec: TensorSpec) -> bool:
    """Its size is known before it is made, and NumPy has its type."""
    return spec.shape is not None and spec.dtype in ITEM_BYTES and spec.dtype != "bfloat16"


def aligned_array(spec: TensorSpec) -> Tensor:
    """A C-contiguous array for a tensor that :func:`is_lendable`, not initialised."""
    shape, dtype = spec.shape or (), np.dtype(spec.dtype)
    size_bytes = prod(shape) * dtype.itemsize
    memory = np.empty(size_bytes + ALIGNMENT_BYTES, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT_BYTES
    array: Tensor = memory[first : first + size_bytes].view(dtype).reshape(shape)
    return array
