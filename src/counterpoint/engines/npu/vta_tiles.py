"""How a convolution is cut so that VTA's scratchpads hold its parts, and in which order they come.

The cost model (``costs/models/vta_tiling.py``) searches the same tiles. Here a tile also needs room
for what the model leaves out: the zeros of its padding, and a bias for each output channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from counterpoint.costs.models.vta import Vta
from counterpoint.costs.models.vta_tiling import Tile, tiles, traffic
from counterpoint.engines.npu.vta_instructions import MAX_PAD, UOP_BYTES
from counterpoint.network.graph import LoopNest

_SUM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Depths:
    """Elements of each scratchpad that one of the tiles in flight may take."""

    inputs: int
    weights: int
    sums: int

    @classmethod
    def of(cls, hardware: Vta) -> Depths:
        """Half of each with latency hiding, all of it without."""
        block, share = hardware.block, 2 if hardware.latency_hiding else 1
        sums = hardware.accumulator_bytes // (_SUM_BYTES * block)
        return cls(
            hardware.input_buffer_bytes // block // share,
            hardware.weight_buffer_bytes // block**2 // share,
            # A result has the same index among the sums and among the outputs.
            min(sums, hardware.output_buffer_bytes // block) // share,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Part of an axis: the first index and how many."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """One GEMM: input channels ``taken`` for output channels ``made`` at some pixels.

    Channels count in blocks.
    """

    rows: Span
    columns: Span
    made: Span
    taken: Span


def chosen_tile(nest: LoopNest, hardware: Vta, vectors: int) -> Tile | None:
    """The fastest tile by the cost model, of those that fit; ``None``: none does.

    What the model counts as loaded beside the computation, the module that computes loads itself.

    Args:
        nest: The convolution.
        hardware: Its scratchpads.
        vectors: Loaded beside the sums for each block of output channels: biases, shifts.
    """
    if max(nest.pads) > MAX_PAD:
        return None
    depths, block = Depths.of(hardware), hardware.block
    uops = hardware.uop_buffer_bytes // UOP_BYTES
    taps = nest.kernel[0] * nest.kernel[1]
    share = hardware.scratchpads.halved() if hardware.latency_hiding else hardware.scratchpads

    def fits(tile: Tile) -> bool:
        made, taken = tile.out_channels // block, tile.in_channels // block
        tall, wide = tile_input(nest, tile.rows, tile.columns)
        return (
            tall * wide * taken <= depths.inputs
            and (tile.rows * tile.columns + vectors) * made <= depths.sums
            and taps * made * taken <= min(depths.weights, uops)
        )

    def cycles(tile: Tile) -> int:
        places = ceil(nest.output_size[0] / tile.rows) * ceil(nest.output_size[1] / tile.columns)
        loaded = places * nest.out_channels * _SUM_BYTES * vectors // hardware.port_bytes
        compute = hardware.compute_cycles(nest) + loaded * nest.batch
        return hardware.overlapped_cycles(traffic(nest, tile), compute, nest.batch)

    return min(filter(fits, tiles(nest, block, share)), key=cycles, default=None)


def tile_input(nest: LoopNest, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of input, padding included, of that many of output."""
    return (
        (rows - 1) * nest.stride[0] + nest.kernel[0],
        (columns - 1) * nest.stride[1] + nest.kernel[1],
    )


def steps(nest: LoopNest, tile: Tile, block: int) -> Iterator[Step]:
    """All of them, the operand that is better kept in the outer loop."""
    places = [
        (row, column)
        for row in _spans(nest.output_size[0], tile.rows)
        for column in _spans(nest.output_size[1], tile.columns)
    ]
    kernels = list(_spans(nest.out_channels // block, tile.out_channels // block))
    turns = list(_spans(nest.in_channels // block, tile.in_channels // block))
    if _keeps_inputs(nest, tile):
        order = [(place, made) for place in places for made in kernels]
    else:
        order = [(place, made) for made in kernels for place in places]
    for (row, column), made in order:
        for taken in turns:
            yield Step(row, column, made, taken)


def _keeps_inputs(nest: LoopNest, tile: Tile) -> bool:
    """Weights are loaded anew for each place, and inputs once: that is less in all."""
    places = ceil(nest.output_size[0] / tile.rows) * ceil(nest.output_size[1] / tile.columns)
    kernels = ceil(nest.out_channels / tile.out_channels)
    tall, wide = tile_input(nest, tile.rows, tile.columns)
    inputs = places * tall * wide * tile.in_channels
    weights = kernels * nest.kernel[0] * nest.kernel[1] * tile.in_channels * tile.out_channels
    return inputs + places * weights < kernels * inputs + weights


def _spans(size: int, part: int) -> Iterator[Span]:
    for start in range(0, size, part):
        yield Span(start, min(part, size - start))
