"""How a layer is cut for a core's buffers: the candidates among which the best is searched.

A tile is some whole rows of the output, or a part of one row where a single row is too wide; some
words of input channels; and a number of output channels. One of the two feature buffers holds its
input with the rows and columns that the windows reach over (padding included: it lies in memory,
``opu-sim`` ``RunPadding``), one of the two weight buffers its weights, or as many of the kernel's
taps as it holds: the taps are the loops outside the pixels (``LowerConv2D``), so the weights of a
large kernel come part by part while the features stay.

``opu-compiler`` searches square tiles with 64 input and 64 output channels
(``FindTilingFactorConv2D``). Whole rows instead of squares, and other numbers of channels, are
assumed: cores whose elements are not 16 x 64 need them. Also assumed: a core keeps as many partial
sums as one feature buffer holds items, which is what the published tiles need (1444 pixels x 64
channels).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from counterpoint.costs.models.overlay.core import CoreArrays, CoreKind
from counterpoint.costs.models.overlay.lanes import (
    ceil_div,
    depthwise_lanes,
    output_lanes,
)
from counterpoint.costs.models.overlay.pipeline import Axis
from counterpoint.costs.models.overlay.shapes import Bools, Ints, LayerShapes

_ALL = 1 << 20
_FINER_PLACES = (1, 2, 4, 8)
_FINER_KERNELS = (1, 2, 4, 8)
_WORDS = (1, 2, 4, _ALL)
"""Candidates: so many times the fewest parts that fit (more parts hide the first load better, fewer
load less), and words of input channels at a time.
"""

DENSE_CANDIDATES = len(_WORDS) * len(_FINER_KERNELS) * len(_FINER_PLACES)
DEPTHWISE_CANDIDATES = len(_FINER_PLACES)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Tiles:
    """Tilings of layers on cores; arrays broadcast to ``[cores, layers, candidates]``.

    Attributes:
        repeats: How often the places come: for each image and group (not for depthwise layers), and
            for each row where a tile is narrower than a row.
        rows: Of the output in a tile, along the places of the plane.
        columns: Likewise; as many tiles as ``rows`` has.
        channels: Input channels of one group; a depthwise layer has one tile of one channel.
        taps: Of the kernel; a depthwise layer has them all in one tile.
        kernels: Output channels of one group; of a depthwise layer, all channels.
        streamed: A line buffer keeps the rows that the next tile reads again.
        fits: The buffers hold it.
    """

    repeats: Ints
    rows: Axis
    columns: Axis
    channels: Axis
    taps: Axis
    kernels: Axis
    streamed: Bools
    fits: Bools


def dense_tiles(shapes: LayerShapes, cores: CoreArrays, dram_bytes: int) -> Tiles:
    """Candidates for all that is not depthwise.

    Args:
        shapes: Arrays ``[1, layers, 1]``.
        cores: Arrays ``[cores, 1, 1]``.
        dram_bytes: Of a word.
    """
    grid = np.array(list(product(_WORDS, _FINER_KERNELS, _FINER_PLACES)), dtype=np.int64)
    some_words, finer_kernels, finer_places = (column.reshape(1, 1, -1) for column in grid.T)
    in_channels = shapes.in_channels // shapes.groups
    out_channels = shapes.out_channels // shapes.groups
    words = np.minimum(some_words, ceil_div(in_channels, dram_bytes))
    channels = Axis.cut(in_channels, np.minimum(words * dram_bytes, in_channels))

    lanes = np.maximum(1, output_lanes(cores, channels.full))
    filled = ceil_div(channels.full, cores.inputs) * cores.inputs
    most = cores.weight_buffer_bytes // (filled * lanes)
    units = ceil_div(out_channels, lanes)
    parts = ceil_div(units, np.clip(most, 1, units)) * finer_kernels
    kernels = Axis.cut(out_channels, np.minimum(out_channels, ceil_div(units, parts) * lanes))
    all_taps = shapes.kernel_height * shapes.kernel_width
    some_taps = cores.weight_buffer_bytes // (filled * kernels.full)
    taps = Axis.cut(all_taps, np.clip(some_taps, 1, all_taps))

    sums = cores.feature_buffer_bytes // np.maximum(kernels.full, 1)
    room = cores.feature_buffer_bytes // (words * dram_bytes)
    places = _places(shapes, room, sums, finer_places)
    return Tiles(
        repeats=places.repeats * shapes.images * shapes.groups,
        rows=places.rows,
        columns=places.columns,
        channels=channels,
        taps=taps,
        kernels=kernels,
        streamed=np.zeros((1, 1, 1), dtype=np.bool_),
        fits=(most >= 1) & places.fits,
    )


def depthwise_tiles(shapes: LayerShapes, cores: CoreArrays, dram_bytes: int) -> Tiles:
    """Candidates for depthwise layers; arguments as for :func:`dense_tiles`.

    A tile has whole words of channels, as many as are computed side by side. A depthwise core with
    a line buffer streams single rows where its two feature buffers have room for them: one half
    holds the rows of a window, the other those that come, at most a window of the next block of
    channels.
    """
    finer = np.array(_FINER_PLACES, dtype=np.int64).reshape(1, 1, -1)
    words = ceil_div(depthwise_lanes(cores), dram_bytes)
    kernels = Axis.cut(shapes.out_channels, np.minimum(shapes.out_channels, words * dram_bytes))
    taps = shapes.kernel_height * shapes.kernel_width
    word_bytes = ceil_div(kernels.full, dram_bytes) * dram_bytes
    room = cores.feature_buffer_bytes // word_bytes
    places = _places(shapes, room, room, finer)
    wide = (shapes.out_width - 1) * shapes.stride_width + shapes.span_width
    line = np.maximum(shapes.span_height, shapes.stride_height) * wide <= room
    streamed = (cores.kind == CoreKind.DEPTHWISE) & (cores.line_buffer == 1) & line
    one = np.ones_like(places.rows.count)
    count = np.where(streamed, shapes.out_height, places.rows.count)
    return Tiles(
        repeats=np.where(streamed, 1, places.repeats),
        rows=Axis(
            count, np.where(streamed, 1, places.rows.full), np.where(streamed, 1, places.rows.tail)
        ),
        columns=Axis(
            count,
            np.where(streamed, shapes.out_width, places.columns.full),
            np.where(streamed, shapes.out_width, places.columns.tail),
        ),
        channels=Axis(one, one, one),
        taps=Axis(one, taps, taps),
        kernels=kernels,
        streamed=streamed,
        fits=(taps * kernels.full <= cores.weight_buffer_bytes) & (streamed | places.fits),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Cuts of the plane; see :class:`Tiles`."""

    repeats: Ints
    rows: Axis
    columns: Axis
    fits: Bools


def _places(shapes: LayerShapes, room: Ints, sums: Ints, finer: Ints) -> _Places:
    """Tiles of which ``room`` bounds the pixels that are read and ``sums`` those that are made."""
    wide = (shapes.out_width - 1) * shapes.stride_width + shapes.span_width
    rows_most = _windows(room // wide, shapes.span_height, shapes.stride_height)
    rows_most = np.minimum(rows_most, sums // shapes.out_width)
    columns_most = _windows(room // shapes.span_height, shapes.span_width, shapes.stride_width)
    columns_most = np.minimum(columns_most, sums)
    by_columns = rows_most < 1
    rows = _cut(shapes.out_height, rows_most, finer)
    columns = _cut(shapes.out_width, columns_most, finer)
    count = np.where(by_columns, columns.count, rows.count)
    return _Places(
        repeats=np.where(by_columns, shapes.out_height, 1),
        rows=Axis(count, np.where(by_columns, 1, rows.full), np.where(by_columns, 1, rows.tail)),
        columns=Axis(
            count,
            np.where(by_columns, columns.full, shapes.out_width),
            np.where(by_columns, columns.tail, shapes.out_width),
        ),
        fits=~by_columns | (columns_most >= 1),
    )


def _windows(extent: Ints, span: Ints, stride: Ints) -> Ints:
    """Windows that lie in an extent; 0 where none does."""
    return np.where(extent >= span, (extent - span) // stride + 1, 0)


def _cut(extent: Ints, most: Ints, finer: Ints) -> Axis:
    """Parts of at most ``most`` (where that is 0, of 1), and ``finer`` times as many."""
    parts = ceil_div(extent, np.clip(most, 1, extent)) * finer
    return Axis.cut(extent, ceil_div(extent, parts))
