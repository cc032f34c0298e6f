"""Cores of an overlay processor, and designs made of one or more of them.

The published core (``OPU-Lab/opu-compiler`` ``backend/src/Arch.h``): 200 MHz, 1024 int8
multipliers, DRAM words of 64 bytes, one a cycle; a feature buffer of 1444 words of 64 bytes (92 KB)
and a weight buffer of 36 words of 1024 bytes (36 KB), each twice, for ping-pong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.errors import UserInputError

FEATURE_BUFFER_BYTES = 1444 * 64
"""One of the two feature buffers of the published core."""

WEIGHT_BUFFER_BYTES = 36 * 1024
"""One of its two weight buffers."""

DRAM_BYTES_PER_CYCLE = 64
"""One word."""

CLOCK_HZ = 200_000_000

MERGED = 4
"""So many of the overlay core's elements can work on one sum (16, 32 or 64 inputs)."""


class CoreKind(IntEnum):
    """How the multipliers of a core are wired; see :mod:`.lanes` for what that means in cycles."""

    OVERLAY = 0
    CONVOLUTION = 1
    DEPTHWISE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One core.

    Attributes:
        kind: How its multipliers are wired.
        elements: Processing elements (PEs), all alike.
        inputs: Multipliers of an element, whose products are added up: its input size.
        feature_buffer_bytes: One of two, int8 features.
        weight_buffer_bytes: One of two, int8 weights.
        clock_hz: Of the core and its memory port.
        line_buffer: Of a depthwise core: its feature buffers can hold single rows, each read once.
            Without it they hold tiles, whose borders are read again. No matter to other kinds.

    Raises:
        UserInputError: A number outside its range, or a buffer too small for any tile.
    """

    kind: CoreKind
    elements: int
    inputs: int
    feature_buffer_bytes: int = FEATURE_BUFFER_BYTES
    weight_buffer_bytes: int = WEIGHT_BUFFER_BYTES
    clock_hz: int = CLOCK_HZ
    line_buffer: bool = True

    def __post_init__(self) -> None:
        name = f"{self.kind.name.lower()} core"
        if min(self.elements, self.inputs) < 1:
            raise UserInputError(
                f"{name} of {self.elements} elements of {self.inputs} inputs: both must be at "
                "least 1"
            )
        if self.kind is CoreKind.OVERLAY and self.elements % MERGED:
            raise UserInputError(
                f"{name} of {self.elements} elements: it needs a multiple of {MERGED}, because "
                f"{MERGED} of them can work on one sum"
            )
        if self.weight_buffer_bytes < self.multipliers:
            raise UserInputError(
                f"{name}: a weight buffer of {self.weight_buffer_bytes} bytes is smaller than one "
                f"tile; {self.elements} x {self.inputs} multipliers need at least "
                f"{self.multipliers} bytes"
            )
        if self.feature_buffer_bytes < DRAM_BYTES_PER_CYCLE:
            raise UserInputError(
                f"{name}: a feature buffer of {self.feature_buffer_bytes} bytes is smaller than "
                f"one tile; a single pixel needs at least {DRAM_BYTES_PER_CYCLE} bytes"
            )
        if self.clock_hz < 1:
            raise UserInputError(f"{name}: a clock of {self.clock_hz} Hz; it must be above 0")

    @property
    def multipliers(self) -> int:
        """Multiply-adds that it could do in a cycle."""
        return self.elements * self.inputs


PUBLISHED_CORE = Core(kind=CoreKind.OVERLAY, elements=64, inputs=16)
"""The single core: 64 elements of 16 inputs are 32 of 32 or 16 of 64, as many channels need it."""


def check_dram(bytes_per_cycle: int) -> None:
    """Raises ``UserInputError`` for a bandwidth that no memory has."""
    if bytes_per_cycle < 1:
        raise UserInputError(
            f"a memory bandwidth of {bytes_per_cycle} bytes per cycle; it must be at least 1"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Cores that share one memory.

    Attributes:
        cores: At least one, of one clock.
        dram_bytes_per_cycle: Width of a memory word, one of which moves in a cycle. Tensors lie in
            memory with each pixel's channels side by side, filled up to whole words.
        duplex: A word can be written in the same cycle in which another is read. The published
            scheduler gives loads and stores one engine and one memory, so by default it cannot.

    Raises:
        UserInputError: No core, unlike clocks, or a width below 1.
    """

    cores: tuple[Core, ...]
    dram_bytes_per_cycle: int = DRAM_BYTES_PER_CYCLE
    duplex: bool = False

    def __post_init__(self) -> None:
        if not self.cores:
            raise UserInputError("a design without cores; it needs at least one")
        if len({core.clock_hz for core in self.cores}) > 1:
            raise UserInputError("a design of cores with unlike clocks; they share one memory port")
        check_dram(self.dram_bytes_per_cycle)

    @property
    def clock_hz(self) -> int:
        """Of all cores."""
        return self.cores[0].clock_hz


PUBLISHED_DESIGN = Design(cores=(PUBLISHED_CORE,))
"""The published single-core processor."""


@dataclass(frozen=True, slots=True, eq=False)
class CoreArrays:
    """Many cores as arrays, one item a core; ``kind`` holds a :class:`CoreKind`. All int64."""

    kind: Ints
    elements: Ints
    inputs: Ints
    feature_buffer_bytes: Ints
    weight_buffer_bytes: Ints
    line_buffer: Ints

    @classmethod
    def of(cls, cores: Sequence[Core]) -> CoreArrays:
        """The arrays of some cores, in their order."""
        table = np.array(
            [
                (
                    core.kind,
                    core.elements,
                    core.inputs,
                    core.feature_buffer_bytes,
                    core.weight_buffer_bytes,
                    core.line_buffer,
                )
                for core in cores
            ],
            dtype=np.int64,
        ).reshape(len(cores), 6)
        return cls(*table.T)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def multipliers(self) -> Ints:
        """Multiply-adds that each could do in a cycle."""
        return self.elements * self.inputs
