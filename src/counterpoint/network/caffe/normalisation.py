"""BatchNorm, Scale, Bias, LRN, MVN and Normalize."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.parameters import (
    bias_seeding,
    filled_seeding,
    mean_seeding,
    scale_seeding,
    variance_seeding,
)
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Converter, Scope, Source
from counterpoint.network.zoo.initial import Moments

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """``y = scale * x + shift`` for each channel; arrays of shape ``(channels,)``."""

    scale: Float64
    shift: Float64

    @staticmethod
    def identity(channels: int) -> Affine:
        """What changes nothing."""
        return Affine(np.ones(channels), np.zeros(channels))

    def then(self, other: Affine) -> Affine:
        """This one first, the other behind it."""
        return Affine(self.scale * other.scale, self.shift * other.scale + other.shift)


@dataclass(frozen=True, slots=True)
class _Statistics:
    """Mean and variance of each channel, the moving average's factor divided out."""

    mean: Float64
    variance: Float64
    epsilon: float


def affine_of(source: Source, layer: pb.LayerParameter, channels: int, x: Tensor) -> Affine:
    """What a BatchNorm, or a Scale of one input over the channels, does to each channel.

    Args:
        source: Of the parameters.
        layer: The BatchNorm or Scale.
        channels: Of its input.
        x: Its input, as far as seeded parameters need to know it.
    """
    if layer.type == "BatchNorm":
        found = _statistics(source, layer, channels, x)
        scale = 1 / np.sqrt(found.variance + found.epsilon)
        return Affine(scale, -found.mean * scale)
    scale = source.blob(layer.name, 0, (channels,), scale_seeding()).astype(np.float64)
    shift = np.zeros(channels)
    if layer.scale_param.bias_term:
        shift = source.blob(layer.name, 1, (channels,), bias_seeding()).astype(np.float64)
    return Affine(scale, shift)


def is_channel_scale(layer: pb.LayerParameter) -> bool:
    """A Scale whose own factors count the channels (axis 1)."""
    parameters = layer.scale_param
    return (
        layer.type == "Scale"
        and len(layer.bottom) == 1
        and parameters.axis == 1
        and parameters.num_axes == 1
    )


def is_inference_norm(layer: pb.LayerParameter) -> bool:
    """A BatchNorm that uses its stored statistics."""
    parameters = layer.batch_norm_param
    stored = not parameters.HasField("use_global_stats") or parameters.use_global_stats
    return layer.type == "BatchNorm" and stored


def _statistics(source: Source, layer: pb.LayerParameter, channels: int, x: Tensor) -> _Statistics:
    """Blobs: mean, variance, and the factor that both are to be divided by (0: take 0)."""
    deviation = float(np.sqrt(x.moments.variance))
    centre = x.moments.mean if x.offsets is None else x.offsets
    mean = source.blob(layer.name, 0, (channels,), mean_seeding(centre, deviation))
    variance = source.blob(layer.name, 1, (channels,), variance_seeding(x.moments.variance))
    factor = 1.0
    if source.has_blob(layer.name, 2):
        stored = float(source.blob(layer.name, 2, (1,), filled_seeding(1.0))[0])
        factor = 1 / stored if stored else 0.0
    return _Statistics(
        mean.astype(np.float64) * factor,
        variance.astype(np.float64) * factor,
        float(layer.batch_norm_param.eps),
    )


def batch_norm(scope: Scope) -> Sequence[Tensor]:
    """BatchNorm, with the Scale behind it where that is its only reader."""
    x = scope.x
    if not is_inference_norm(scope.layer):
        raise scope.fail(
            "use_global_stats is false, so it normalises by the frame itself; only stored "
            "statistics are supported"
        )
    if x.rank < 2:
        raise scope.fail("its input has no channels")
    channels = x.shape[1]
    found = _statistics(scope.source, scope.layer, channels, x)
    affine = Affine.identity(channels)
    unit = Tensor("", (1, channels), Moments(0.0, 1.0))
    for follower in scope.followers:
        affine = affine.then(affine_of(scope.source, follower, channels, unit))
    names = [
        scope.constant("scale", affine.scale),
        scope.constant("bias", affine.shift),
        scope.constant("mean", found.mean),
        scope.constant("var", found.variance),
    ]
    top = scope.emit(
        "BatchNormalization",
        [x, *names],
        x.shape,
        moments=Moments(0.0, 1.0),
        epsilon=found.epsilon,
    )
    return [top]


def _broadcast(scope: Scope, axis: int, num_axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape of a parameter over ``num_axes`` axes from ``axis`` on, and the same to broadcast."""
    x = scope.x
    if num_axes == 0:
        return (), ()
    start = scope.axis(axis)
    end = x.rank if num_axes < 0 else start + num_axes
    if end > x.rank:
        raise scope.fail(f"{num_axes} axes from axis {axis} on, of {x.rank}")
    own = x.shape[start:end]
    return own, (*own, *[1] * (x.rank - end))


def _second_input(scope: Scope, axis: int) -> Tensor:
    """The second input, shaped to broadcast over the first from ``axis`` on."""
    x, other = scope.bottoms
    if other.rank == 0 or other.count == 1:
        return scope.reshaped(other, [1] * x.rank)
    start = scope.axis(axis)
    if x.shape[start : start + other.rank] != other.shape:
        raise scope.fail(f"its inputs {x.shape} and {other.shape} do not fit at axis {axis}")
    trailing = x.rank - start - other.rank
    return scope.reshaped(other, [*[1] * start, *other.shape, *[1] * trailing])


def scale(scope: Scope) -> Sequence[Tensor]:
    """Scale: times its own factors, or times the second input; then plus a bias."""
    parameters = scope.layer.scale_param
    x = scope.x
    bias_index = 1
    if len(scope.bottoms) == 2:
        other = _second_input(scope, parameters.axis)
        own = other.shape
        shape = tuple(size for size in scope.bottoms[1].shape)
        broadcast = own
        bias_index = 0
        top = scope.emit("Mul", [x, other], x.shape)
    else:
        shape, broadcast = _broadcast(scope, parameters.axis, parameters.num_axes)
        factors = scope.blob(0, shape or (1,), scale_seeding())
        name = scope.constant("scale", factors.reshape(broadcast))
        top = scope.emit("Mul", [x, name], x.shape)
    if not parameters.bias_term:
        return [top]
    values = scope.blob(bias_index, shape or (1,), bias_seeding()).reshape(broadcast)
    return [scope.emit("Add", [top, scope.constant("bias", values)], x.shape)]


def bias(scope: Scope) -> Sequence[Tensor]:
    """Bias: plus its own numbers, or plus the second input."""
    parameters = scope.layer.bias_param
    x = scope.x
    if len(scope.bottoms) == 2:
        return [scope.emit("Add", [x, _second_input(scope, parameters.axis)], x.shape)]
    shape, broadcast = _broadcast(scope, parameters.axis, parameters.num_axes)
    values = scope.blob(0, shape or (1,), bias_seeding()).reshape(broadcast)
    return [scope.emit("Add", [x, scope.constant("bias", values)], x.shape)]


def lrn(scope: Scope) -> Sequence[Tensor]:
    """LRN: ``x / (k + alpha / n * sum(x^2))^beta`` over ``n`` channels, or over a window.

    Within a channel Caffe chains layers of its own: an average over the padded window of n x n, and
    a power with shift 1; ``k`` goes unused there (``lrn_layer.cpp``, ``WithinChannelForward``).
    """
    parameters = scope.layer.lrn_param
    x, size = scope.x, int(parameters.local_size)
    if size % 2 == 0 or size > 1 << 16:
        raise scope.fail(f"local_size {size} is not odd")
    if parameters.norm_region == pb.LRNParameter.ACROSS_CHANNELS:
        top = scope.emit(
            "LRN",
            [x],
            x.shape,
            size=size,
            alpha=parameters.alpha,
            beta=parameters.beta,
            bias=parameters.k,
        )
        return [top]
    if x.rank != 4:
        raise scope.fail("within channels it needs an image")
    square = scope.emit("Mul", [x, x], x.shape)
    mean = scope.emit(
        "AveragePool",
        [square],
        x.shape,
        kernel_shape=[size, size],
        pads=[(size - 1) // 2] * 4,
        count_include_pad=1,
    )
    scaled = scope.emit("Mul", [mean, scope.constant("alpha", parameters.alpha)], x.shape)
    shifted = scope.emit("Add", [scaled, scope.constant("one", 1.0)], x.shape)
    power = scope.emit("Pow", [shifted, scope.constant("beta", -parameters.beta)], x.shape)
    return [scope.emit("Mul", [x, power], x.shape)]


def mvn(scope: Scope) -> Sequence[Tensor]:
    """MVN: ``(x - mean) / (sqrt(mean((x - mean)^2)) + eps)`` over each channel, or over all."""
    parameters = scope.layer.mvn_param
    x = scope.x
    if x.rank < 3:
        raise scope.fail("its input is no image")
    axes = list(range(1 if parameters.across_channels else 2, x.rank))
    reduced = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    mean = scope.emit("ReduceMean", [x], reduced, axes=axes, keepdims=1)
    centred = scope.emit("Sub", [x, mean], x.shape, moments=Moments(0.0, 1.0))
    if not parameters.normalize_variance:
        return [centred]
    square = scope.emit("Mul", [centred, centred], x.shape)
    variance = scope.emit("ReduceMean", [square], reduced, axes=axes, keepdims=1)
    deviation = scope.emit("Sqrt", [variance], reduced)
    safe = scope.emit("Add", [deviation, scope.constant("eps", parameters.eps)], reduced)
    return [scope.emit("Div", [centred, safe], x.shape, moments=Moments(0.0, 1.0))]


def normalize(scope: Scope) -> Sequence[Tensor]:
    """SSD's Normalize: ``scale * x / sqrt(eps + sum(x^2))`` over the channels, or over all."""
    layer = scope.layer
    parameters = layer.norm_param if layer.HasField("norm_param") else layer.normalize_bbox_param
    x = scope.x
    if x.rank < 2:
        raise scope.fail("its input has no channels")
    axes = list(range(1, x.rank)) if parameters.across_spatial else [1]
    reduced = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    square = scope.emit("Mul", [x, x], x.shape)
    total = scope.emit("ReduceSum", [square, scope.ints("axes", axes)], reduced, keepdims=1)
    safe = scope.emit("Add", [total, scope.constant("eps", parameters.eps)], reduced)
    norm = scope.emit("Sqrt", [safe], reduced)
    unit = scope.emit("Div", [x, norm], x.shape)
    shape = (1,) if parameters.channel_shared else (x.shape[1],)
    fill = parameters.scale_filler.value if parameters.HasField("scale_filler") else 1.0
    factors = scope.blob(0, shape, filled_seeding(fill))
    spread = factors.reshape(1, prod(shape), *[1] * (x.rank - 2))
    moments = Moments(0.0, (fill or 1.0) ** 2 / x.shape[1])
    return [scope.emit("Mul", [unit, scope.constant("scale", spread)], x.shape, moments=moments)]


CONVERTERS: dict[str, Converter] = {
    "BatchNorm": batch_norm,
    "Bias": bias,
    "LRN": lrn,
    "MVN": mvn,
    "Normalize": normalize,
    "NormalizeBBox": normalize,
    "Scale": scale,
}
