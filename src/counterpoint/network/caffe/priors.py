"""SSD's PriorBox: boxes that depend on sizes alone, so they are constants here.

Definition: weiliu89/caffe, branch ssd, ``prior_box_layer.cpp``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.scope import Converter, Float32, Scope

_MOST_SIZES = 1000
_LARGEST_SIZE = 1 << 20


def prior_box(scope: Scope) -> Sequence[Tensor]:
    """``(1, 2, priors * 4)``: corners in 0..1 by row, column and size; then the variances."""
    if len(scope.bottoms) != 2 or any(bottom.rank != 4 for bottom in scope.bottoms):
        raise scope.fail("it needs two images: the feature map and the input")
    parameters = scope.layer.prior_box_param
    sizes = _sizes(scope)
    height, width = scope.x.shape[2:]
    scope.draft.claim(2 * 4 * height * width * len(sizes))
    image_height, image_width = _image(scope)
    step_height, step_width = _steps(scope, image_height / height, image_width / width)
    rows = (np.arange(height) + parameters.offset) * step_height
    columns = (np.arange(width) + parameters.offset) * step_width
    widths = np.array([size[0] for size in sizes])
    heights = np.array([size[1] for size in sizes])
    y, x = rows[:, None, None], columns[None, :, None]
    corners = np.broadcast_arrays(
        (x - widths / 2) / image_width,
        (y - heights / 2) / image_height,
        (x + widths / 2) / image_width,
        (y + heights / 2) / image_height,
    )
    boxes = np.stack(corners, axis=-1).reshape(-1)
    if parameters.clip:
        boxes = boxes.clip(0.0, 1.0)
    variances = np.tile(_variance(scope), boxes.size // 4)
    value: Float32 = np.stack((boxes, variances)).astype(np.float32)[None]
    return [Tensor(scope.draft.free_name(f"{scope.name}/value"), value.shape, value=value)]


def _sizes(scope: Scope) -> list[tuple[float, float]]:
    """Width and height of each box at a place, in pixels of the input."""
    parameters = scope.layer.prior_box_param
    smallest, largest = _pixels(scope, parameters.min_size), _pixels(scope, parameters.max_size)
    if not smallest:
        raise scope.fail("min_size is missing")
    if largest and len(largest) != len(smallest):
        raise scope.fail(f"{len(largest)} max_size for {len(smallest)} min_size")
    ratios = [1.0]
    for ratio in parameters.aspect_ratio:
        if not 0 < ratio < math.inf:
            raise scope.fail(f"aspect_ratio {ratio} is no positive number")
        if any(abs(ratio - known) < 1e-6 for known in ratios):
            continue
        ratios.append(ratio)
        if parameters.flip:
            ratios.append(1 / ratio)
    if len(smallest) * len(ratios) > _MOST_SIZES:
        raise scope.fail("so many sizes are absurd")
    sizes: list[tuple[float, float]] = []
    for index, size in enumerate(smallest):
        sizes.append((size, size))
        if largest:
            if parameters.max_size[index] <= parameters.min_size[index]:
                raise scope.fail(f"max_size {largest[index]} is not above min_size {size}")
            between = math.sqrt(size * largest[index])
            sizes.append((between, between))
        for ratio in ratios:
            if abs(ratio - 1) >= 1e-6:
                sizes.append((size * math.sqrt(ratio), size / math.sqrt(ratio)))
    return sizes


def _pixels(scope: Scope, sizes: Sequence[float]) -> list[int]:
    """Whole pixels: Caffe reads sizes as fractions, and cuts these off."""
    for size in sizes:
        if not 1 <= size <= _LARGEST_SIZE:
            raise scope.fail(f"the size {size} is no number of pixels")
    return [int(size) for size in sizes]


def _image(scope: Scope) -> tuple[int, int]:
    parameters = scope.layer.prior_box_param
    if parameters.img_size:
        return parameters.img_size, parameters.img_size
    if parameters.img_h and parameters.img_w:
        return parameters.img_h, parameters.img_w
    return scope.bottoms[1].shape[2], scope.bottoms[1].shape[3]


def _steps(scope: Scope, height: float, width: float) -> tuple[float, float]:
    parameters = scope.layer.prior_box_param
    if parameters.step:
        height = width = parameters.step
    elif parameters.step_h and parameters.step_w:
        height, width = parameters.step_h, parameters.step_w
    if not (0 < height < math.inf and 0 < width < math.inf):
        raise scope.fail(f"its steps {height} and {width} are no positive numbers")
    return height, width


def _variance(scope: Scope) -> list[float]:
    variance = list(scope.layer.prior_box_param.variance) or [0.1]
    if len(variance) not in (1, 4) or any(not value > 0 for value in variance):
        raise scope.fail("variance must be one or four positive numbers")
    return variance * 4 if len(variance) == 1 else variance


CONVERTERS: dict[str, Converter] = {"PriorBox": prior_box}
