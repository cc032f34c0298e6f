"""Convolution, Deconvolution, the depthwise forms, and InnerProduct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.normalisation import Affine, affine_of
from counterpoint.network.caffe.parameters import bias_seeding, kernel_seeding
from counterpoint.network.caffe.scope import Converter, Float32, Scope
from counterpoint.network.zoo.initial import Moments

_MOST_SPATIAL_AXES = 3


@dataclass(frozen=True, slots=True)
class _Window:
    """Kernel, stride, padding and dilation, one number for each spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """Pixels from the first tap to the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def attributes(self) -> dict[str, Any]:
        """As ONNX has them."""
        return {
            "kernel_shape": list(self.kernel),
            "strides": list(self.stride),
            "pads": list(self.pad) * 2,
            "dilations": list(self.dilation),
        }


def _window(scope: Scope, axes: int) -> _Window:
    parameters = scope.layer.convolution_param

    def spread(field: str, default: int | None) -> tuple[int, ...]:
        values = list(getattr(parameters, field))
        stem = field.removesuffix("_size")
        if stem != "dilation" and (
            parameters.HasField(f"{stem}_h") or parameters.HasField(f"{stem}_w")
        ):
            if axes != 2 or values:
                raise scope.fail(f"{stem}_h and {stem}_w stand for {field} of two dimensions")
            return (getattr(parameters, f"{stem}_h"), getattr(parameters, f"{stem}_w"))
        if not values and default is not None:
            values = [default]
        if len(values) not in (1, axes):
            raise scope.fail(f"{field} has {len(values)} values for {axes} dimensions")
        return tuple(values * axes if len(values) == 1 else values)

    window = _Window(
        spread("kernel_size", None), spread("stride", 1), spread("pad", 0), spread("dilation", 1)
    )
    if min(*window.kernel, *window.stride, *window.dilation) < 1:
        raise scope.fail("kernel_size, stride and dilation must be 1 or more")
    if max(*window.kernel, *window.stride, *window.dilation, *window.pad) >= 1 << 31:
        raise scope.fail("kernel_size, stride, dilation or pad is absurd")
    return window


def _checked(scope: Scope, x: Tensor) -> int:
    """How many spatial axes there are; refuses what is no image."""
    parameters = scope.layer.convolution_param
    if scope.axis(parameters.axis) != 1:
        raise scope.fail(f"axis {parameters.axis} is not supported; channels must be axis 1")
    axes = x.rank - 2
    if not 1 <= axes <= _MOST_SPATIAL_AXES:
        raise scope.fail(f"an input with {x.rank} axes is no image")
    if parameters.num_output < 1:
        raise scope.fail("num_output is missing")
    return axes


def _group(scope: Scope, x: Tensor, outputs: int) -> int:
    group = int(scope.layer.convolution_param.group)
    if scope.layer.type != "Convolution" and group == 1 and "epthwise" in scope.layer.type:
        group = x.shape[1]  # the depthwise layers of other forks need not say it
    if group < 1 or x.shape[1] % group or outputs % group:
        raise scope.fail(f"group {group} does not divide {x.shape[1]} inputs and {outputs} outputs")
    return group


def convolution(scope: Scope) -> Sequence[Tensor]:
    """Convolution, ConvolutionDepthwise and DepthwiseConvolution."""
    tops = []
    names: list[str] = []
    for x in scope.bottoms:
        axes = _checked(scope, x)
        outputs = int(scope.layer.convolution_param.num_output)
        group = _group(scope, x, outputs)
        window = _window(scope, axes)
        sizes = [
            (size + 2 * pad - extent) // stride + 1
            for size, pad, extent, stride in zip(
                x.shape[2:], window.pad, window.extent, window.stride, strict=True
            )
        ]
        if min(sizes) < 1:
            raise scope.fail(f"its kernel is larger than its input of {_size(x.shape)}")
        shape = (outputs, x.shape[1] // group, *window.kernel)
        channels = _Channels(outputs, 0, 1)
        if not names:
            names, offsets = _weights(scope, x, shape, channels)
        top = scope.emit(
            "Conv",
            [x, *names],
            (x.shape[0], outputs, *sizes),
            moments=Moments(0.0, 1.0),
            group=group,
            **window.attributes(),
        )
        tops.append(_with_offsets(top, offsets))
    return tops


def deconvolution(scope: Scope) -> Sequence[Tensor]:
    """Deconvolution: ``size = stride * (in - 1) + dilation * (kernel - 1) + 1 - 2 * pad``."""
    x = scope.x
    axes = _checked(scope, x)
    outputs = int(scope.layer.convolution_param.num_output)
    group = _group(scope, x, outputs)
    window = _window(scope, axes)
    sizes = [
        stride * (size - 1) + extent - 2 * pad
        for size, pad, extent, stride in zip(
            x.shape[2:], window.pad, window.extent, window.stride, strict=True
        )
    ]
    if min(sizes) < 1:
        raise scope.fail(f"its padding leaves nothing of its input of {_size(x.shape)}")
    shape = (x.shape[1], outputs // group, *window.kernel)
    names, offsets = _weights(scope, x, shape, _Channels(outputs, 1, group))
    top = scope.emit(
        "ConvTranspose",
        [x, *names],
        (x.shape[0], outputs, *sizes),
        moments=Moments(0.0, 1.0),
        group=group,
        **window.attributes(),
    )
    return [_with_offsets(top, offsets)]


def inner_product(scope: Scope) -> Sequence[Tensor]:
    """InnerProduct: all axes from ``axis`` on are one vector."""
    parameters = scope.layer.inner_product_param
    x = scope.x
    axis = scope.axis(parameters.axis)
    outputs, inputs = int(parameters.num_output), prod(x.shape[axis:])
    if outputs < 1:
        raise scope.fail("num_output is missing")
    flat = scope.reshaped(x, (prod(x.shape[:axis]), inputs))
    transpose = bool(parameters.transpose)
    shape = (inputs, outputs) if transpose else (outputs, inputs)
    names, offsets = _weights(scope, x, shape, _Channels(outputs, 1 if transpose else 0, 1))
    top = scope.emit(
        "Gemm",
        [flat, *names],
        (flat.shape[0], outputs),
        moments=Moments(0.0, 1.0),
        transB=int(not transpose),
    )
    return [_with_offsets(scope.reshaped(top, (*x.shape[:axis], outputs)), offsets)]


@dataclass(frozen=True, slots=True)
class _Channels:
    """Where a kernel's output channels are.

    Attributes:
        count: How many.
        axis: Of the kernel that counts them within a group.
        groups: Groups along axis 0, where that is not the channels' own.
    """

    count: int
    axis: int
    groups: int

    def scaled(self, kernel: Float32, factors: npt.NDArray[np.float64]) -> Float32:
        """Each channel's part of the kernel times its factor."""
        scale = factors.astype(np.float32)
        if self.axis == 0:
            return kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
        parts = kernel.reshape(self.groups, -1, *kernel.shape[1:])
        spread = scale.reshape(self.groups, 1, -1, *[1] * (kernel.ndim - 2))
        return (parts * spread).reshape(kernel.shape)


def _weights(
    scope: Scope, x: Tensor, shape: tuple[int, ...], channels: _Channels
) -> tuple[list[str], npt.NDArray[np.float64] | None]:
    """Names of kernel and bias, followers folded in; the mean of each channel where expected."""
    layer = scope.layer
    is_product = layer.type == "InnerProduct"
    has_bias = (layer.inner_product_param if is_product else layer.convolution_param).bias_term
    seeding = kernel_seeding(x.moments)
    offsets: npt.NDArray[np.float64] | None = None
    if not scope.followers and not (scope.source.seeded and shape[1] == 1):
        names = [scope.weight(0, shape, seeding, "weight")]
        if has_bias:
            names.append(scope.weight(1, (channels.count,), bias_seeding(), "bias"))
        return names, None
    kernel = scope.blob(0, shape, seeding)
    if scope.source.seeded and shape[1] == 1 and channels.axis == 0:
        # a kernel of one input channel answers to that channel's mean, see zoo/initial.py
        summed = kernel.sum(axis=tuple(range(1, kernel.ndim)), dtype=np.float64)
        offsets = summed * x.moments.mean
    bias = np.zeros(channels.count, np.float64)
    if has_bias:
        centre = 0.0 if offsets is None else offsets
        bias = scope.blob(1, (channels.count,), bias_seeding(centre)).astype(np.float64)
        offsets = None
    if not scope.followers:
        names = [scope.constant("weight", kernel)]
        return names + ([scope.constant("bias", bias)] if has_bias else []), offsets
    affine = _folded(scope, channels.count, offsets)
    kernel = channels.scaled(kernel, affine.scale)
    bias = (bias * affine.scale + affine.shift).astype(np.float32)
    return [scope.constant("weight", kernel), scope.constant("bias", bias)], None


def _folded(scope: Scope, channels: int, offsets: npt.NDArray[np.float64] | None) -> Affine:
    total = Affine.identity(channels)
    expected = Tensor("", (1, channels), Moments(0.0, 1.0), offsets)
    for follower in scope.followers:
        total = total.then(affine_of(scope.source, follower, channels, expected))
        expected = Tensor("", (1, channels), Moments(0.0, 1.0))
    return total


def _with_offsets(top: Tensor, offsets: npt.NDArray[np.float64] | None) -> Tensor:
    return Tensor(top.name, top.shape, top.moments, offsets)


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


CONVERTERS: dict[str, Converter] = {
    "Convolution": convolution,
    "ConvolutionDepthwise": convolution,
    "DepthwiseConvolution": convolution,
    "Deconvolution": deconvolution,
    "InnerProduct": inner_product,
}

FOLDING = frozenset(CONVERTERS)
"""Layers that can take in the BatchNorm and Scale behind them."""
