"""Interp and Upsample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.scope import Converter, Scope

_LARGEST_EDGE = 1 << 20


def interp(scope: Scope) -> Sequence[Tensor]:
    """DeepLab's Interp: bilinear with the corners aligned, after cropping by negative padding.

    Sizes as in ``interp_layer.cpp``: shrink first ``(n - 1) / f + 1``, then zoom ``n + (n - 1) *
    (f - 1)``, or a height and width.
    """
    parameters = scope.layer.interp_param
    x = scope.x
    if x.rank != 4:
        raise scope.fail("its input is no image")
    before, after = int(parameters.pad_beg), int(parameters.pad_end)
    if before > 0 or after > 0:
        raise scope.fail("only padding of 0 or less (cropping) is defined")
    cropped = [size + before + after for size in x.shape[2:]]
    if min(cropped) < 1:
        raise scope.fail("its padding leaves nothing of its input")
    if before or after:
        starts = scope.ints("starts", [-before, -before])
        ends = scope.ints("ends", [size + after for size in x.shape[2:]])
        axes = scope.ints("axes", [2, 3])
        x = scope.emit("Slice", [x, starts, ends, axes], (*x.shape[:2], *cropped))
    if parameters.HasField("height") and parameters.HasField("width"):
        sizes = [int(parameters.height), int(parameters.width)]
    else:
        shrink, zoom = int(parameters.shrink_factor), int(parameters.zoom_factor)
        if shrink < 1 or zoom < 1:
            raise scope.fail("its factors must be 1 or more")
        sizes = [(size - 1) // shrink + 1 for size in cropped]
        sizes = [size + (size - 1) * (zoom - 1) for size in sizes]
    if sizes == cropped:
        return [x]
    return [
        _resized(scope, x, sizes, mode="linear", coordinate_transformation_mode="align_corners")
    ]


def upsample(scope: Scope) -> Sequence[Tensor]:
    """Upsample of the YOLOv3 forks: each pixel repeated ``scale`` times in both directions."""
    parameters = scope.layer.upsample_param
    x = scope.x
    if len(scope.bottoms) != 1:
        raise scope.fail("unpooling by a mask (SegNet) is not supported")
    if parameters.HasField("upsample_h") or parameters.HasField("pad_out_h"):
        raise scope.fail("upsample_h and pad_out_h belong to unpooling, which is not supported")
    if x.rank != 4:
        raise scope.fail("its input is no image")
    scale = int(parameters.scale)
    factors = [
        int(parameters.scale_h) if parameters.HasField("scale_h") else scale,
        int(parameters.scale_w) if parameters.HasField("scale_w") else scale,
    ]
    if min(factors) < 1:
        raise scope.fail("its scale must be 1 or more")
    sizes = [size * factor for size, factor in zip(x.shape[2:], factors, strict=True)]
    return [
        _resized(
            scope,
            x,
            sizes,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    ]


def _resized(scope: Scope, x: Tensor, sizes: Sequence[int], **attributes: Any) -> Tensor:
    if not 1 <= min(sizes) <= max(sizes) <= _LARGEST_EDGE:
        raise scope.fail(f"its output would be {sizes[0]} x {sizes[1]}")
    shape = (*x.shape[:2], *sizes)
    return scope.emit("Resize", [x, "", "", scope.ints("sizes", shape)], shape, **attributes)


CONVERTERS: dict[str, Converter] = {"Interp": interp, "Upsample": upsample}
