"""Layers that move numbers about: Concat, Slice, Reshape, Permute, Crop, Reorg and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np
from onnx import TensorProto

from counterpoint.network.caffe.draft import MOST_AXES, Tensor
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Converter, Scope
from counterpoint.network.zoo.initial import Moments


def concat(scope: Scope) -> Sequence[Tensor]:
    """Concat along ``axis``, or the older ``concat_dim``."""
    parameters = scope.layer.concat_param
    axis = parameters.concat_dim if parameters.HasField("concat_dim") else parameters.axis
    axis = scope.axis(axis)
    bottoms = scope.bottoms
    for bottom in bottoms:
        if (*bottom.shape[:axis], *bottom.shape[axis + 1 :]) != (
            *scope.x.shape[:axis],
            *scope.x.shape[axis + 1 :],
        ):
            raise scope.fail(f"{bottom.shape} does not fit {scope.x.shape} along axis {axis}")
    sizes = [bottom.shape[axis] for bottom in bottoms]
    shape = (*scope.x.shape[:axis], sum(sizes), *scope.x.shape[axis + 1 :])
    values = [bottom.value for bottom in bottoms if bottom.value is not None]
    if len(values) == len(bottoms):
        scope.draft.claim(prod(shape))
        return [replace(scope.x, shape=shape, value=np.concatenate(values, axis))]
    if len(bottoms) == 1:
        return [scope.x]
    mean = sum(b.moments.mean * b.shape[axis] for b in bottoms) / shape[axis]
    square = sum(b.moments.mean_square * b.shape[axis] for b in bottoms) / shape[axis]
    moments = Moments(mean, max(0.0, square - mean**2))
    return [scope.emit("Concat", list(bottoms), shape, moments=moments, axis=axis)]


def slices(scope: Scope) -> Sequence[Tensor]:
    """Slice along ``axis`` (or the older ``slice_dim``) at given points, or into equal parts."""
    parameters = scope.layer.slice_param
    x, count = scope.x, scope.top_count
    axis = scope.axis(parameters.slice_dim if parameters.HasField("slice_dim") else parameters.axis)
    size = x.shape[axis]
    points = [int(point) for point in parameters.slice_point]
    if points:
        if len(points) != count - 1:
            raise scope.fail(f"{len(points)} slice points for {count} outputs")
        borders = [0, *points, size]
    else:
        if not count or size % count:
            raise scope.fail(f"{size} cannot be cut into {count} equal parts")
        borders = list(range(0, size + 1, size // count))
    if any(end <= start for start, end in pairwise(borders)):
        raise scope.fail(f"its slice points do not ascend within {size}")
    tops = []
    for start, end in pairwise(borders):
        shape = (*x.shape[:axis], end - start, *x.shape[axis + 1 :])
        tops.append(_cut(scope, x, {axis: (start, end)}, shape))
    return tops


def _cut(
    scope: Scope, x: Tensor, ranges: dict[int, tuple[int, int]], shape: Sequence[int]
) -> Tensor:
    """The part of ``x`` within a range of each axis named."""
    starts = scope.ints("starts", [start for start, _ in ranges.values()])
    ends = scope.ints("ends", [end for _, end in ranges.values()])
    axes = scope.ints("axes", list(ranges))
    return scope.emit("Slice", [x, starts, ends, axes], shape, moments=x.moments)


def split(scope: Scope) -> Sequence[Tensor]:
    """Split: the same tensor under several names."""
    return [scope.x] * scope.top_count


def silence(scope: Scope) -> Sequence[Tensor]:
    """Silence: reads, and makes nothing."""
    del scope
    return []


def flatten(scope: Scope) -> Sequence[Tensor]:
    """Flatten: the axes from ``axis`` to ``end_axis`` become one."""
    parameters = scope.layer.flatten_param
    x = scope.x
    start, end = scope.axis(parameters.axis), scope.axis(parameters.end_axis)
    if end < start:
        raise scope.fail(f"end_axis {end} lies before axis {start}")
    shape = (*x.shape[:start], prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    if start == 1 and end == x.rank - 1 and x.value is None and x.rank != 2:
        return [scope.emit("Flatten", [x], shape, moments=x.moments, axis=1)]
    return [scope.reshaped(x, shape)]


def reshape(scope: Scope) -> Sequence[Tensor]:
    """Reshape: 0 keeps a dimension, -1 takes the rest; ``axis`` and ``num_axes`` choose some."""
    parameters = scope.layer.reshape_param
    x = scope.x
    start = parameters.axis if parameters.axis >= 0 else x.rank + parameters.axis + 1
    if not 0 <= start <= x.rank or parameters.num_axes < -1:
        raise scope.fail(f"axis {parameters.axis} of a tensor with {x.rank} axes")
    end = x.rank if parameters.num_axes == -1 else start + parameters.num_axes
    if end > x.rank:
        raise scope.fail(f"{parameters.num_axes} axes from axis {start} on, of {x.rank}")
    wanted = [int(size) for size in parameters.shape.dim]
    if len(wanted) > MOST_AXES:
        raise scope.fail(f"its shape has {len(wanted)} axes")
    for index, size in enumerate(wanted):
        if size == 0:
            if start + index >= x.rank:
                raise scope.fail(f"dimension {index} is 0, but there is none to keep")
            wanted[index] = x.shape[start + index]
    outer = prod(x.shape[:start]) * prod(x.shape[end:])
    if wanted.count(-1) > 1 or any(size < -1 for size in wanted):
        raise scope.fail(f"shape {wanted} is none")
    if -1 in wanted:
        known = outer * -prod(wanted)
        if known == 0 or x.count % known:
            raise scope.fail(f"{x.shape} cannot become {wanted}")
        wanted[wanted.index(-1)] = x.count // known
    return [scope.reshaped(x, (*x.shape[:start], *wanted, *x.shape[end:]))]


def permute(scope: Scope) -> Sequence[Tensor]:
    """SSD's Permute: a new order of axes; those not named follow in theirs."""
    x = scope.x
    order = [int(axis) for axis in scope.layer.permute_param.order]
    if len(set(order)) != len(order) or any(axis >= x.rank for axis in order):
        raise scope.fail(f"its order of {len(order)} axes is none of an input with {x.rank}")
    order += [axis for axis in range(x.rank) if axis not in order]
    shape = [x.shape[axis] for axis in order]
    if order == sorted(order):
        return [x]
    if x.value is not None:
        scope.draft.claim(x.count)
        turned = np.ascontiguousarray(x.value.transpose(order))
        return [replace(x, shape=tuple(shape), value=turned)]
    return [scope.emit("Transpose", [x], shape, perm=order)]


def crop(scope: Scope) -> Sequence[Tensor]:
    """Crop: cut to the size of the second input, from ``axis`` on, at the offsets."""
    if len(scope.bottoms) != 2:
        raise scope.fail("it needs two inputs")
    parameters = scope.layer.crop_param
    x, reference = scope.bottoms
    start = scope.axis(parameters.axis)
    offsets = [int(offset) for offset in parameters.offset] or [0]
    cropped = x.rank - start
    if reference.rank != x.rank or len(offsets) not in (1, cropped):
        raise scope.fail(f"{len(offsets)} offsets for {cropped} axes, or inputs of different rank")
    if len(offsets) == 1:
        offsets *= cropped
    ranges = {}
    for axis, offset in zip(range(start, x.rank), offsets, strict=True):
        end = offset + reference.shape[axis]
        if end > x.shape[axis]:
            raise scope.fail(f"axis {axis} ends at {x.shape[axis]}, before {end}")
        if reference.shape[axis] != x.shape[axis]:
            ranges[axis] = (offset, end)
    if not ranges:
        return [x]
    shape = (*x.shape[:start], *reference.shape[start:])
    return [_cut(scope, x, ranges, shape)]


def tile(scope: Scope) -> Sequence[Tensor]:
    """Tile: the tensor repeated along one axis."""
    parameters = scope.layer.tile_param
    x, axis, tiles = scope.x, scope.axis(parameters.axis), int(parameters.tiles)
    if tiles < 1:
        raise scope.fail("tiles is missing")
    shape = list(x.shape)
    shape[axis] *= tiles
    repeats = [tiles if index == axis else 1 for index in range(x.rank)]
    return [scope.emit("Tile", [x, scope.ints("repeats", repeats)], shape)]


def shuffle_channel(scope: Scope) -> Sequence[Tensor]:
    """ShuffleNet's ShuffleChannel: groups of channels dealt out one by one."""
    x, group = scope.x, int(scope.layer.shuffle_channel_param.group)
    if x.rank < 2 or group < 1 or x.shape[1] % group:
        raise scope.fail(f"group {group} does not divide the channels of {x.shape}")
    batch, channels, *rest = x.shape
    split_shape = (batch, group, channels // group, *rest)
    dealt = (batch, channels // group, group, *rest)
    parts = scope.reshaped(x, split_shape)
    order = [0, 2, 1, *range(3, len(split_shape))]
    turned = scope.emit("Transpose", [parts], dealt, perm=order)
    return [scope.reshaped(turned, x.shape)]


def reorg(scope: Scope) -> Sequence[Tensor]:
    """Darknet's reorg, as the Caffe forks for YOLOv2 have it.

    ``reorg_cpu`` walks over the input's channels ``k``, rows ``j`` and columns ``i`` and reads (or,
    ``reverse``, writes) at column ``i * s + k // c % s``, row ``j * s + k // c // s`` of plane
    ``k % c`` of a buffer of ``c = C / s^2`` planes of ``(H * s, W * s)``. The result's own shape is
    laid over what that gives.
    """
    x, stride = scope.x, int(scope.layer.reorg_param.stride)
    if x.rank != 4 or not 1 <= stride <= 1 << 15:
        raise scope.fail("it needs an image, and a stride")
    batch, channels, height, width = x.shape
    square = stride * stride
    reverse = scope.layer.reorg_param.reverse
    if channels % square or (not reverse and (height % stride or width % stride)):
        raise scope.fail(f"stride {stride} does not divide {x.shape}")
    planes = channels // square
    if reverse:
        parts = scope.reshaped(x, (batch, stride, stride, planes, height, width))
        order = (0, 3, 4, 1, 5, 2)
        shape = (batch, planes, height * stride, width * stride)
    else:
        parts = scope.reshaped(x, (batch, planes, height, stride, width, stride))
        order = (0, 3, 5, 1, 2, 4)
        shape = (batch, channels * square, height // stride, width // stride)
    turned = scope.emit("Transpose", [parts], [parts.shape[i] for i in order], perm=order)
    return [scope.reshaped(turned, shape)]


def softmax(scope: Scope) -> Sequence[Tensor]:
    """Softmax along ``axis``."""
    axis = scope.axis(scope.layer.softmax_param.axis)
    return [scope.emit("Softmax", [scope.x], scope.x.shape, axis=axis)]


def arg_max(scope: Scope) -> Sequence[Tensor]:
    """ArgMax: the ``top_k`` largest along an axis, or of each whole image; indices as numbers."""
    parameters = scope.layer.argmax_param
    x, k = scope.x, int(parameters.top_k)
    if parameters.HasField("axis"):
        axis, source = scope.axis(parameters.axis), x
    else:
        axis, source = 1, scope.reshaped(x, (x.shape[0], prod(x.shape[1:])))
    if not 1 <= k <= source.shape[axis]:
        raise scope.fail(f"top_k {k} of {source.shape[axis]}")
    shape = tuple(k if index == axis else size for index, size in enumerate(source.shape))
    values, indices = top_k(scope, source, k, axis, shape)
    if parameters.HasField("axis") and parameters.out_max_val:
        return [values]
    numbers = scope.emit("Cast", [indices], shape, to=TensorProto.FLOAT)
    if parameters.HasField("axis"):
        return [numbers]
    ones = [1] * max(0, x.rank - 3)
    single = (x.shape[0], 1, k, *ones)
    if not parameters.out_max_val:
        return [scope.reshaped(numbers, single)]
    pair = [scope.reshaped(numbers, single), scope.reshaped(values, single)]
    return [scope.emit("Concat", pair, (x.shape[0], 2, k, *ones), axis=1)]


def top_k(
    scope: Scope, source: Tensor, k: int, axis: int, shape: Sequence[int], *, largest: int = 1
) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) along an axis, best first, and their indices."""
    indices = scope.draft.free_name(f"{scope.name}/indices")
    values = scope.emit(
        "TopK",
        [source, scope.ints("k", [k])],
        shape,
        extra_outputs=[(indices, tuple(shape), TensorProto.INT64)],
        axis=axis,
        largest=largest,
    )
    return values, Tensor(indices, tuple(shape))


def reduction(scope: Scope) -> Sequence[Tensor]:
    """Reduction: sum, sum of magnitudes or squares, or mean, over the axes from ``axis`` on."""
    parameters = scope.layer.reduction_param
    x, start = scope.x, scope.axis(parameters.axis)
    axes, shape = list(range(start, x.rank)), x.shape[:start]
    if parameters.operation == pb.ReductionParameter.SUM:
        top = scope.emit("ReduceSum", [x, scope.ints("axes", axes)], shape, keepdims=0)
    elif parameters.operation == pb.ReductionParameter.MEAN:
        top = scope.emit("ReduceMean", [x], shape, axes=axes, keepdims=0)
    else:
        squares = parameters.operation == pb.ReductionParameter.SUMSQ
        operator = "ReduceSumSquare" if squares else "ReduceL1"
        top = scope.emit(operator, [x], shape, axes=axes, keepdims=0)
    if parameters.coeff == 1:
        return [top]
    return [scope.emit("Mul", [top, scope.constant("coeff", parameters.coeff)], shape)]


CONVERTERS: dict[str, Converter] = {
    "ArgMax": arg_max,
    "Concat": concat,
    "Crop": crop,
    "Flatten": flatten,
    "Permute": permute,
    "Reduction": reduction,
    "Reorg": reorg,
    "Reshape": reshape,
    "ShuffleChannel": shuffle_channel,
    "Silence": silence,
    "Slice": slices,
    "Softmax": softmax,
    "Split": split,
    "Tile": tile,
}
