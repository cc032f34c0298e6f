"""How a convolution is cut for VTA's scratchpads, and how many cycles that takes.

VTA (Moreau et al., "A Hardware-Software Blueprint for Flexible Deep Learning Specialization", IEEE
Micro 2019) has three modules that run side by side: load, compute (GEMM and ALU) and store. With
latency hiding each scratchpad holds two tiles, so that the next one is loaded while this one is
computed; without, each step waits for the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil

from counterpoint.network.graph import LoopNest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratchpads:
    """What the tiles have to fit into, in bytes: int8 inputs, weights and outputs, int32 sums."""

    inputs: int
    weights: int
    sums: int
    outputs: int

    def halved(self) -> Scratchpads:
        """What one of two tiles may take."""
        return Scratchpads(
            inputs=self.inputs // 2,
            weights=self.weights // 2,
            sums=self.sums // 2,
            outputs=self.outputs // 2,
        )


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows, columns and output channels of a tile, and input channels that it takes at a time."""

    rows: int
    columns: int
    out_channels: int
    in_channels: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of a whole convolution, and those before the first and after the last computation."""

    loaded: int
    stored: int
    first_load: int
    last_store: int


_SUM_BYTES = 4


def tiles(nest: LoopNest, block: int, room: Scratchpads) -> Iterator[Tile]:
    """Tiles of even cuts that fit; channels are cut at multiples of ``block``."""
    rows, columns = nest.output_size
    cuts = product(
        _parts(nest.out_channels // block),
        _parts(nest.in_channels // block),
        _parts(rows),
        _parts(columns),
    )
    for out_blocks, in_blocks, tall, wide in cuts:
        tile = Tile(tall, wide, out_blocks * block, in_blocks * block)
        pixels = tall * wide * tile.out_channels
        if (
            pixels * _SUM_BYTES <= room.sums
            and pixels <= room.outputs
            and _input_bytes(nest, tile) <= room.inputs
            and _weight_bytes(nest, tile) <= room.weights
        ):
            yield tile


def traffic(nest: LoopNest, tile: Tile) -> Traffic:
    """What the tile makes the convolution load and store.

    For each part of the output the input channels come in turn. Where they all fit at once, the
    operand of the outer loop stays: of the two orders the one that loads less counts.
    """
    rows, columns = nest.output_size
    places = ceil(rows / tile.rows) * ceil(columns / tile.columns)
    kernels = ceil(nest.out_channels / tile.out_channels)
    turns = ceil(nest.in_channels / tile.in_channels)
    inputs = places * turns * _input_bytes(nest, tile)
    weights = kernels * turns * _weight_bytes(nest, tile)
    if turns == 1:
        loaded = min(inputs + places * weights, kernels * inputs + weights)
        if kernels == 1:
            loaded = inputs + weights
    else:
        loaded = kernels * inputs + places * weights
    loaded += nest.out_channels * _SUM_BYTES * places  # the biases of each part
    return Traffic(
        loaded,
        rows * columns * nest.out_channels,
        _input_bytes(nest, tile) + _weight_bytes(nest, tile),
        tile.rows * tile.columns * tile.out_channels,
    )


def _input_bytes(nest: LoopNest, tile: Tile) -> int:
    """The tile's input, with the border that its kernels reach over; padding comes for free."""
    tall = min((tile.rows - 1) * nest.stride[0] + nest.kernel[0], nest.input_size[0])
    wide = min((tile.columns - 1) * nest.stride[1] + nest.kernel[1], nest.input_size[1])
    return tall * wide * tile.in_channels


def _weight_bytes(nest: LoopNest, tile: Tile) -> int:
    return nest.kernel[0] * nest.kernel[1] * tile.in_channels * tile.out_channels


def _parts(count: int) -> tuple[int, ...]:
    """Sizes of the larger part for each number of even cuts, each once."""
    return tuple(sorted({ceil(count / cuts) for cuts in range(1, count + 1)}))
