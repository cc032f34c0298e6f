"""The steps of a layer: how often each kind of tile is followed by each other, and what that costs.

Arguments of both functions: shapes as arrays ``[1, layers, 1]``, already rewritten; cores as arrays
``[cores, 1, 1]``; their tiles; the bytes of a memory word; whether the memory is duplex.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from counterpoint.costs.models.overlay.core import CoreArrays
from counterpoint.costs.models.overlay.lanes import (
    ceil_div,
    dense_passes,
    depthwise_passes,
    pixel_lanes,
)
from counterpoint.costs.models.overlay.pipeline import SIZES, Phases, Size
from counterpoint.costs.models.overlay.shapes import Ints, LayerShapes
from counterpoint.costs.models.overlay.tiling import Tiles

_ZERO, _ONE = np.zeros((), dtype=np.int64), np.ones((), dtype=np.int64)


def dense_phases(
    shapes: LayerShapes, cores: CoreArrays, tiles: Tiles, dram_bytes: int, *, duplex: bool
) -> Phases:
    """Sums over the steps of all that is not depthwise."""
    places, blocks, turns, taps = tiles.rows, tiles.kernels, tiles.channels, tiles.taps
    together = pixel_lanes(cores)

    def compute(place: Size, block: Size, turn: Size, tap: Size) -> Ints:
        vectors = places.size(place) * ceil_div(tiles.columns.size(place), together)
        passes = dense_passes(cores, turns.size(turn), blocks.size(block))
        return taps.size(tap) * vectors * passes

    def weights(block: Size, turn: Size, tap: Size) -> Ints:
        filled = ceil_div(turns.size(turn), cores.inputs) * cores.inputs
        return ceil_div(taps.size(tap) * filled * blocks.size(block), dram_bytes)

    def first_weights(block: Size, turn: Size) -> Ints:
        return taps.first(weights(block, turn, "full"), weights(block, turn, "tail"))

    def features(place: Size, turn: Size) -> Ints:
        return _pixels_read(shapes, tiles, place) * ceil_div(turns.size(turn), dram_bytes)

    def opening(place: Size, block: Size) -> Ints:
        full, tail = (features(place, t) + first_weights(block, t) for t in SIZES)
        return turns.first(full, tail)

    openings = {(place, block): opening(place, block) for place, block in product(SIZES, SIZES)}
    first_block = {p: blocks.first(openings[p, "full"], openings[p, "tail"]) for p in SIZES}
    begin = places.first(first_block["full"], first_block["tail"])
    phases = Phases(duplex)
    phases.fill(begin)
    for place, block in product(SIZES, SIZES):
        times = tiles.repeats * places.times(place)
        for turn in SIZES:
            here = times * blocks.times(block) * turns.times(turn)
            work = compute(place, block, turn, "full")
            for tap in SIZES:
                phases.step(here * taps.pairs("full", tap), work, weights(block, turn, tap), _ZERO)
        work = compute(place, block, "full", "tail")
        for turn in SIZES:
            following = features(place, turn) + first_weights(block, turn)
            here = times * blocks.times(block) * turns.pairs("full", turn)
            phases.step(here, work, following, _ZERO)

        work = compute(place, block, "tail", "tail")
        pixels = places.size(place) * tiles.columns.size(place)
        made = pixels * ceil_div(blocks.size(block), dram_bytes)
        added = made * shapes.residual
        if block == "full":
            for after in SIZES:
                following = openings[place, after] + added
                phases.step(times * blocks.pairs(block, after), work, following, made)
        elif place == "full":
            for onward in SIZES:
                here = tiles.repeats * places.pairs(place, onward)
                phases.step(here, work, first_block[onward] + added, made)
        else:
            phases.step(tiles.repeats - 1, work, begin + added, made)
            phases.step(_ONE, work, added, made)
    return phases


def depthwise_phases(
    shapes: LayerShapes, cores: CoreArrays, tiles: Tiles, dram_bytes: int, *, duplex: bool
) -> Phases:
    """Sums over the steps of depthwise layers: blocks of channels outermost, then places."""
    places, columns, blocks = tiles.rows, tiles.columns, tiles.kernels
    taps = shapes.kernel_height * shapes.kernel_width
    together = pixel_lanes(cores)
    wide = (shapes.out_width - 1) * shapes.stride_width + shapes.span_width

    def compute(place: Size, block: Size) -> Ints:
        passes = depthwise_passes(cores, blocks.size(block), taps)
        return places.size(place) * ceil_div(columns.size(place), together) * passes

    def features(place: Size, block: Size) -> Ints:
        fresh = places.size(place) * shapes.stride_height * wide
        pixels = np.where(tiles.streamed, fresh, _pixels_read(shapes, tiles, place))
        return pixels * ceil_div(blocks.size(block), dram_bytes)

    def opening(block: Size) -> Ints:
        words = ceil_div(blocks.size(block), dram_bytes)
        pixels = places.first(*(_pixels_read(shapes, tiles, place) for place in SIZES))
        return pixels * words + ceil_div(taps * blocks.size(block), dram_bytes)

    begin = blocks.first(opening("full"), opening("tail"))
    phases = Phases(duplex)
    phases.fill(begin)
    for block in SIZES:
        strips = shapes.images * blocks.times(block)
        for place in SIZES:
            work = compute(place, block)
            pixels = places.size(place) * columns.size(place)
            made = pixels * ceil_div(blocks.size(block), dram_bytes)
            added = made * shapes.residual
            if place == "full":
                for onward in SIZES:
                    times = strips * tiles.repeats * places.pairs(place, onward)
                    phases.step(times, work, features(onward, block) + added, made)
                continue
            phases.step(strips * (tiles.repeats - 1), work, opening(block) + added, made)
            if block == "full":
                for after in SIZES:
                    times = shapes.images * blocks.pairs(block, after)
                    phases.step(times, work, opening(after) + added, made)
            else:
                phases.step(shapes.images - 1, work, begin + added, made)
                phases.step(_ONE, work, added, made)
    return phases


def _pixels_read(shapes: LayerShapes, tiles: Tiles, place: Size) -> Ints:
    """Of the input, for a tile's outputs, padding included."""
    tall = (tiles.rows.size(place) - 1) * shapes.stride_height + shapes.span_height
    wide = (tiles.columns.size(place) - 1) * shapes.stride_width + shapes.span_width
    return tall * wide
