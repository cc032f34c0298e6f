"""A network's layers as arrays, which is what a model that is asked 100,000 times computes from.

Everything is int8, as in the overlay processors: one byte an item, whatever the network's file
says. Multiply-adds are counted as :mod:`counterpoint.network.arithmetic` does.

What has no multiply-adds (pooling, activations, additions, concatenations, reshapes) is done on the
way to the memory, by the post-processing behind the multipliers, and costs no cycles of its own:
``OPU-Lab/opu-sim`` ``accelerator.cc`` ``RunPostProcess`` has activation, pooling and residual
addition in its store instruction. A residual that a layer adds is read beside its output
(:attr:`LayerShapes.residual`). Assumed, to the model's disadvantage: a layer in front of a pooling
writes all its outputs, as if the pooling came later. Assumed, to its advantage: a sum that no
multiply-add layer takes along is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Layer, LoopNest, Network

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class LayerKind(IntEnum):
    """What a core makes of a layer. A depthwise layer has as many outputs as inputs; one that makes
    several outputs of each input is a convolution of groups here.
    """

    CONVOLUTION = 0
    DEPTHWISE = 1
    FULLY_CONNECTED = 2
    POOL = 3
    ELEMENTWISE = 4


_SUMS = frozenset({"Add", "Sum", "QLinearAdd"})


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerShapes:
    """Struct of arrays, one item a layer, all int64 but ``residual``.

    Attributes:
        names: For people.
        index: Position in :attr:`Network.layers`.
        kind: A :class:`LayerKind`.
        images: That one run takes.
        in_channels: Of all groups together; likewise ``out_channels``.
        groups: Of channels that do not mix.
        out_height: Rows of the output; of a product, the rows of its left matrix.
        out_width: Columns of the output.
        kernel_height: Taps along the height; likewise ``kernel_width``.
        stride_height: Likewise ``stride_width``.
        span_height: Rows that a window reaches over, dilation included; likewise ``span_width``.
        residual: A tensor like the output is read and added.
    """

    names: tuple[str, ...]
    index: Ints
    kind: Ints
    images: Ints
    in_channels: Ints
    out_channels: Ints
    groups: Ints
    out_height: Ints
    out_width: Ints
    kernel_height: Ints
    kernel_width: Ints
    stride_height: Ints
    stride_width: Ints
    span_height: Ints
    span_width: Ints
    residual: Bools

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_macs(self) -> Bools:
        """Layers that occupy multipliers; the others cost nothing."""
        return self.kind <= LayerKind.FULLY_CONNECTED

    @property
    def macs(self) -> Ints:
        """Multiply-adds of a run."""
        pixels = self.images * self.out_height * self.out_width
        taps = self.kernel_height * self.kernel_width
        products = self.out_channels * (self.in_channels // self.groups) * taps
        return np.where(self.has_macs, pixels * products, 0)

    @property
    def weight_bytes(self) -> Ints:
        """int8, biases not counted."""
        taps = self.kernel_height * self.kernel_width
        weights = self.out_channels * (self.in_channels // self.groups) * taps
        return np.where(self.has_macs, weights, 0)

    @property
    def in_bytes(self) -> Ints:
        """int8, with the padding that the windows reach over: it lies in memory."""
        tall = (self.out_height - 1) * self.stride_height + self.span_height
        wide = (self.out_width - 1) * self.stride_width + self.span_width
        return np.where(self.has_macs, self.images * self.in_channels * tall * wide, 0)

    @property
    def out_bytes(self) -> Ints:
        """int8."""
        items = self.images * self.out_channels * self.out_height * self.out_width
        return np.where(self.has_macs, items, 0)

    def take(self, layers: npt.ArrayLike) -> LayerShapes:
        """Some of the layers, in that order; one may come more than once."""
        chosen = np.asarray(layers, dtype=np.int64)
        arrays = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)
            if field.name != "names"
        }
        return LayerShapes(names=tuple(self.names[layer] for layer in chosen), **arrays)

    def distinct(self) -> tuple[LayerShapes, Ints]:
        """The unlike layers, and which of them each layer is."""
        columns = [getattr(self, name) for name in (*_COLUMNS[1:], "residual")]
        _, firsts, places = np.unique(
            np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True
        )
        return self.take(firsts), np.asarray(places).reshape(-1)

    def with_rows(self, rows: npt.ArrayLike) -> LayerShapes:
        """The same layers with so many rows of output each: parts of layers split by rows.

        Raises:
            UserInputError: Rows below 1.
        """
        heights = np.broadcast_to(np.asarray(rows, dtype=np.int64), self.out_height.shape)
        if heights.size and heights.min() < 1:
            raise UserInputError(f"{heights.min()} rows of a layer: a part needs at least 1")
        return replace(self, out_height=heights)


def layer_shapes(network: Network) -> LayerShapes:
    """All layers of a network, in run order.

    Raises:
        UserInputError: A layer has multiply-adds but no loops of a convolution or product.
    """
    return shapes_of((layer, layer.loops) for layer in network.layers)


def shapes_of(layers: Iterable[tuple[Layer, LoopNest | None]]) -> LayerShapes:
    """As :func:`layer_shapes`, of single layers and their loops."""
    rows, names, residual = [], [], []
    for layer, nest in layers:
        if nest is None and layer.macs:
            raise UserInputError(
                f"layer {layer.name} ({layer.kind}) has multiply-adds but not the loops of a "
                "convolution of static shape: the overlay models cannot cost it"
            )
        rows.append((layer.index, *_row(layer, nest)))
        names.append(layer.name)
        residual.append(nest is not None and not _SUMS.isdisjoint(layer.operators[1:]))
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), len(_COLUMNS)).T
    return LayerShapes(
        names=tuple(names),
        residual=np.array(residual, dtype=np.bool_),
        **dict(zip(_COLUMNS, columns, strict=True)),
    )


_COLUMNS = tuple(f.name for f in fields(LayerShapes) if f.name not in ("names", "residual"))


def _row(layer: Layer, nest: LoopNest | None) -> tuple[int, ...]:
    """The columns behind ``index``; ones for a layer without loops."""
    if nest is None:
        kind = LayerKind.POOL if "Pool" in layer.kind else LayerKind.ELEMENTWISE
        return (kind, *(1,) * (len(_COLUMNS) - 2))
    product = nest.groups == 1 and nest.input_size == nest.output_size == nest.kernel == (1, 1)
    kind = LayerKind.CONVOLUTION
    if nest.is_depthwise and nest.in_channels == nest.out_channels:
        kind = LayerKind.DEPTHWISE
    elif product:
        kind = LayerKind.FULLY_CONNECTED
    span = [(k - 1) * apart + 1 for k, apart in zip(nest.kernel, nest.dilation, strict=True)]
    return (
        kind,
        1 if product else nest.batch,
        nest.in_channels,
        nest.out_channels,
        nest.groups,
        nest.batch if product else nest.output_size[0],
        nest.output_size[1],
        *nest.kernel,
        *((1, 1) if product else nest.stride),
        *span,
    )
