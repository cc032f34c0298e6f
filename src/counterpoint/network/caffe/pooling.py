"""Pooling, by Caffe's own rules.

Caffe rounds the output size up, then drops a last window that would start in the padding; a window
may thus reach beyond the padded area and is clipped there. Averages count the padding, but nothing
beyond it (``pooling_layer.cpp``). ONNX's ``ceil_mode`` is read differently by different engines, so
the rest of the last window is written out as padding here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Converter, Scope


@dataclass(frozen=True, slots=True)
class _Axis:
    """Windows along one axis of an image."""

    size: int
    kernel: int
    stride: int
    pad: int

    def windows(self, *, ceil: bool, clip: bool) -> int:
        """How many there are."""
        room = self.size + 2 * self.pad - self.kernel
        count = (-(-room // self.stride) if ceil else room // self.stride) + 1
        if clip and (count - 1) * self.stride >= self.size + self.pad:
            count -= 1
        return count

    def beyond(self, count: int) -> int:
        """Pixels by which the last of ``count`` windows reaches beyond the padded area."""
        return max(0, (count - 1) * self.stride + self.kernel - self.size - 2 * self.pad)


def pooling(scope: Scope) -> Sequence[Tensor]:
    """Pooling: MAX or AVE, over windows or over the whole image."""
    parameters = scope.layer.pooling_param
    x = scope.x
    if x.rank != 4:
        raise scope.fail(f"an input with {x.rank} axes is no image")
    if scope.top_count != 1:
        raise scope.fail("a second output (the mask) is not supported")
    if parameters.pool == pb.PoolingParameter.STOCHASTIC:
        raise scope.fail("stochastic pooling is not supported; retrain with MAX or AVE")
    is_maximum = parameters.pool == pb.PoolingParameter.MAX
    expected = x.moments.max_pooled() if is_maximum else x.moments
    if parameters.global_pooling:
        operator = "GlobalMaxPool" if is_maximum else "GlobalAveragePool"
        moments = expected if is_maximum else x.moments.averaged()
        return [scope.emit(operator, [x], (*x.shape[:2], 1, 1), moments=moments)]
    axes = _axes(scope, x)
    ceil = parameters.round_mode == pb.PoolingParameter.CEIL and parameters.ceil_mode
    clip = any(axis.pad for axis in axes)
    counts = [axis.windows(ceil=ceil, clip=clip) for axis in axes]
    beyond = [axis.beyond(count) for axis, count in zip(axes, counts, strict=True)]
    if min(counts) < 1:
        raise scope.fail("its window is larger than its input")
    if any(extra >= axis.kernel for axis, extra in zip(axes, beyond, strict=True)):
        raise scope.fail(
            "its last window lies outside of its input (the stride is larger than the kernel); "
            "Caffe's result there is not defined"
        )
    shape = (*x.shape[:2], *counts)
    pads = [axis.pad for axis in axes]
    window: dict[str, Any] = {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
    }
    if is_maximum:
        ends = [pad + extra for pad, extra in zip(pads, beyond, strict=True)]
        return [scope.emit("MaxPool", [x], shape, moments=expected, pads=pads + ends, **window)]
    if not any(beyond):
        return [
            scope.emit(
                "AveragePool",
                [x],
                shape,
                moments=expected,
                pads=pads * 2,
                count_include_pad=1,
                **window,
            )
        ]
    if any(pads):  # Caffe's padding counts, and what is beyond it does not: two kinds of padding
        padded = (*x.shape[:2], *(axis.size + 2 * axis.pad for axis in axes))
        x = scope.emit("Pad", [x, scope.ints("pads", [0, 0, *pads] * 2)], padded)
    return [
        scope.emit(
            "AveragePool",
            [x],
            shape,
            moments=expected,
            pads=[0, 0, *beyond],
            count_include_pad=0,
            **window,
        )
    ]


def _axes(scope: Scope, x: Tensor) -> list[_Axis]:
    parameters = scope.layer.pooling_param
    axes = []
    for letter, size in zip("hw", x.shape[2:], strict=True):
        values = []
        for field, default in (("kernel_size", 0), ("stride", 1), ("pad", 0)):
            own = f"{field.removesuffix('_size')}_{letter}"
            if parameters.HasField(own):
                values.append(int(getattr(parameters, own)))
            elif parameters.HasField(field):
                values.append(int(getattr(parameters, field)))
            else:
                values.append(default)
        axis = _Axis(size, *values)
        if axis.kernel < 1 or axis.stride < 1:
            raise scope.fail("kernel_size is missing, or the stride is 0")
        if axis.pad >= axis.kernel:
            raise scope.fail(f"its padding {axis.pad} is not smaller than its kernel {axis.kernel}")
        if max(axis.kernel, axis.stride) >= 1 << 31:
            raise scope.fail("kernel_size or stride is absurd")
        axes.append(axis)
    return axes


CONVERTERS: dict[str, Converter] = {"Pooling": pooling}
