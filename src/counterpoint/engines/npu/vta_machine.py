"""VTA as a machine: three modules, four queues of tokens between them, five scratchpads.

Instructions change the scratchpads for real, so what a program forgets to wait for shows as a
wrong number. Each module runs its own instructions in order, as soon as the tokens are there that
they wait for; which module goes first where several could is a parameter, and the result of a
right program does not depend on it.

Cycles are counted along: a step of the GEMM core takes one, one of the ALU ``alu_interval``, and a
transfer its bytes over those of the port (``costs/models/vta.py`` has the sources). Reading
and writing DRAM each have their own channel, as in AXI.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.vta_arithmetic import Int8, Int32, alu, gemm, reset
from counterpoint.engines.npu.vta_instructions import (
    UOP_BYTES,
    Alu,
    Gemm,
    Indices,
    Instruction,
    Memory,
    Module,
    Program,
    Transfer,
)
from counterpoint.errors import InternalError

_SUM_BYTES = 4

Eagerness = tuple[Module, Module, Module]

LOADS_FIRST: Eagerness = (Module.LOAD, Module.COMPUTE, Module.STORE)
STORES_FIRST: Eagerness = (Module.STORE, Module.COMPUTE, Module.LOAD)


@dataclass(frozen=True, slots=True)
class Dram:
    """What a program reads and writes, element by element as the instructions count them.

    Attributes:
        inputs: ``(count, block)``.
        weights: ``(count, block out, block in)``.
        sums: ``(count, block)``: biases and the like.
        outputs: ``(count, block)``; written.
    """

    inputs: Int8
    weights: Int8
    sums: Int32
    outputs: Int8


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run did.

    Attributes:
        instructions: Number of each: ``LOAD input``, ``GEMM``, ``GEMM reset``, ``ALU SHR``,
            ``STORE output`` ...
        gemm_steps: Micro-ops of the GEMM core, clearing included.
        alu_steps: Micro-ops of the ALU.
        loaded_bytes: From DRAM, by memory.
        stored_bytes: To DRAM.
        busy_cycles: Of each module.
        cycles: From the first instruction's start to the last one's end.
    """

    instructions: Mapping[str, int]
    gemm_steps: int
    alu_steps: int
    loaded_bytes: Mapping[Memory, int]
    stored_bytes: int
    busy_cycles: Mapping[Module, int]
    cycles: int

    def __add__(self, other: Counts) -> Counts:
        """One after the other."""
        return Counts(
            Counter(self.instructions) + Counter(other.instructions),
            self.gemm_steps + other.gemm_steps,
            self.alu_steps + other.alu_steps,
            Counter(self.loaded_bytes) + Counter(other.loaded_bytes),
            self.stored_bytes + other.stored_bytes,
            Counter(self.busy_cycles) + Counter(other.busy_cycles),
            self.cycles + other.cycles,
        )


NOTHING = Counts({}, 0, 0, {}, 0, {}, 0)


@dataclass(slots=True)
class _Clock:
    """When each module is free, and when each token that waits in a queue was given."""

    free: dict[Module, int] = field(default_factory=lambda: dict.fromkeys(Module, 0))
    busy: Counter[Module] = field(default_factory=Counter)
    queues: dict[tuple[Module, Module], deque[int]] = field(
        default_factory=lambda: {
            (giver, taker): deque()
            for giver, taker in product(Module, Module)
            if abs(giver.value - taker.value) == 1
        }
    )


class VtaMachine:
    """One VTA with its scratchpads.

    Args:
        hardware: Sizes and rates.
        eagerness: Which module goes first where several could.
    """

    def __init__(self, hardware: Vta, eagerness: Eagerness = LOADS_FIRST) -> None:
        block = hardware.block
        self._hardware = hardware
        self._eagerness = eagerness
        self._uops = np.zeros((hardware.uop_buffer_bytes // UOP_BYTES, 3), np.int64)
        self._inputs = np.zeros((hardware.input_buffer_bytes // block, block), np.int8)
        weights = hardware.weight_buffer_bytes // block**2
        self._weights = np.zeros((weights, block, block), np.int8)
        sums = hardware.accumulator_bytes // (_SUM_BYTES * block)
        self._sums = np.zeros((sums, block), np.int32)
        self._outputs = np.zeros((hardware.output_buffer_bytes // block, block), np.int8)

    def run(self, program: Program, dram: Dram) -> Counts:
        """Runs a program to its end.

        Raises:
            InternalError: The program reaches outside a memory, or waits for a token that nobody
                gives.
        """
        waiting = {module: deque[Instruction]() for module in Module}
        for instruction in program.instructions:
            waiting[instruction.module].append(instruction)
        clock = _Clock()
        done: Counter[str] = Counter()
        loaded: Counter[Memory] = Counter()
        gemm_steps = alu_steps = stored = 0
        while any(waiting.values()):
            instruction = self._next(waiting, clock)
            cycles, moved = self._execute(instruction, program.uops, dram)
            done[_name(instruction)] += 1
            if isinstance(instruction, Gemm):
                gemm_steps += instruction.loops.steps
            elif isinstance(instruction, Alu):
                alu_steps += instruction.loops.steps
            elif instruction.memory is Memory.OUTPUT:
                stored += moved
            else:
                loaded[instruction.memory] += moved
            _pass_time(instruction, cycles, clock)
        end = max(clock.free.values())
        return Counts(done, gemm_steps, alu_steps, loaded, stored, clock.busy, end)

    def _next(self, waiting: Mapping[Module, deque[Instruction]], clock: _Clock) -> Instruction:
        for module in self._eagerness:
            if waiting[module] and all(
                clock.queues[giver, module] for giver in _awaited(waiting[module][0])
            ):
                return waiting[module].popleft()
        stuck = next(queue[0] for queue in waiting.values() if queue)
        raise InternalError(f"VTA: {_name(stuck)} waits for a token that nobody gives")

    def _execute(self, instruction: Instruction, uops: Indices, dram: Dram) -> tuple[int, int]:
        """Cycles, and bytes moved."""
        if isinstance(instruction, Transfer):
            moved = self._transfer(instruction, uops, dram)
            return -(-moved // self._hardware.port_bytes), moved
        sequence = self._uops[instruction.loops.first : instruction.loops.last]
        try:
            if isinstance(instruction, Alu):
                touched = alu(
                    self._sums,
                    instruction.operator,
                    sequence,
                    instruction.loops,
                    instruction.immediate,
                )
                cycles = instruction.loops.steps * self._hardware.alu_interval
            else:
                touched = (
                    reset(self._sums, sequence, instruction.loops)
                    if instruction.reset
                    else gemm(self._sums, self._inputs, self._weights, sequence, instruction.loops)
                )
                cycles = instruction.loops.steps
            # Every result is also kept narrowed to its low 8 bits, for STORE.
            self._outputs[touched] = self._sums[touched].astype(np.int8)
        except IndexError as error:
            raise InternalError(f"VTA: {_name(instruction)} reaches past a scratchpad") from error
        return cycles, 0

    def _transfer(self, what: Transfer, uops: Indices, dram: Dram) -> int:
        outside: Mapping[Memory, np.ndarray[tuple[int, ...], np.dtype[np.integer]]] = {
            Memory.UOP: uops,
            Memory.INPUT: dram.inputs,
            Memory.WEIGHT: dram.weights,
            Memory.SUM: dram.sums,
            Memory.OUTPUT: dram.outputs,
        }
        inside: Mapping[Memory, np.ndarray[tuple[int, ...], np.dtype[np.integer]]] = {
            Memory.UOP: self._uops,
            Memory.INPUT: self._inputs,
            Memory.WEIGHT: self._weights,
            Memory.SUM: self._sums,
            Memory.OUTPUT: self._outputs,
        }
        far, near = outside[what.memory], inside[what.memory]
        above, left, below, right = what.pads
        rows, columns = what.rows + above + below, what.columns + left + right
        places = what.dram + np.arange(what.rows)[:, None] * what.stride + np.arange(what.columns)
        here = slice(what.on_chip, what.on_chip + rows * columns)
        if here.stop > len(near) or (places.size and places[-1, -1] >= len(far)):
            raise InternalError(f"VTA: {_name(what)} reaches past a memory")
        if what.memory is Memory.OUTPUT:
            far[places] = near[here].reshape(rows, columns, -1)
        else:
            tile = np.zeros((rows, columns, *near.shape[1:]), near.dtype)
            tile[above : above + what.rows, left : left + what.columns] = far[places]
            near[here] = tile.reshape(-1, *near.shape[1:])
        item = UOP_BYTES if what.memory is Memory.UOP else near[:1].nbytes
        return what.rows * what.columns * item


def _name(instruction: Instruction) -> str:
    if isinstance(instruction, Gemm):
        return "GEMM reset" if instruction.reset else "GEMM"
    if isinstance(instruction, Alu):
        return f"ALU {instruction.operator}"
    verb = "STORE" if instruction.memory is Memory.OUTPUT else "LOAD"
    return f"{verb} {instruction.memory}"


def _awaited(instruction: Instruction) -> tuple[Module, ...]:
    """The modules whose tokens it waits for."""
    place, tokens = instruction.module.value, instruction.tokens
    return (
        *((Module(place - 1),) if tokens.pop_previous else ()),
        *((Module(place + 1),) if tokens.pop_next else ()),
    )


def _pass_time(instruction: Instruction, cycles: int, clock: _Clock) -> None:
    """Takes the instruction's tokens, lets its time pass, and gives what it gives."""
    module, tokens = instruction.module, instruction.tokens
    given = [clock.queues[giver, module].popleft() for giver in _awaited(instruction)]
    clock.free[module] = max(clock.free[module], *given, 0) + cycles
    clock.busy[module] += cycles
    if tokens.push_previous:
        clock.queues[module, Module(module.value - 1)].append(clock.free[module])
    if tokens.push_next:
        clock.queues[module, Module(module.value + 1)].append(clock.free[module])
