"""YoloDetectionOutput and Yolov3DetectionOutput of eric612's forks, in standard operators.

Definition: eric612/MobileNet-YOLO, ``yolo_detection_output_layer.cpp`` and
``yolov3_detection_output_layer.cpp``. Boxes suppress one another whatever their class, so that at
most one class of each box is left, the best. There are as many rows as boxes, by falling score, the
unused ones -1 throughout; labels count from 1. Each image of a batch is suppressed by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from counterpoint.network.caffe.detection import (
    MOST_CANDIDATES,
    Candidates,
    gathered,
    rows,
    suppressed,
)
from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.scope import Converter, Scope
from counterpoint.network.caffe.shape import top_k


@dataclass(frozen=True, slots=True)
class _Head:
    """One output of the network: a grid of cells with some boxes each.

    Attributes:
        tensor: ``(images, boxes * (5 + classes), rows, columns)``.
        anchors: ``(boxes, 2)``: width and height, in parts of the image.
    """

    tensor: Tensor
    anchors: npt.NDArray[np.float64]


def yolo_v2(scope: Scope) -> Sequence[Tensor]:
    """YoloDetectionOutput: classes by softmax, anchors in cells."""
    parameters = scope.layer.yolo_detection_output_param
    biases = np.array(parameters.biases, np.float64)
    boxes = int(parameters.num_box)
    if biases.size < 2 * boxes or parameters.coords != 4:
        raise scope.fail(f"{biases.size} biases for {boxes} boxes, or coords is not 4")
    anchors = biases[: 2 * boxes].reshape(boxes, 2)
    heads = [_Head(x, anchors / (x.shape[3], x.shape[3])) for x in _images(scope)]
    least = np.nextafter(np.float32(parameters.confidence_threshold), np.float32(-1))
    return _detected(
        scope,
        heads,
        classes=int(parameters.num_classes),
        activation="Softmax",
        min_score=float(least),
        max_overlap=parameters.nms_threshold,
    )


def yolo_v3(scope: Scope) -> Sequence[Tensor]:
    """Yolov3DetectionOutput: classes by sigmoid, anchors in pixels, chosen by masks."""
    parameters = scope.layer.yolov3_detection_output_param
    groups = int(parameters.mask_group_num)
    if groups < 1 or len(scope.bottoms) != groups or len(parameters.anchors_scale) != groups:
        raise scope.fail(
            f"{len(scope.bottoms)} inputs, {groups} mask groups and "
            f"{len(parameters.anchors_scale)} scales do not fit"
        )
    boxes, step = int(parameters.num_box), len(parameters.mask) // groups
    anchors = np.array(parameters.biases, np.float64)
    anchors = anchors[: anchors.size // 2 * 2].reshape(-1, 2)
    heads = []
    for index, x in enumerate(_images(scope)):
        mask = list(parameters.mask)[index * step : index * step + boxes]
        if len(mask) != boxes or max(mask, default=0) >= len(anchors):
            raise scope.fail("its masks do not fit its biases")
        edge = x.shape[3] * parameters.anchors_scale[index]
        heads.append(_Head(x, anchors[mask] / edge))
    return _detected(
        scope,
        heads,
        classes=int(parameters.num_classes),
        activation="Sigmoid",
        min_score=parameters.confidence_threshold,
        max_overlap=parameters.nms_threshold,
    )


def _images(scope: Scope) -> Sequence[Tensor]:
    for x in scope.bottoms:
        if x.rank != 4 or x.shape[2] != x.shape[3] or x.shape[0] != scope.x.shape[0]:
            raise scope.fail(f"an input of {x.shape} is no square grid of cells")
    return scope.bottoms


def _detected(
    scope: Scope,
    heads: Sequence[_Head],
    *,
    classes: int,
    activation: str,
    min_score: float,
    max_overlap: float,
) -> Sequence[Tensor]:
    if sum(head.tensor.count for head in heads) > MOST_CANDIDATES:
        raise scope.fail("so many candidates are absurd")
    decoded = [_decoded(scope, head, classes, activation) for head in heads]
    images = scope.x.shape[0]
    total = sum(boxes.shape[1] for boxes, _, _ in decoded)
    boxes = _joined(scope, [part[0] for part in decoded], (images, total, 4))
    scores = _joined(scope, [part[1] for part in decoded], (images, total))
    labels = _joined(scope, [part[2] for part in decoded], (images, total))
    # ONNX drops an overlap above the bound, these layers from the bound on
    bound = float(np.nextafter(np.float32(max_overlap), np.float32(-1)))
    single = scope.reshaped(scores, (images, 1, total))
    stay = suppressed(scope, Candidates(boxes, single, centred=True), min_score, bound)
    best, places = top_k(scope, stay, total, 1, (images, total))
    label = gathered(scope, labels, places)
    box = gathered(scope, _corners(scope, boxes), places)
    ids = np.broadcast_to(np.arange(images, dtype=np.float32)[:, None, None], (images, total, 1))
    return [rows(scope, ids, (scope.reshaped(label, (images, total, 1)), box), best)]


def _decoded(
    scope: Scope, head: _Head, classes: int, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes ``(images, cells, 4)`` as centre and size, and the best score and class of each."""
    images, channels, height, width = head.tensor.shape
    boxes, length = len(head.anchors), 5 + classes
    if channels != boxes * length:
        raise scope.fail(f"{channels} channels do not fit {boxes} boxes of {length} numbers")
    cells = height * width
    grid = scope.reshaped(head.tensor, (images, boxes, length, cells))
    lines = scope.emit("Transpose", [grid], (images, boxes, cells, length), perm=[0, 1, 3, 2])
    flat = scope.reshaped(lines, (images, boxes * cells, length))
    place, size, sure, kinds = (
        _columns(scope, flat, start, end) for start, end in ((0, 2), (2, 4), (4, 5), (5, length))
    )
    column = np.tile(np.arange(cells) % width, boxes)
    row = np.tile(np.arange(cells) // width, boxes)
    corner = scope.constant("cells", np.stack((column, row), axis=-1)[None])
    near = scope.emit("Sigmoid", [place], place.shape)
    moved = scope.emit("Add", [near, corner], place.shape)
    centre = scope.emit("Div", [moved, scope.constant("grid", [width, height])], place.shape)
    anchors = scope.constant("anchors", np.repeat(head.anchors, cells, axis=0)[None])
    grown = scope.emit("Exp", [size], size.shape)
    extent = scope.emit("Mul", [grown, anchors], size.shape)
    box = scope.emit("Concat", [centre, extent], (images, boxes * cells, 4), axis=2)
    attributes: dict[str, Any] = {"axis": 2} if activation == "Softmax" else {}
    chances = scope.emit(activation, [kinds], kinds.shape, **attributes)
    objectness = scope.emit("Sigmoid", [sure], sure.shape)
    scores = scope.emit("Mul", [chances, objectness], kinds.shape)
    best, index = top_k(scope, scores, 1, 2, (images, boxes * cells, 1))
    number = scope.emit("Cast", [index], index.shape, to=TensorProto.FLOAT)
    label = scope.emit("Add", [number, scope.constant("one", 1.0)], number.shape)
    two = (images, boxes * cells)
    return box, scope.reshaped(best, two), scope.reshaped(label, two)


def _columns(scope: Scope, x: Tensor, start: int, end: int) -> Tensor:
    bounds = (scope.ints("starts", [start]), scope.ints("ends", [end]))
    shape = (*x.shape[:-1], end - start)
    return scope.emit("Slice", [x, *bounds, scope.ints("axes", [x.rank - 1])], shape)


def _joined(scope: Scope, parts: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    return scope.emit("Concat", list(parts), shape, axis=1)


def _corners(scope: Scope, boxes: Tensor) -> Tensor:
    centre, size = _columns(scope, boxes, 0, 2), _columns(scope, boxes, 2, 4)
    half = scope.emit("Mul", [size, scope.constant("half", 0.5)], size.shape)
    low = scope.emit("Sub", [centre, half], centre.shape)
    high = scope.emit("Add", [centre, half], centre.shape)
    return scope.emit("Concat", [low, high], boxes.shape, axis=2)


CONVERTERS: dict[str, Converter] = {
    "YoloDetectionOutput": yolo_v2,
    "Yolov3DetectionOutput": yolo_v3,
}
