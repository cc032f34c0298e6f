"""Cycles of layers on cores: one layer explained, or a table of many cores.

Both compute the same arithmetic: :mod:`.lanes` says what a tile computes, :mod:`.tiling` how a
layer is cut, :mod:`.steps` and :mod:`.pipeline` how tiles overlap. Of all cuts the one counts that
takes the fewest cycles. Where several cores share the memory, that is under a fair share of it: the
least max(total, sharers * dram), so that a cut which saves few cycles by reading much more is not
taken.
Layers come one after the other: the first load and the last store of a layer are not hidden behind
its neighbours.

A layer with R S C < 64 (R S C below the bytes of a memory word) and more than one tap is rewritten
as a 1 x 1 convolution of R S C channels, its input laid out so by whoever writes it:
``opu-compiler`` ``ChannelEnhance.cpp``. The same on all kinds of cores, because the memory is the
same: assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from counterpoint.costs.models.overlay.core import (
    DRAM_BYTES_PER_CYCLE,
    Core,
    CoreArrays,
    check_dram,
)
from counterpoint.costs.models.overlay.pipeline import Phases
from counterpoint.costs.models.overlay.shapes import Bools, Ints, LayerKind, LayerShapes
from counterpoint.costs.models.overlay.steps import dense_phases, depthwise_phases
from counterpoint.costs.models.overlay.tiling import (
    DENSE_CANDIDATES,
    DEPTHWISE_CANDIDATES,
    Tiles,
    dense_tiles,
    depthwise_tiles,
)
from counterpoint.errors import UserInputError

NEVER = 1 << 50
"""Stands for the cycles of a layer of which no tile fits a core's buffers (``runs`` is False): so
many that no plan takes it, so few that no sum over layers overflows.
"""

_TIES = 1 << 26
"""Above what decides between equals, so that both fit one integer (up to 2 ** 37 cycles)."""

_CELLS = 1 << 18
"""Cells of one array at a time: what stays near the processor."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CycleTable:
    """Cycles of each layer on each core, ``int64[cores, layers]``.

    Attributes:
        total: With the best tiling; ``NEVER`` where ``runs`` is False. 0 for layers without
            multiply-adds.
        compute: Cycles in which the multipliers work.
        load: Cycles in which words are read.
        store: Cycles in which words are written.
        dram: Cycles in which the memory is busy: load + store; with a duplex memory, the larger.
        runs: Some tiling of the layer fits the core's buffers, ``bool[cores, layers]``.
    """

    total: Ints
    compute: Ints
    load: Ints
    store: Ints
    dram: Ints
    runs: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCycles:
    """One layer on one core, explained. All cycles are those of a whole run of the layer.

    Attributes:
        name: Of the layer.
        macs: Its multiply-adds.
        total: From the first word read to the last one written.
        compute: With the multipliers at work.
        load: In which words are read.
        store: In which words are written.
        tile: What one full tile is; ``None`` for a layer without multiply-adds.
        efficiency: Multiply-adds over multipliers x ``total``; ``None`` without multiply-adds.
    """

    name: str
    macs: int
    total: int
    compute: int
    load: int
    store: int
    tile: TileSize | None
    efficiency: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSize:
    """A full tile; the last one along each axis may be smaller.

    Attributes:
        rows: Of the output.
        columns: Of the output.
        channels: Input channels; 1 in a depthwise layer.
        taps: Of the kernel.
        kernels: Output channels; in a depthwise layer, channels.
        streamed: The rows come through a line buffer, each read once.
    """

    rows: int
    columns: int
    channels: int
    taps: int
    kernels: int
    streamed: bool = False


def layer_cycles(
    shapes: LayerShapes,
    core: Core,
    dram_bytes_per_cycle: int = DRAM_BYTES_PER_CYCLE,
    *,
    sharers: int = 1,
    duplex: bool = False,
) -> tuple[LayerCycles, ...]:
    """Every layer on one core that has the whole memory to itself, explained.

    Args:
        shapes: The layers.
        core: The core.
        dram_bytes_per_cycle: Bytes of a memory word.
        sharers: Cores that share the memory, for the choice of the tiling.
        duplex: A word can be read and another written in one cycle.

    Raises:
        UserInputError: A bandwidth below 1, or a layer of which no tile fits the core's buffers.
    """
    arrays = CoreArrays.of([core])
    table = cycles_table(shapes, arrays, dram_bytes_per_cycle, sharers=sharers, duplex=duplex)
    tiles = _best_tiles(shapes, arrays, dram_bytes_per_cycle, sharers=sharers, duplex=duplex)
    macs, found = shapes.macs, []
    for layer, name in enumerate(shapes.names):
        if not table.runs[0, layer]:
            raise UserInputError(_too_large(shapes, layer, core, dram_bytes_per_cycle))
        total = int(table.total[0, layer])
        found.append(
            LayerCycles(
                name=name,
                macs=int(macs[layer]),
                total=total,
                compute=int(table.compute[0, layer]),
                load=int(table.load[0, layer]),
                store=int(table.store[0, layer]),
                tile=tiles.get(layer),
                efficiency=int(macs[layer]) / (core.multipliers * total) if total else None,
            )
        )
    return tuple(found)


def cycles_table(
    shapes: LayerShapes,
    cores: CoreArrays,
    dram_bytes_per_cycle: int = DRAM_BYTES_PER_CYCLE,
    *,
    sharers: int = 1,
    duplex: bool = False,
) -> CycleTable:
    """Every layer on every core, each with the whole memory to itself.

    A part of a layer's rows is a layer too: see :meth:`LayerShapes.with_rows`. Arguments as for
    :func:`layer_cycles`.

    Raises:
        UserInputError: A bandwidth below 1.
    """
    check_dram(dram_bytes_per_cycle)
    distinct, place_of = shapes.distinct()
    size = (len(cores), len(distinct))
    total, compute, load, store = (np.zeros(size, dtype=np.int64) for _ in range(4))
    runs = np.ones(size, dtype=np.bool_)
    for part, layers, found in _candidates(
        distinct, cores, dram_bytes_per_cycle, sharers=sharers, duplex=duplex
    ):
        cells = np.ix_(part, layers)
        best = found.best
        for table, values in (
            (total, found.phases.total),
            (compute, found.phases.compute),
            (load, found.phases.load),
            (store, found.phases.store),
        ):
            table[cells] = _taken(values, best)
        runs[cells] = _taken(found.tiles.fits, best)
    for table, nothing in ((total, NEVER), (compute, 0), (load, 0), (store, 0)):
        table[~runs] = nothing
    dram = np.maximum(load, store) if duplex else load + store
    return CycleTable(
        total=total[:, place_of],
        compute=compute[:, place_of],
        load=load[:, place_of],
        store=store[:, place_of],
        dram=dram[:, place_of],
        runs=runs[:, place_of],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Tilings of some layers on some cores, and what they cost."""

    tiles: Tiles
    phases: Phases
    sharers: int

    @property
    def best(self) -> Ints:
        """Index of the best candidate, ``[cores, layers, 1]``."""
        phases = self.phases
        dram = (
            np.maximum(phases.load, phases.store) if phases.duplex else phases.load + phases.store
        )
        shared = np.maximum(phases.total, self.sharers * dram)
        worth = shared * _TIES + np.minimum(phases.total + dram, _TIES - 1)
        worth = np.where(self.tiles.fits, worth, np.iinfo(np.int64).max)
        return np.asarray(np.argmin(worth, axis=2))[..., np.newaxis]


def _candidates(
    shapes: LayerShapes, cores: CoreArrays, dram_bytes: int, *, sharers: int, duplex: bool
) -> Iterator[tuple[Ints, Ints, _Candidates]]:
    """Indices of cores, indices of layers, and their candidates, part by part."""
    computed = rewritten(shapes, dram_bytes)
    depthwise = shapes.kind == LayerKind.DEPTHWISE
    for is_depthwise, count in ((True, DEPTHWISE_CANDIDATES), (False, DENSE_CANDIDATES)):
        layers = np.flatnonzero(shapes.has_macs & (depthwise == is_depthwise))
        if not layers.size:
            continue
        some = _spread(computed.take(layers), (1, -1, 1))
        at_once = max(1, _CELLS // (layers.size * count))
        for start in range(0, len(cores), at_once):
            part = np.arange(start, min(start + at_once, len(cores)))
            few = CoreArrays(*(getattr(cores, f.name)[part] for f in fields(CoreArrays)))
            few = _spread(few, (-1, 1, 1))
            if is_depthwise:
                tiles = depthwise_tiles(some, few, dram_bytes)
                phases = depthwise_phases(some, few, tiles, dram_bytes, duplex=duplex)
            else:
                tiles = dense_tiles(some, few, dram_bytes)
                phases = dense_phases(some, few, tiles, dram_bytes, duplex=duplex)
            yield part, layers, _Candidates(tiles, phases, sharers)


def rewritten(shapes: LayerShapes, dram_bytes: int) -> LayerShapes:
    """The layers as they are computed: small first layers as 1 x 1 convolutions."""
    taps = shapes.kernel_height * shapes.kernel_width
    small = (taps > 1) & (shapes.groups == 1) & (taps * shapes.in_channels < dram_bytes)
    return replace(
        shapes,
        in_channels=np.where(small, taps * shapes.in_channels, shapes.in_channels),
        kernel_height=np.where(small, 1, shapes.kernel_height),
        kernel_width=np.where(small, 1, shapes.kernel_width),
        stride_height=np.where(small, 1, shapes.stride_height),
        stride_width=np.where(small, 1, shapes.stride_width),
        span_height=np.where(small, 1, shapes.span_height),
        span_width=np.where(small, 1, shapes.span_width),
    )


def _too_large(shapes: LayerShapes, layer: int, core: Core, dram_bytes: int) -> str:
    """Which buffer holds no tile of a layer."""
    one = rewritten(shapes, dram_bytes).take([layer])
    window = int(one.span_height[0] * one.span_width[0]) * dram_bytes
    kind = core.kind.name.lower()
    if window > core.feature_buffer_bytes:
        return (
            f"layer {shapes.names[layer]}: a feature buffer of {core.feature_buffer_bytes} bytes "
            f"is smaller than one tile on a {kind} core; a window needs {window} bytes"
        )
    return (
        f"layer {shapes.names[layer]}: a weight buffer of {core.weight_buffer_bytes} bytes is "
        f"smaller than one tile on a {kind} core of {core.elements} x {core.inputs}"
    )


def _best_tiles(
    shapes: LayerShapes, cores: CoreArrays, dram_bytes: int, *, sharers: int, duplex: bool
) -> dict[int, TileSize]:
    """The tile that counts of each layer on a single core."""
    sizes: dict[int, TileSize] = {}
    for _, layers, found in _candidates(shapes, cores, dram_bytes, sharers=sharers, duplex=duplex):
        tiles, best = found.tiles, found.best
        fields_of = {
            "rows": tiles.rows.first(tiles.rows.full, tiles.rows.tail),
            "columns": tiles.rows.first(tiles.columns.full, tiles.columns.tail),
            "channels": tiles.channels.first(tiles.channels.full, tiles.channels.tail),
            "taps": tiles.taps.first(tiles.taps.full, tiles.taps.tail),
            "kernels": tiles.kernels.first(tiles.kernels.full, tiles.kernels.tail),
        }
        chosen = {name: _taken(values, best) for name, values in fields_of.items()}
        streamed = _taken(tiles.streamed, best)
        for place, layer in enumerate(layers):
            sizes[int(layer)] = TileSize(
                **{name: int(values[0, place]) for name, values in chosen.items()},
                streamed=bool(streamed[0, place]),
            )
    return sizes


Cell = TypeVar("Cell", bound=np.generic)


def _taken(values: npt.NDArray[Cell], best: Ints) -> npt.NDArray[Cell]:
    """Of the chosen candidates, ``[cores, layers]``."""
    if values.shape[2] == 1:  # the same for all candidates
        return np.broadcast_to(values[..., 0], best.shape[:2])
    whole = np.broadcast_to(values, (*best.shape[:2], values.shape[2]))
    picked: npt.NDArray[Cell] = np.take_along_axis(whole, best, axis=2)[..., 0]
    return picked


Arrays = TypeVar("Arrays", CoreArrays, LayerShapes)


def _spread(arrays: Arrays, shape: tuple[int, ...]) -> Arrays:
    """The same with every array in that shape."""
    return replace(
        arrays,
        **{
            field.name: getattr(arrays, field.name).reshape(shape)
            for field in fields(arrays)
            if field.name != "names"
        },
    )
