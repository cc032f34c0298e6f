"""A convolution as a program for VTA.

Tensors lie in DRAM with 16 channels side by side: inputs ``(C/16, H, W, 16)``, outputs the same,
weights ``(K/16, C/16, R, S, 16 out, 16 in)``, and per block of output channels one vector of
biases, behind all of these one of shifts where each channel has its own.

Each step loads what the step before has not left there, into the half of the scratchpad that is
not being read, and the tokens see to it: load waits for the GEMM two steps back, compute for the
store two tiles back. Without latency hiding there is one half, and load and GEMM take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.vta_instructions import (
    UOP_BYTES,
    Alu,
    Gemm,
    Indices,
    Instruction,
    Loops,
    Memory,
    Operator,
    Program,
    Tokens,
    Transfer,
)
from counterpoint.engines.npu.vta_tiles import Depths, Step, chosen_tile, steps, tile_input
from counterpoint.network.graph import LoopNest


@dataclass(frozen=True, slots=True)
class Requantisation:
    """From an int32 sum, its bias added, to an int8: ``min(max(sum >> shift, lowest), highest)``.

    Attributes:
        shift: The same for all channels; ``None``: each has its own, in DRAM behind the biases.
        lowest: -128, or 0 for a ReLU.
        highest: 127, or less for a bounded activation.
    """

    shift: int | None
    lowest: int = -128
    highest: int = 127

    @property
    def vectors(self) -> int:
        """Loaded for each block of output channels."""
        return 1 if self.shift is not None else 2


def convolution(nest: LoopNest, how: Requantisation, hardware: Vta) -> Program | None:
    """The program for one image; ``None`` where no tile fits the scratchpads."""
    tile = chosen_tile(nest, hardware, how.vectors)
    if tile is None:
        return None
    grouped = groupby(steps(nest, tile, hardware.block), lambda s: (s.rows, s.columns, s.made))
    parts = [tuple(members) for _, members in grouped]
    writer = _Writer(nest, how, hardware, steps_left=sum(map(len, parts)))
    for number, members in enumerate(parts):
        writer.tile(number, members, is_awaited=number + writer.halves < len(parts))
    return Program(tuple(writer.written), np.concatenate(writer.uops))


@dataclass(slots=True)
class _Operand:
    """A scratchpad of inputs or weights: what it got last, and in which half that is."""

    depth: int
    key: object = None
    half: int = -1

    @property
    def start(self) -> int:
        return self.half * self.depth

    def bring(self, key: object, halves: int) -> bool:
        """Moves on to the other half unless it got that last; whether it has to be loaded."""
        if key == self.key:
            return False
        self.key, self.half = key, (self.half + 1) % halves
        return True


@dataclass(slots=True)
class _Writer:
    """Writes instructions in the order of the tiles.

    Attributes:
        steps_left: Not yet written.
        written: So far.
        uops: All that instructions load, as they lie in DRAM.
    """

    nest: LoopNest
    how: Requantisation
    hardware: Vta
    steps_left: int
    written: list[Instruction] = field(default_factory=list)
    uops: list[Indices] = field(default_factory=list)
    halves: int = field(init=False)
    _inputs: _Operand = field(init=False)
    _weights: _Operand = field(init=False)
    _sums: int = field(init=False)
    _step: int = 0
    _resident: dict[bytes, int] = field(default_factory=dict)
    _uops_resident: int = 0
    _uops_in_dram: int = 0

    def __post_init__(self) -> None:
        depths = Depths.of(self.hardware)
        self.halves = 2 if self.hardware.latency_hiding else 1
        self._inputs, self._weights = _Operand(depths.inputs), _Operand(depths.weights)
        self._sums = depths.sums

    def tile(self, number: int, members: Sequence[Step], *, is_awaited: bool) -> None:
        """One part of the output: all its input channels, requantisation, and the way out.

        Args:
            number: Of the tile, from 0.
            members: Its steps.
            is_awaited: A later tile takes the same half, and so waits until this one is stored.
        """
        first = members[0]
        start = number % self.halves * self._sums
        vectors = start + self._sums - self.how.vectors * first.made.size
        self._load_vectors(first, vectors)
        over = self._results(first, start, vectors)
        self.written.append(
            Gemm(loops=over, reset=True, tokens=Tokens(pop_next=number >= self.halves))
        )
        for step in members:
            self._load(step)
            self._gemm(step, start)
        self._requantise(first, start, vectors)
        self._store(first, start, is_awaited)

    def _load_vectors(self, step: Step, vectors: int) -> None:
        """Biases of the tile's channels, and their shifts."""
        blocks = self.nest.out_channels // self.hardware.block
        self.written.append(
            Transfer(
                memory=Memory.SUM,
                on_chip=vectors,
                dram=step.made.start,
                rows=self.how.vectors,
                columns=step.made.size,
                stride=blocks,
            )
        )

    def _load(self, step: Step) -> None:
        """What the scratchpads lack; the first LOAD waits, the last one tells."""
        loads: list[Transfer] = []
        if self._inputs.bring((step.rows, step.columns, step.taken), self.halves):
            loads += self._input_loads(step)
        if self._weights.bring((step.made, step.taken), self.halves):
            taps = self.nest.kernel[0] * self.nest.kernel[1]
            stride = self.nest.in_channels // self.hardware.block * taps
            loads.append(
                Transfer(
                    memory=Memory.WEIGHT,
                    on_chip=self._weights.start,
                    dram=step.made.start * stride + step.taken.start * taps,
                    rows=step.made.size,
                    columns=step.taken.size * taps,
                    stride=stride,
                )
            )
        waits = Tokens(pop_next=self._step >= self.halves)
        loads[0] = replace(loads[0], tokens=waits)
        loads[-1] = replace(loads[-1], tokens=replace(loads[-1].tokens, push_next=True))
        self.written += loads

    def _input_loads(self, step: Step) -> Iterator[Transfer]:
        """A rectangle for each block of channels, with the zeros of the padding around it."""
        height, width = self.nest.input_size
        tall, wide = tile_input(self.nest, step.rows.size, step.columns.size)
        top = step.rows.start * self.nest.stride[0] - self.nest.pads[0]
        left = step.columns.start * self.nest.stride[1] - self.nest.pads[1]
        rows = range(min(max(top, 0), height), min(max(top + tall, 0), height))
        columns = range(min(max(left, 0), width), min(max(left + wide, 0), width))
        above = min(max(-top, 0), tall)
        before = min(max(-left, 0), wide)
        for block in range(step.taken.size):
            corner = (step.taken.start + block) * height * width + rows.start * width
            yield Transfer(
                memory=Memory.INPUT,
                on_chip=self._inputs.start + block * tall * wide,
                dram=corner + columns.start,
                rows=len(rows),
                columns=len(columns),
                stride=width,
                pads=(above, before, tall - above - len(rows), wide - before - len(columns)),
            )

    def _gemm(self, step: Step, start: int) -> None:
        tall, wide = tile_input(self.nest, step.rows.size, step.columns.size)
        kernel_rows, kernel_columns = self.nest.kernel
        pixels = step.rows.size * step.columns.size
        loops = self._kernel(
            (
                start + made * pixels,
                self._inputs.start + taken * tall * wide + row * wide + column,
                self._weights.start
                + ((made * step.taken.size + taken) * kernel_rows + row) * kernel_columns
                + column,
            )
            for made in range(step.made.size)
            for taken in range(step.taken.size)
            for row in range(kernel_rows)
            for column in range(kernel_columns)
        )
        over = replace(
            loops,
            outer=step.rows.size,
            inner=step.columns.size,
            target=(step.columns.size, 1),
            source=(self.nest.stride[0] * wide, self.nest.stride[1]),
        )
        self.steps_left -= 1
        self._step += 1
        tokens = Tokens(pop_previous=True, push_previous=self.steps_left >= self.halves)
        self.written.append(Gemm(loops=over, tokens=tokens))

    def _results(self, step: Step, start: int, vectors: int) -> Loops:
        """Over all results of a tile, with a vector of its channels beside each."""
        pixels = step.rows.size * step.columns.size
        uops = ((start + block * pixels, vectors + block, 0) for block in range(step.made.size))
        return replace(
            self._kernel(uops),
            outer=step.rows.size,
            inner=step.columns.size,
            target=(step.columns.size, 1),
        )

    def _requantise(self, step: Step, start: int, vectors: int) -> None:
        """Bias, shift, and the bounds of an int8; the operands' indices do not move."""
        over = self._results(step, start, vectors)
        self.written.append(Alu(operator=Operator.ADD, loops=over))
        if self.how.shift is None:
            over = self._results(step, start, vectors + step.made.size)
        self.written += [
            Alu(operator=Operator.SHR, loops=over, immediate=self.how.shift),
            Alu(operator=Operator.MAX, loops=over, immediate=self.how.lowest),
            Alu(
                operator=Operator.MIN,
                loops=over,
                immediate=self.how.highest,
                tokens=Tokens(push_next=True),
            ),
        ]

    def _store(self, step: Step, start: int, is_awaited: bool) -> None:
        """A rectangle for each block of channels; the first STORE waits, the last one tells."""
        height, width = self.nest.output_size
        for block in range(step.made.size):
            corner = (step.made.start + block) * height * width
            is_last = block == step.made.size - 1
            self.written.append(
                Transfer(
                    memory=Memory.OUTPUT,
                    on_chip=start + block * step.rows.size * step.columns.size,
                    dram=corner + step.rows.start * width + step.columns.start,
                    rows=step.rows.size,
                    columns=step.columns.size,
                    stride=width,
                    tokens=Tokens(pop_previous=block == 0, push_previous=is_last and is_awaited),
                )
            )

    def _kernel(self, uops: Iterable[tuple[int, int, int]]) -> Loops:
        """Micro-ops as a sequence that is on the chip, loaded where it is not there yet.

        Good until the next call, which may load others over it.
        """
        sequence = np.array(list(uops), np.int64)
        key = sequence.tobytes()
        if key not in self._resident:
            if self._uops_resident + len(sequence) > self.hardware.uop_buffer_bytes // UOP_BYTES:
                self._resident.clear()  # nothing before is needed: one module loads and uses them
                self._uops_resident = 0
            self.written.append(
                Transfer(
                    memory=Memory.UOP,
                    on_chip=self._uops_resident,
                    dram=self._uops_in_dram,
                    rows=1,
                    columns=len(sequence),
                    stride=len(sequence),
                )
            )
            self.uops.append(sequence)
            self._resident[key] = self._uops_resident
            self._uops_resident += len(sequence)
            self._uops_in_dram += len(sequence)
        first = self._resident[key]
        return Loops(first=first, last=first + len(sequence))
