"""A small layer computed cycle by cycle on a core: the check of the closed forms.

Every load and store moves one memory word in a cycle, and every multiplier cycle takes the products
that the core's wiring allows in that cycle, on int8 features and weights out of buffers that hold
no more than theirs. What comes out are int32 sums, and the cycles counted one by one. Nothing of
:mod:`.lanes` and :mod:`.pipeline` is used; the tile comes from outside.

Layouts: features ``int8[images, in_channels, height, width]``, padding included, as they lie in
memory; weights ``int8[out_channels, in_channels / groups, kernel_height, kernel_width]``; results
``int32[images, out_channels, out_height, out_width]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from counterpoint.costs.models.overlay.core import Core, CoreKind
from counterpoint.costs.models.overlay.cycles import TileSize
from counterpoint.errors import InternalError

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]

_LINE_CHANNELS = 64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SmallLayer:
    """A layer with its numbers; see the module for layouts.

    Attributes:
        features: Padded.
        weights: Of all groups.
        stride: Along height and width.
        dilation: Along height and width.
        groups: Of channels that do not mix.
        residual: ``int8``, of the result's shape: read and added.
    """

    features: Int8s
    weights: Int8s
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    residual: Int8s | None = None

    @property
    def depthwise(self) -> bool:
        """Each channel by itself."""
        return self.groups > 1 and self.groups == self.features.shape[1] == len(self.weights)

    @property
    def taps(self) -> list[tuple[int, int]]:
        """Offsets of the kernel's taps in the input."""
        _, _, tall, wide = self.weights.shape
        down, right = self.dilation
        return [(r * down, s * right) for r in range(tall) for s in range(wide)]

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns that a window reaches over."""
        return self.taps[-1][0] + 1, self.taps[-1][1] + 1

    @property
    def out_shape(self) -> tuple[int, int, int, int]:
        """Of the result."""
        images, _, height, width = self.features.shape
        rows = (height - self.span[0]) // self.stride[0] + 1
        columns = (width - self.span[1]) // self.stride[1] + 1
        return images, self.weights.shape[0], rows, columns

    def unrolled(self) -> SmallLayer:
        """The same as a 1 x 1 convolution: each output's window lies in memory as channels."""
        images, _, rows, columns = self.out_shape
        down, right = self.stride
        windows = [
            self.features[:, :, r : r + rows * down : down, s : s + columns * right : right]
            for r, s in self.taps
        ]
        windows = [window[:, :, :rows, :columns] for window in windows]
        features = np.stack(windows, axis=2).reshape(images, -1, rows, columns)
        weights = self.weights.reshape(len(self.weights), -1, 1, 1)
        return replace(self, features=features, weights=weights, stride=(1, 1), dilation=(1, 1))


@dataclass(frozen=True, slots=True)
class Run:
    """What came out.

    Attributes:
        outputs: Sums, ``int32[images, out_channels, out_height, out_width]``.
        cycles: From the first word read to the last one written.
        compute: Cycles with multipliers at work.
        load: Words read.
        store: Words written.
    """

    outputs: Int32s
    cycles: int
    compute: int
    load: int
    store: int


def run_stepped(
    layer: SmallLayer, core: Core, tile: TileSize, dram_bytes: int, *, duplex: bool = False
) -> Run:
    """Computes a layer cycle by cycle.

    Args:
        layer: The numbers.
        core: Its wiring and buffers.
        tile: How the layer is cut, e.g. as :func:`.layer_cycles` found best.
        dram_bytes: Of a memory word.
        duplex: Loads and stores of a step do not wait for each other.

    Raises:
        InternalError: The tile is larger than a buffer.
    """
    taps = len(layer.taps)
    if taps > 1 and layer.groups == 1 and taps * layer.features.shape[1] < dram_bytes:
        layer = layer.unrolled()
    machine = _Machine(layer, core, dram_bytes, streamed=tile.streamed)
    steps = list(_depthwise_steps(layer, tile) if layer.depthwise else _dense_steps(layer, tile))
    cycles = loaded = machine.fetch(steps[0])
    worked = stored = 0
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        compute = machine.compute(step)
        load = 0 if following is None else machine.fetch(following)
        store = 0
        if step.last:
            store = machine.finish(step)
            load += store if layer.residual is not None else 0
        cycles += max(compute, max(load, store) if duplex else load + store)
        worked, loaded, stored = worked + compute, loaded + load, stored + store
    return Run(machine.outputs, cycles, worked, loaded, stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A tile's turn; all ranges are of the whole tensors.

    Attributes:
        channels: Of the input.
        weight_channels: The same, counted inside the group.
        taps: Of the kernel.
        fresh: Rows of the input that no buffer holds yet.
        weights: They are to be loaded.
        last: The sums are complete behind it.
    """

    image: int
    rows: range
    columns: range
    channels: range
    weight_channels: range
    kernels: range
    taps: range
    fresh: range
    weights: bool
    last: bool


def _parts(extent: range, size: int) -> list[range]:
    return [extent[at : at + size] for at in range(0, len(extent), size)]


def _rows_read(layer: SmallLayer, rows: range) -> range:
    return range(rows[0] * layer.stride[0], rows[-1] * layer.stride[0] + layer.span[0])


def _dense_steps(layer: SmallLayer, tile: TileSize) -> Iterator[_Step]:
    images, out_channels, height, width = layer.out_shape
    into = layer.features.shape[1] // layer.groups
    out = out_channels // layer.groups
    places = [
        (rows, columns)
        for rows in _parts(range(height), tile.rows)
        for columns in _parts(range(width), tile.columns)
    ]
    for image in range(images):
        for group in range(layer.groups):
            for rows, columns in places:
                for kernels in _parts(range(group * out, (group + 1) * out), tile.kernels):
                    turns = [
                        (channels, taps)
                        for channels in _parts(range(into), tile.channels)
                        for taps in _parts(range(len(layer.taps)), tile.taps)
                    ]
                    for channels, taps in turns:
                        first = group * into + channels[0]
                        yield _Step(
                            image=image,
                            rows=rows,
                            columns=columns,
                            channels=range(first, first + len(channels)),
                            weight_channels=channels,
                            kernels=kernels,
                            taps=taps,
                            fresh=_rows_read(layer, rows) if taps[0] == 0 else range(0),
                            weights=True,
                            last=(channels, taps) == turns[-1],
                        )


def _depthwise_steps(layer: SmallLayer, tile: TileSize) -> Iterator[_Step]:
    images, channels, height, width = layer.out_shape
    for image in range(images):
        for block in _parts(range(channels), tile.kernels):
            for rows in _parts(range(height), tile.rows):
                read = _rows_read(layer, rows)
                if tile.streamed and rows[0] > 0:
                    new = len(rows) * layer.stride[0]
                    read = range(read.stop - new, read.stop)
                for columns in _parts(range(width), tile.columns):
                    yield _Step(
                        image=image,
                        rows=rows,
                        columns=columns,
                        channels=block,
                        weight_channels=range(1),
                        kernels=block,
                        taps=range(len(layer.taps)),
                        fresh=read,
                        weights=columns[0] == 0 and (rows[0] == 0 or len(columns) < width),
                        last=True,
                    )


_Place = tuple[int, int, int, int]
"""Image, first channel, row and column of what a buffer holds."""


class _Machine:
    """Buffers, sums and results. A half of a buffer holds one tile, a line buffer single rows."""

    def __init__(self, layer: SmallLayer, core: Core, dram_bytes: int, *, streamed: bool) -> None:
        self.layer, self.core, self.dram_bytes, self.streamed = layer, core, dram_bytes, streamed
        self.sums = np.zeros(layer.out_shape, dtype=np.int32)
        self.outputs = np.zeros(layer.out_shape, dtype=np.int32)
        self.features: dict[_Place, Int32s] = {}
        self.weights: Int32s = np.zeros((0, 0, 0), dtype=np.int32)

    def fetch(self, step: _Step) -> int:
        """Loads a tile into the idle halves, or rows into the line buffer; returns words read."""
        layer, fetched = self.layer, {}
        left, right = step.columns[0] * layer.stride[1], step.columns[-1] * layer.stride[1]
        block = slice(step.channels.start, step.channels.stop)
        for y in step.fresh:
            for x in range(left, right + layer.span[1]):
                place = (step.image, block.start, y, x)
                fetched[place] = layer.features[step.image, block, y, x].astype(np.int32)
        words_of_pixel = len(_parts(step.channels, self.dram_bytes))
        words, room = len(fetched) * words_of_pixel, self.core.feature_buffer_bytes
        held = 0
        if self.streamed:  # what the multipliers still read stays beside what comes
            held, room = len(self.features) * words_of_pixel, 2 * room
        self._check("feature", (held + words) * self.dram_bytes, room)
        self.features = {**self._still_read(step), **fetched}
        return words + (self._fetch_weights(step) if step.weights else 0)

    def _still_read(self, step: _Step) -> dict[_Place, Int32s]:
        """Rows in the line buffer that a tile needs again."""
        if not len(step.fresh):
            return self.features  # the same place with other taps
        if not self.streamed:
            return {}
        begin = (step.image, step.channels.start, step.rows[0] * self.layer.stride[0])
        return {
            place: pixel
            for place, pixel in self.features.items()
            if place[:2] == begin[:2] and place[2] >= begin[2]
        }

    def _fetch_weights(self, step: _Step) -> int:
        kernels, turn, taps = step.kernels, step.weight_channels, step.taps
        block = self.layer.weights[kernels.start : kernels.stop, turn.start : turn.stop]
        block = block.reshape(len(kernels), len(turn), -1)
        self.weights = block[:, :, taps.start : taps.stop].astype(np.int32)
        inputs = 1 if self.layer.depthwise else self.core.inputs
        filled = len(_parts(turn, inputs)) * inputs  # elements take whole vectors
        size_bytes = len(kernels) * filled * len(taps)
        self._check("weight", size_bytes, self.core.weight_buffer_bytes)
        return len(range(0, size_bytes, self.dram_bytes))

    def _check(self, buffer: str, size_bytes: int, room_bytes: int) -> None:
        if size_bytes > room_bytes:
            raise InternalError(
                f"a tile of {size_bytes} bytes in a {buffer} buffer of {room_bytes}"
            )

    def compute(self, step: _Step) -> int:
        """Adds the products of a tile to its sums; returns the cycles that takes."""
        vectors_of = self._depthwise_vectors if self.layer.depthwise else self._dense_vectors
        at_once = 1
        if self.core.kind is CoreKind.DEPTHWISE:
            at_once = self.core.elements // min(self.core.elements, _LINE_CHANNELS)
        cycles = 0
        for y in step.rows:
            for pixels in _parts(step.columns, at_once):
                for vectors in vectors_of(step):
                    cycles += 1
                    for x in pixels:
                        self._multiply(step, (y, x), vectors)
        return cycles

    def _dense_vectors(self, step: _Step) -> Iterator[tuple[range, range, range]]:
        """Output channels, input channels and taps that meet in one cycle; inside the tile."""
        core = self.core
        channels, kernels = range(len(step.channels)), range(len(step.kernels))
        overlay = core.kind is CoreKind.OVERLAY
        for tap in step.taps:
            for some in _parts(channels, core.inputs * (4 if overlay else 1)):
                lanes = core.elements
                if core.kind is CoreKind.DEPTHWISE:
                    lanes = min(core.elements, _LINE_CHANNELS)
                elif overlay:  # 1, 2 or 4 elements add up into one sum
                    merged = len(_parts(some, core.inputs))
                    lanes = core.elements // (4 if merged == 3 else merged)
                for sums in _parts(kernels, lanes):
                    yield sums, some, range(tap, tap + 1)

    def _depthwise_vectors(self, step: _Step) -> Iterator[tuple[range, range, range]]:
        """Channels and taps that meet in one cycle."""
        core, taps = self.core, step.taps
        lanes, window = core.elements, core.inputs
        if core.kind is CoreKind.CONVOLUTION:
            lanes, window = min(core.elements, core.inputs), 1
        elif core.kind is CoreKind.DEPTHWISE:
            lanes = min(core.elements, _LINE_CHANNELS)
        for some in _parts(range(len(step.kernels)), lanes):
            for part in _parts(taps, window):
                yield some, some, part

    def _multiply(
        self, step: _Step, pixel: tuple[int, int], vectors: tuple[range, range, range]
    ) -> None:
        """One pixel's products of one cycle."""
        (y, x), (kernels, channels, taps) = pixel, vectors
        down, right = self.layer.stride
        for tap in taps:
            r, s = self.layer.taps[tap]
            place = (step.image, step.channels.start, y * down + r, x * right + s)
            inputs = self.features[place][channels.start : channels.stop]
            weights = self.weights[kernels.start : kernels.stop, :, tap - step.taps.start]
            if self.layer.depthwise:
                products = inputs * weights[:, 0]
            else:
                products = weights[:, channels.start : channels.stop] @ inputs
            first = step.kernels.start
            self.sums[step.image, first + kernels.start : first + kernels.stop, y, x] += products

    def finish(self, step: _Step) -> int:
        """Stores complete sums; returns the words written."""
        words = 0
        made = slice(step.kernels.start, step.kernels.stop)
        for y in step.rows:
            for x in step.columns:
                result = self.sums[step.image, made, y, x]
                if self.layer.residual is not None:
                    result = result + self.layer.residual[step.image, made, y, x]
                self.outputs[step.image, made, y, x] = result
                words += len(_parts(step.kernels, self.dram_bytes))
        return words
