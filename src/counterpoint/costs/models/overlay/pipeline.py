"""Cycles of a sequence of tiles through ping-pong buffers.

While the multipliers compute tile t out of one half of the buffers, the memory port fills the other
half with tile t + 1, and writes what tile t gives (``opu-sim``: finished outputs leave through the
post-processing while the last partial sums are still made). The next step begins when both are
done:

    total = load(1) + sum over t of max(compute(t), memory(load(t + 1), store(t)))
    memory(l, s) = l + s, or max(l, s) with a duplex memory

One memory engine for loads and stores, and no latency of a burst: ``opu-compiler``
``Scheduler.cpp`` (``assign_engine``) and ``Arch.h`` (``dram_access_latency = 0``). Its tiling
search charges a tile max(compute, load), without store: what it compares is not what it schedules.

Tiles come in a full size and, at the end of each axis, in a smaller one. So there are few unlike
steps, and the sum over t is a sum over kinds of steps times how often each comes: exact, not an
estimate. The axes, outermost first: repeats (images, groups, and rows where a tile is narrower than
a row); places (parts of the plane); blocks of output channels; turns (blocks of input channels,
whose sums stay in the core); taps of the kernel, where the weight buffer does not hold them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from counterpoint.costs.models.overlay.shapes import Ints

Size: TypeAlias = Literal["full", "tail"]
SIZES: tuple[Size, Size] = ("full", "tail")


@dataclass(frozen=True, slots=True)
class Axis:
    """Tiles along one axis: ``count - 1`` of size ``full``, then one of size ``tail``."""

    count: Ints
    full: Ints
    tail: Ints

    @classmethod
    def cut(cls, extent: Ints, size: Ints) -> Axis:
        """An extent in tiles of a size; the last one gets what is left."""
        count = np.asarray(-(-extent // size), dtype=np.int64)
        return cls(count, size, extent - (count - 1) * size)

    def size(self, which: Size) -> Ints:
        """Extent of the full tiles, or of the last one."""
        return self.full if which == "full" else self.tail

    def times(self, which: Size) -> Ints:
        """How many tiles there are of it."""
        return self.count - 1 if which == "full" else np.ones_like(self.count)

    def pairs(self, which: Size, following: Size) -> Ints:
        """How often a tile of one size is followed by one of the other, inside the axis."""
        if which == "tail":
            return np.zeros_like(self.count)
        if following == "tail":
            return (self.count >= 2).astype(np.int64)
        return np.maximum(0, self.count - 2)

    def first(self, full: Ints, tail: Ints) -> Ints:
        """What belongs to the first tile, out of what belongs to full and last ones."""
        return np.where(self.count > 1, full, tail)


@dataclass(slots=True)
class Phases:
    """Sums over steps, all of one shape.

    Attributes:
        duplex: The memory reads and writes in the same cycle.
        total: Cycles from the first load to the last store.
        compute: Cycles in which the multipliers work.
        load: Cycles in which words are read.
        store: Cycles in which words are written.
    """

    duplex: bool
    total: Ints = field(default_factory=lambda: np.zeros((), dtype=np.int64))
    compute: Ints = field(default_factory=lambda: np.zeros((), dtype=np.int64))
    load: Ints = field(default_factory=lambda: np.zeros((), dtype=np.int64))
    store: Ints = field(default_factory=lambda: np.zeros((), dtype=np.int64))

    def step(self, times: Ints, compute: Ints, load: Ints, store: Ints) -> None:
        """So many steps in which the next tile is loaded and the own result stored."""
        memory = np.maximum(load, store) if self.duplex else load + store
        self.total = self.total + times * np.maximum(compute, memory)
        self.compute = self.compute + times * compute
        self.load = self.load + times * load
        self.store = self.store + times * store

    def fill(self, load: Ints) -> None:
        """The first load, behind which nothing hides."""
        self.total = self.total + load
        self.load = self.load + load
