"""PriorBox and DetectionOutput against Caffe's own rules, written out in loops.

The rules are those of weiliu89/caffe, branch ssd: ``prior_box_layer.cpp``, ``DecodeBBox`` and
``ApplyNMSFast`` in ``bbox_util.cpp``, and ``detection_output_layer.cpp``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.errors import ModelFileError
from tests.network.caffe.runs import Converted
from tests.network.every_layer import layer, prototxt

GRID, IMAGE = (3, 2), (30, 40)

Box = tuple[float, float, float, float]


def prior_boxes(variance: Box) -> list[tuple[Box, Box]]:
    """Those of :data:`PRIORS`: two sizes and their means, and two ratios of each."""
    made = []
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            x, y = (column + 0.5) * IMAGE[1] / GRID[1], (row + 0.5) * IMAGE[0] / GRID[0]
            for smallest, largest in ((10, 15), (20, 22)):
                sizes = [(float(smallest), float(smallest)), (math.sqrt(smallest * largest),) * 2]
                for ratio in (2, 1 / 2):
                    sizes.append((smallest * math.sqrt(ratio), smallest / math.sqrt(ratio)))
                for w, h in sizes:
                    box = ((x - w / 2) / IMAGE[1], (y - h / 2) / IMAGE[0])
                    end = ((x + w / 2) / IMAGE[1], (y + h / 2) / IMAGE[0])
                    made.append(((*box, *end), variance))
    return made


PRIORS = "min_size: 10.9 min_size: 20 max_size: 15 max_size: 22.5 aspect_ratio: 2"
"""Sizes are cut to whole pixels."""

VARIANCE = (0.1, 0.15, 0.2, 0.25)


@dataclass(frozen=True, slots=True)
class Options:
    """Of DetectionOutput, by Caffe's names."""

    code_type: str = "CENTER_SIZE"
    share_location: bool = True
    variance_encoded_in_target: bool = False
    background_label_id: int = 0
    keep_top_k: int = -1
    confidence_threshold: float = 0.3
    nms_threshold: float = 0.4
    top_k: int = 9
    eta: float = 1.0
    classes: int = 3
    images: int = 1

    def text(self) -> str:
        """As the file has them."""
        return (
            f"detection_output_param {{ num_classes: {self.classes} code_type: {self.code_type} "
            f"share_location: {str(self.share_location).lower()} "
            f"variance_encoded_in_target: {str(self.variance_encoded_in_target).lower()} "
            f"background_label_id: {self.background_label_id} keep_top_k: {self.keep_top_k} "
            f"confidence_threshold: {self.confidence_threshold} "
            f"nms_param {{ nms_threshold: {self.nms_threshold} top_k: {self.top_k} "
            f"eta: {self.eta} }} }}"
        )


def network(folder: Path, options: Options) -> Converted:
    """PriorBox of a and b, DetectionOutput of locations c and scores d."""
    count = len(prior_boxes(VARIANCE))
    sets = 1 if options.share_location else options.classes
    variance = " ".join(f"variance: {value}" for value in VARIANCE)
    path = folder / "net.prototxt"
    path.write_text(
        prototxt(
            layer("PriorBox", f"prior_box_param {{ {PRIORS} {variance} }}", "a b", "priors")
            + layer("DetectionOutput", options.text(), "c d priors"),
            (1, 1, *GRID),
            (1, 3, *IMAGE),
            (options.images, count * sets * 4),
            (options.images, count * options.classes),
        ),
        encoding="utf-8",
    )
    return Converted(path, seed=0).checked()


def decoded(options: Options, prior: Box, variance: Box, code: Any) -> Box:
    """``DecodeBBox``."""
    if options.variance_encoded_in_target:
        variance = (1.0, 1.0, 1.0, 1.0)
    left, top, right, bottom = prior
    width, height = right - left, bottom - top
    if options.code_type == "CENTER_SIZE":
        x = variance[0] * code[0] * width + (left + right) / 2
        y = variance[1] * code[1] * height + (top + bottom) / 2
        w = math.exp(variance[2] * code[2]) * width
        h = math.exp(variance[3] * code[3]) * height
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2
    if options.code_type == "CORNER":
        width = height = 1.0
    return (
        left + variance[0] * code[0] * width,
        top + variance[1] * code[1] * height,
        right + variance[2] * code[2] * width,
        bottom + variance[3] * code[3] * height,
    )


def overlap(one: Box, other: Box) -> float:
    """``JaccardOverlap``."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def chosen(options: Options, boxes: list[Box], scores: list[float]) -> list[int]:
    """``ApplyNMSFast``: indices of the boxes that stay, best first."""
    order = [i for i, score in enumerate(scores) if score > options.confidence_threshold]
    order.sort(key=lambda index: -scores[index])
    kept: list[int] = []
    threshold = options.nms_threshold
    for index in order[: options.top_k]:
        if all(overlap(boxes[index], boxes[other]) <= threshold for other in kept):
            kept.append(index)
            if options.eta < 1 and threshold > 0.5:
                threshold *= options.eta
    return kept


def expected(options: Options, locations: Any, scores: Any) -> list[list[float]]:
    """Rows of all images."""
    priors = prior_boxes(VARIANCE)
    sets = 1 if options.share_location else options.classes
    codes = locations.reshape(options.images, len(priors), sets, 4).astype(float)
    chances = scores.reshape(options.images, len(priors), options.classes).astype(float)
    rows = []
    for image in range(options.images):
        found = []
        for label in range(options.classes):
            if label == options.background_label_id:
                continue
            boxes = [
                decoded(options, *prior, codes[image, index, 0 if sets == 1 else label])
                for index, prior in enumerate(priors)
            ]
            own = list(chances[image, :, label])
            found += [(label, own[index], boxes[index]) for index in chosen(options, boxes, own)]
        if 0 <= options.keep_top_k < len(found):
            found = sorted(found, key=lambda entry: -entry[1])[: options.keep_top_k]
        found.sort(key=lambda entry: (entry[0], -entry[1]))
        rows += [[image, label, score, *box] for label, score, box in found]
    return rows


CASES = {
    "centre and size": Options(),
    "corners": Options(code_type="CORNER"),
    "corners in sizes": Options(code_type="CORNER_SIZE"),
    "a place for each class": Options(share_location=False),
    "corners for each class": Options(share_location=False, code_type="CORNER_SIZE", images=2),
    "three images": Options(images=3),
    "three images, few boxes": Options(images=3, keep_top_k=4),
    "variance in the target": Options(variance_encoded_in_target=True),
    "variance in corners": Options(variance_encoded_in_target=True, code_type="CORNER"),
    "variance in sizes": Options(variance_encoded_in_target=True, code_type="CORNER_SIZE"),
    "background last": Options(background_label_id=2),
    "no background": Options(background_label_id=-1, keep_top_k=7),
    "all candidates": Options(top_k=1000, nms_threshold=0.7),
    "eta without effect": Options(eta=0.9, nms_threshold=0.5),
}


@pytest.mark.parametrize("name", CASES)
def test_detections_follow_caffes_rule(tmp_path: Path, name: str) -> None:
    options = CASES[name]
    converted = network(tmp_path, options)
    kept = dropped = 0
    for seed in range(5):
        random = np.random.default_rng(seed)
        inputs = converted.inputs(seed)
        # within a third of a box, so that none is turned inside out
        spread = 0.1 if options.variance_encoded_in_target else 0.5
        inputs["c"] = (inputs["c"] * spread).clip(-1, 1)
        inputs["d"] = random.random(inputs["d"].shape, np.float32)
        (result,) = converted.run(inputs).values()
        wanted = expected(options, inputs["c"], inputs["d"])
        table = result.reshape(-1, 7)
        used = table[table[:, 2] >= 0]
        assert np.array_equal(table[table[:, 2] < 0], np.full((len(table) - len(used), 7), -1))
        assert used.shape == (len(wanted), 7)
        assert np.allclose(used, wanted, atol=1e-5)
        kept += len(used)
        dropped += len(table) - len(used)
    assert kept
    assert dropped or options.keep_top_k > 0


def test_priors_follow_caffes_rule(tmp_path: Path) -> None:
    """As DetectionOutput returns them where nothing moves or suppresses them."""
    options = Options(
        classes=2, confidence_threshold=0, nms_threshold=1, top_k=-1, background_label_id=0
    )
    converted = network(tmp_path, options)
    priors = prior_boxes(VARIANCE)
    falling = np.linspace(1, 0.1, len(priors), dtype=np.float32)
    scores = np.stack((np.zeros_like(falling), falling), axis=1).reshape(1, -1)
    inputs = {"c": np.zeros((1, len(priors) * 4), np.float32), "d": scores}
    (result,) = converted.run(inputs).values()
    assert np.allclose(result[0, 0, :, 3:], [box for box, _ in priors], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(eta=0.9, nms_threshold=0.6), "adaptive suppression"),
        (Options(eta=1.5), "not within 0 and 1"),
        (Options(eta=0), "not within 0 and 1"),
        (Options(classes=1), "background is its only class"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, options: Options, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        network(tmp_path, options)
