"""The instructions of VTA: LOAD, GEMM, ALU and STORE, their micro-ops and their limits.

Source: Moreau et al., "A Hardware-Software Blueprint for Flexible Deep Learning Specialization",
IEEE Micro 2019, and ``apache/tvm-vta``, ``include/vta/hw_spec.h`` (fields and their widths). Sizes
and addresses count elements, not bytes: an input or output is a vector of ``block`` int8, a weight
a ``block`` x ``block`` matrix of int8, a sum a vector of ``block`` int32, a micro-op three indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

MAX_PAD = 15
"""Rows or columns of padding that one LOAD makes on a side (4 bits)."""

MAX_LOOP = 2**14 - 1
"""Turns of one loop (14 bits)."""

MAX_SIZE = 2**16 - 1
"""Rows or columns that one LOAD or STORE moves (16 bits)."""

UOP_BYTES = 4
"""Of a micro-op: 11 bits each for result and input, 10 for the weight."""

IMMEDIATE = 2**15
"""An immediate operand lies in [-IMMEDIATE, IMMEDIATE) (16 bits)."""


class Memory(StrEnum):
    """On-chip memories."""

    UOP = "uop"
    INPUT = "input"
    WEIGHT = "weight"
    SUM = "accumulator"
    OUTPUT = "output"


class Module(Enum):
    """What runs instructions, each in its own order: a chain in which neighbours hand tokens on."""

    LOAD = 0
    COMPUTE = 1
    STORE = 2


class Operator(StrEnum):
    """Of the ALU, lane by lane; ``SHR`` is arithmetic, and to the left by a negative number."""

    MIN = "MIN"
    MAX = "MAX"
    ADD = "ADD"
    SHR = "SHR"
    MUL = "MUL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an instruction waits for and announces. A token says "done with what we share".

    Attributes:
        pop_previous: Waits for one of the module before (compute: of load).
        pop_next: Waits for one of the module behind (load: of compute).
        push_previous: Gives one to the module before when done.
        push_next: Gives one to the module behind when done.
    """

    pop_previous: bool = False
    pop_next: bool = False
    push_previous: bool = False
    push_next: bool = False


NONE = Tokens()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """LOAD or STORE: a rectangle between DRAM and an on-chip memory.

    Attributes:
        memory: On-chip side; ``OUTPUT`` is stored, the others are loaded.
        on_chip: First element there; rows follow one another, padding included.
        dram: First element there.
        rows: How many.
        columns: Elements of a row.
        stride: Elements from one row to the next in DRAM.
        pads: Zeros around what is loaded: above, left, below, right.
        tokens: See :class:`Tokens`.
    """

    memory: Memory
    on_chip: int
    dram: int
    rows: int
    columns: int
    stride: int
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    tokens: Tokens = NONE

    @property
    def module(self) -> Module:
        """Micro-ops and sums are loaded by the module that computes with them."""
        if self.memory is Memory.OUTPUT:
            return Module.STORE
        on_compute = self.memory in (Memory.UOP, Memory.SUM)
        return Module.COMPUTE if on_compute else Module.LOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Two loops around a sequence of micro-ops, and how far they move its indices.

    Attributes:
        first: First micro-op of the sequence.
        last: Behind the last one.
        outer: Turns of the outer loop.
        inner: Turns of the inner loop.
        target: What each turn of the outer and of the inner loop adds to the index of the result.
        source: The same for the operand: input of a GEMM, second sum of an ALU instruction.
        weight: The same for the weights.
    """

    first: int
    last: int
    outer: int = 1
    inner: int = 1
    target: tuple[int, int] = (0, 0)
    source: tuple[int, int] = (0, 0)
    weight: tuple[int, int] = (0, 0)

    @property
    def steps(self) -> int:
        """Micro-ops that are run, all turns together."""
        return (self.last - self.first) * self.outer * self.inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """``sum[target] += weight @ input[source]`` for each step; or clears the sums.

    Attributes:
        loops: Over what.
        reset: Sets the results to 0 in place of adding.
        tokens: See :class:`Tokens`.
    """

    loops: Loops
    reset: bool = False
    tokens: Tokens = NONE

    @property
    def module(self) -> Module:
        """Compute."""
        return Module.COMPUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Alu:
    """``sum[target] = operator(sum[target], sum[source] or immediate)`` for each step.

    Attributes:
        operator: What it does.
        loops: Over what.
        immediate: The second operand; ``None``: ``sum[source]``.
        tokens: See :class:`Tokens`.
    """

    operator: Operator
    loops: Loops
    immediate: int | None = None
    tokens: Tokens = NONE

    @property
    def module(self) -> Module:
        """Compute."""
        return Module.COMPUTE


Instruction: TypeAlias = Transfer | Gemm | Alu


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions in the order in which they are issued.

    Attributes:
        instructions: Each module takes its own from here, in this order.
        uops: ``(count, 3)``: target, source and weight; in DRAM, loaded by instructions.
    """

    instructions: tuple[Instruction, ...]
    uops: Indices
