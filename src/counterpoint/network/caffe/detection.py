"""SSD's DetectionOutput, in standard operators.

Definition: weiliu89/caffe, branch ssd, ``detection_output_layer.cpp`` and ``bbox_util.cpp``. Caffe
returns as many rows as it finds; shapes are static here, so there are always ``keep_top_k`` rows an
image, the unused ones -1 throughout (so does OpenVINO). Rows are ordered as Caffe's: by image,
label, and falling score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Converter, Float32, Scope
from counterpoint.network.caffe.shape import top_k

FLOAT = int(TensorProto.FLOAT)

_UNUSED = -1.0
_LAST = 1e9  # sorts behind every label
MOST_CANDIDATES = 1 << 24

_ADAPTIVE_ABOVE = 0.5
"""Caffe's ``ApplyNMSFast`` multiplies the threshold by ``eta`` only as long as it is above this."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes that non-maximum suppression chooses from.

    Attributes:
        boxes: ``(lists, count, 4)``: within a list, boxes suppress one another.
        scores: ``(lists, 1, count)``.
        centred: Boxes are centre and size; otherwise corners.
    """

    boxes: Tensor
    scores: Tensor
    centred: bool


def suppressed(
    scope: Scope, candidates: Candidates, min_score: float, max_overlap: float
) -> Tensor:
    """``(lists, count)``: scores of the boxes that stay, -1 for the others.

    A box stays when its score is above ``min_score`` and no better one that stays has a larger
    intersection over union with it than ``max_overlap``. How many stay depends on the data; the
    result is written back to their places so that no shape does.
    """
    lists, _, count = candidates.scores.shape
    name = scope.draft.free_name(f"{scope.name}/selected")
    scope.draft.node(
        "NonMaxSuppression",
        [
            scope.read(candidates.boxes),
            candidates.scores.name,
            scope.ints("most", [count]),
            scope.constant("max_overlap", [max_overlap]),
            scope.constant("min_score", [min_score]),
        ],
        name,
        (lists * count, 3),  # at most
        dtype=TensorProto.INT64,
        center_point_box=int(candidates.centred),
    )
    scope.draft.undeclare(name)
    found = scope.draft.free_name(f"{scope.name}/found")
    scope.draft.node("GatherND", [candidates.scores.name, name], found, (lists * count,))
    scope.draft.undeclare(found)
    nothing = scope.constant("nothing", np.full((lists, 1, count), _UNUSED))
    kept = scope.emit("ScatterND", [nothing, name, found], (lists, 1, count))
    return scope.reshaped(kept, (lists, count))


def rows(scope: Scope, image_ids: Float32, parts: Sequence[Tensor], scores: Tensor) -> Tensor:
    """``(1, 1, rows, 7)``: image, label, score and box; -1 where the score says so.

    Args:
        scope: Of the layer.
        image_ids: ``(images, rows, 1)``.
        parts: Label ``(images, rows, 1)`` and box ``(images, rows, 4)``.
        scores: ``(images, rows)``, -1 for unused rows.
    """
    label, box = parts
    images, count = scores.shape
    column = scope.reshaped(scores, (images, count, 1))
    number = scope.constant("image", image_ids)
    joined = scope.emit("Concat", [number, label, column, box], (images, count, 7), axis=2)
    zero = scope.constant("zero", 0.0)
    used = scope.emit("GreaterOrEqual", [column, zero], column.shape, dtype=TensorProto.BOOL)
    blank = scope.constant("unused", _UNUSED)
    masked = scope.emit("Where", [used, joined, blank], joined.shape)
    return scope.reshaped(masked, (1, 1, images * count, 7))


def detection_output(scope: Scope) -> Sequence[Tensor]:
    """DetectionOutput: locations, class scores and priors become labelled boxes."""
    parameters = scope.layer.detection_output_param
    _refuse_unsupported(scope)
    location, confidence, priors = scope.bottoms[:3]
    if priors.value is None or priors.rank != 3 or priors.shape[1] != 2:
        raise scope.fail("its third input must come from PriorBox layers")
    images, count, classes = location.shape[0], priors.shape[2] // 4, int(parameters.num_classes)
    sets = 1 if parameters.share_location else classes
    if location.count != images * count * sets * 4:
        raise scope.fail(f"{location.shape} locations do not fit {count} priors")
    if classes < 1 or confidence.count != images * count * classes:
        raise scope.fail(f"{confidence.shape} scores do not fit {count} priors, {classes} classes")
    if images * count * classes > MOST_CANDIDATES:
        raise scope.fail("so many candidates are absurd")
    boxes = _decoded(scope, location, priors.value, (images, count, sets))
    labels = [c for c in range(classes) if c != parameters.background_label_id]
    return [_chosen(scope, boxes, confidence, labels, (images, count, classes))]


def _refuse_unsupported(scope: Scope) -> None:
    parameters = scope.layer.detection_output_param
    if len(scope.bottoms) != 3:
        raise scope.fail(f"{len(scope.bottoms)} inputs; only locations, scores and priors work")
    nms = parameters.nms_param
    if not 0 < nms.eta <= 1:
        raise scope.fail(f"eta {nms.eta} is not within 0 and 1")
    if nms.eta < 1 and nms.nms_threshold > _ADAPTIVE_ABOVE:
        raise scope.fail("adaptive suppression (eta below 1) is not supported")


def _decoded(
    scope: Scope, location: Tensor, priors: Float32, sizes: tuple[int, int, int]
) -> Tensor:
    """``(images, sets, count, 4)``: corners in 0..1."""
    images, count, sets = sizes
    parameters = scope.layer.detection_output_param
    corners, variances = priors.astype(np.float64).reshape(2, count, 4)
    if parameters.variance_encoded_in_target:
        variances = np.ones_like(variances)
    parts = scope.reshaped(location, (images, count, sets, 4))
    turned = scope.emit("Transpose", [parts], (images, sets, count, 4), perm=[0, 2, 1, 3])
    whole, half = (images, sets, count, 4), (images, sets, count, 2)

    def table(suffix: str, values: object) -> str:
        return scope.constant(suffix, np.asarray(values, np.float32)[None, None])

    size = corners[:, 2:] - corners[:, :2]
    if parameters.code_type != pb.PriorBoxParameter.CENTER_SIZE:
        unit = np.tile(size, 2) if parameters.code_type == pb.PriorBoxParameter.CORNER_SIZE else 1.0
        moved = scope.emit("Mul", [turned, table("reach", variances * unit)], whole)
        return scope.emit("Add", [moved, table("priors", corners)], whole)
    centre = (corners[:, 2:] + corners[:, :2]) / 2
    offset = _last_axis(scope, turned, 0, 2, half)
    stretch = _last_axis(scope, turned, 2, 4, half)
    moved = scope.emit("Mul", [offset, table("reach", variances[:, :2] * size)], half)
    middle = scope.emit("Add", [moved, table("centre", centre)], half)
    exponent = scope.emit("Mul", [stretch, table("spread", variances[:, 2:])], half)
    factor = scope.emit("Exp", [exponent], half)
    radius = scope.emit("Mul", [factor, table("radius", size / 2)], half)
    low = scope.emit("Sub", [middle, radius], half)
    high = scope.emit("Add", [middle, radius], half)
    return scope.emit("Concat", [low, high], whole, axis=3)


def _last_axis(scope: Scope, x: Tensor, start: int, end: int, shape: Sequence[int]) -> Tensor:
    bounds = (scope.ints("starts", [start]), scope.ints("ends", [end]))
    return scope.emit("Slice", [x, *bounds, scope.ints("axes", [x.rank - 1])], shape)


def _chosen(
    scope: Scope,
    boxes: Tensor,
    confidence: Tensor,
    labels: Sequence[int],
    sizes: tuple[int, int, int],
) -> Tensor:
    """Suppression in each class, then the best of all classes of each image."""
    images, count, classes = sizes
    parameters = scope.layer.detection_output_param
    kinds = len(labels)
    if not kinds:
        raise scope.fail("the background is its only class")
    by_prior = scope.reshaped(confidence, (images, count, classes))
    by_class = scope.emit("Transpose", [by_prior], (images, classes, count), perm=[0, 2, 1])
    pick = scope.ints("labels", labels)
    scores = scope.emit("Gather", [by_class, pick], (images, kinds, count), axis=1)
    if parameters.share_location:
        spread = scope.ints("each", [images, kinds, count, 4])
        boxes = scope.emit("Expand", [boxes, spread], (images, kinds, count, 4))
    else:
        boxes = scope.emit("Gather", [boxes, pick], (images, kinds, count, 4), axis=1)
    most = parameters.nms_param.top_k
    limit = min(count, most) if most > 0 else count
    scores, indices = top_k(scope, scores, limit, 2, (images, kinds, limit))
    lists = images * kinds
    boxes = gathered(
        scope,
        scope.reshaped(boxes, (lists, count, 4)),
        scope.reshaped(indices, (lists, limit)),
    )
    candidates = Candidates(
        boxes,
        scope.reshaped(scores, (lists, 1, limit)),
        centred=False,
    )
    lowest = parameters.confidence_threshold if parameters.HasField("confidence_threshold") else 0
    stay = suppressed(scope, candidates, lowest, parameters.nms_param.nms_threshold)
    return _best(scope, stay, boxes, labels, (images, kinds, limit))


def gathered(scope: Scope, source: Tensor, indices: Tensor, *, dtype: int = FLOAT) -> Tensor:
    """What ``(..., n, *rest)`` holds at the indices ``(..., k)``: ``(..., k, *rest)``."""
    column = scope.emit(
        "Unsqueeze",
        [indices, scope.ints("axes", [indices.rank])],
        (*indices.shape, 1),
        dtype=TensorProto.INT64,
    )
    shape = (*indices.shape, *source.shape[indices.rank :])
    return scope.emit("GatherND", [source, column], shape, dtype=dtype, batch_dims=indices.rank - 1)


def _best(
    scope: Scope,
    stay: Tensor,
    boxes: Tensor,
    labels: Sequence[int],
    sizes: tuple[int, int, int],
) -> Tensor:
    """The ``keep_top_k`` best of each image, ordered by label."""
    images, kinds, limit = sizes
    keep = scope.layer.detection_output_param.keep_top_k
    total = kinds * limit
    count = min(total, keep) if keep > 0 else total
    flat = scope.reshaped(stay, (images, total))
    scores, places = top_k(scope, flat, count, 1, (images, count))
    every = np.repeat(np.asarray(labels, np.float32), limit)
    label = scope.emit("Gather", [scope.constant("label", every), places], (images, count), axis=0)
    zero = scope.constant("none", 0.0)
    used = scope.emit("GreaterOrEqual", [scores, zero], scores.shape, dtype=TensorProto.BOOL)
    last = scope.constant("last", _LAST)
    sortable = scope.emit("Where", [used, label, last], label.shape)
    label, order = top_k(scope, sortable, count, 1, (images, count), largest=0)
    scores = gathered(scope, scores, order)
    places = gathered(scope, places, order, dtype=TensorProto.INT64)
    box = gathered(scope, scope.reshaped(boxes, (images, total, 4)), places)
    ids = np.broadcast_to(np.arange(images, dtype=np.float32)[:, None, None], (images, count, 1))
    return rows(scope, ids, (scope.reshaped(label, (images, count, 1)), box), scores)


CONVERTERS: dict[str, Converter] = {"DetectionOutput": detection_output}
