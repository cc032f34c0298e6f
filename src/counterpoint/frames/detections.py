"""From a face detector's outputs to boxes on the photograph (UltraFace's two forms).

Source of priors, variances and thresholds: Ultra-Light-Fast-Generic-Face-Detector-1MB,
``vision/ssd/config/fd_config.py`` and ``vision/utils/box_utils.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from counterpoint.errors import FrameError
from counterpoint.frames.placement import Placement, Size
from counterpoint.frames.tensors import Tensor

BoxForm = Literal["corners", "offsets"]
"""``corners``: left, top, right, bottom in 0..1. ``offsets``: relative to the priors."""

Boxes = npt.NDArray[np.float64]

_PRIOR_SIDES_PX = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}  # by stride
_CENTRE_VARIANCE = 0.1
_SIZE_VARIANCE = 0.2
_FAR_OUTSIDE = 1e6  # in widths of the input: such a box, or NaN, is no box
_MAX_CANDIDATES = 5000  # bounds the time that a hostile output can cost


@dataclass(frozen=True, slots=True)
class Detection:
    """One object; edges in pixels of the photograph, and they may lie outside of it."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


def find_faces(
    outputs: Sequence[Tensor],
    placement: Placement,
    *,
    boxes: BoxForm = "corners",
    min_score: float = 0.7,
    max_overlap: float = 0.3,
) -> tuple[Detection, ...]:
    """Faces in one image, best first.

    Args:
        outputs: Scores ``(1, N, 2)`` (background, face) and boxes ``(1, N, 4)``, in any order.
        placement: Where the network's input lay on the photograph.
        boxes: What the four numbers of a box mean.
        min_score: A face has a higher score than this.
        max_overlap: Of two boxes with a larger intersection over union, the better one stays.

    Raises:
        FrameError: The outputs have other shapes.
    """
    scores, found = _scores_and_boxes(outputs)
    if boxes == "offsets":
        found = decode_offsets(found, placement.window)
    candidates = np.flatnonzero((scores > min_score) & (np.abs(found) < _FAR_OUTSIDE).all(axis=1))
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")][:_MAX_CANDIDATES]
    kept = candidates[nms(found[candidates], scores[candidates], max_overlap)]
    return tuple(
        Detection(
            *placement.to_image(*found[index, :2]),
            *placement.to_image(*found[index, 2:]),
            score=float(scores[index]),
        )
        for index in kept
    )


def nms(boxes: Boxes, scores: npt.NDArray[np.float64], max_overlap: float) -> npt.NDArray[np.intp]:
    """Hard non-maximum suppression.

    Args:
        boxes: ``(N, 4)``: left, top, right, bottom, in any one unit.
        scores: ``(N,)``.
        max_overlap: A box goes when its intersection over union with a better one that stays is
            larger.

    Returns:
        Indices of those that stay, best first; equal scores in the order given.
    """
    corner, far = boxes[:, :2], boxes[:, 2:]
    area = np.clip(far - corner, 0, None).prod(axis=1)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        sides = np.minimum(far[best], far[waiting]) - np.maximum(corner[best], corner[waiting])
        shared = np.clip(sides, 0, None).prod(axis=1)
        # multiplied out: no division by the union of two empty boxes
        waiting = waiting[shared <= max_overlap * (area[best] + area[waiting] - shared)]
    return np.array(kept, dtype=np.intp)


def decode_offsets(offsets: Boxes, window: Size) -> Boxes:
    """Boxes relative to UltraFace's priors, as corners.

    centre = prior centre + 0.1 * offset * prior size; size = prior size * exp(0.2 * offset)

    Args:
        offsets: ``(N, 4)``: x, y, width, height.
        window: Size of the network's input in pixels.

    Returns:
        ``(N, 4)``: left, top, right, bottom in 0..1 of the input.

    Raises:
        FrameError: N is not the number of priors of that input.
    """
    priors = _priors(window)
    if len(priors) != len(offsets):
        raise FrameError(
            f"{len(offsets)} boxes, but an UltraFace input of {window[1]}x{window[0]} pixels "
            f"has {len(priors)} priors"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        centre = priors[:, :2] + _CENTRE_VARIANCE * offsets[:, :2] * priors[:, 2:]
        half = priors[:, 2:] * np.exp(_SIZE_VARIANCE * offsets[:, 2:]) / 2
        return np.hstack((centre - half, centre + half))


def _priors(window: Size) -> Boxes:
    """``(N, 4)``: centre x and y, width and height in 0..1, by stride, row, column, side."""
    height, width = window
    levels: list[Boxes] = []
    for stride, sides in _PRIOR_SIDES_PX.items():
        rows, columns = -(-height // stride), -(-width // stride)
        row, column, side = np.meshgrid(
            np.arange(rows), np.arange(columns), np.array(sides), indexing="ij"
        )
        level = np.stack(
            ((column + 0.5) / columns, (row + 0.5) / rows, side / width, side / height), axis=-1
        )
        levels.append(level.reshape(-1, 4))
    priors: Boxes = np.concatenate(levels)
    return priors.clip(0.0, 1.0)


def _scores_and_boxes(outputs: Sequence[Tensor]) -> tuple[npt.NDArray[np.float64], Boxes]:
    by_width = {output.shape[-1]: output for output in outputs if output.ndim == 3}
    scores, boxes = by_width.get(2), by_width.get(4)
    if scores is None or boxes is None or len(outputs) != 2:
        shapes = ", ".join(str(list(output.shape)) for output in outputs)
        raise FrameError(f"outputs {shapes} are no face detector's: [1, N, 2] and [1, N, 4]")
    if scores.shape[0] != 1 or scores.shape[:2] != boxes.shape[:2]:
        raise FrameError(f"{list(scores.shape)} scores do not fit {list(boxes.shape)} boxes")
    with np.errstate(invalid="ignore"):  # NaN of some bit patterns
        return scores[0, :, 1].astype(np.float64), boxes[0].astype(np.float64)
