"""How accurate outputs are: against the network in its own precision, and against true labels.

*Noise* is the power of the difference from the reference's outputs over the reference's own power;
its reciprocal in decibels is the SQNR (signal to quantisation noise ratio). Of a classifier the
*logits* count, less each image's mean: a softmax sees only their differences. Where the network
ends in a softmax they are the logarithms of its outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log10

import numpy as np
import numpy.typing as npt

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import UserInputError
from counterpoint.measure.confidence import CONFIDENCE, Drop, drop
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.schedule.frame_check import FrameCheck

Scores = npt.NDArray[np.float64]

LEAST_PROBABILITY = 1e-37
"""Smaller ones count as this: float32 has no normal number much below it."""

MASS_TOLERANCE = 0.02
"""What probabilities may miss the sum of 1 by, in coarse precisions."""

FIT_IMAGES = 10
"""From so many images on, labels of which the reference gets none right are not the network's."""


@dataclass(frozen=True, slots=True)
class LabelledFrames:
    """Images to judge by, one a frame.

    Attributes:
        frames: Inputs by name.
        classes: Index of each image's true class; ``None`` where nobody knows them.
        names: What to call each image; ``()``: by its number.

    Raises:
        UserInputError: There is no image, or another number of classes or names.
    """

    frames: tuple[Mapping[str, Tensor], ...]
    classes: tuple[int, ...] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.frames:
            raise UserInputError("there is no image to judge accuracy by: give at least two")
        if self.classes is not None and len(self.classes) != len(self.frames):
            raise UserInputError(
                f"{len(self.classes)} labels for {len(self.frames)} images: give one for each"
            )
        if not self.names:
            numbered = tuple(f"image {number + 1}" for number in range(len(self.frames)))
            object.__setattr__(self, "names", numbered)
        if len(self.names) != len(self.frames):
            raise UserInputError(f"{len(self.names)} names for {len(self.frames)} images")

    @classmethod
    def of(
        cls,
        network: Network,
        frames: Iterable[Mapping[str, Tensor] | Tensor],
        classes: Sequence[int] | None = None,
        names: Sequence[str] = (),
    ) -> LabelledFrames:
        """Checked frames; one that is an array is the only input's.

        Raises:
            FrameError: A frame does not fit the network.
            UserInputError: There is none, or there is another number of classes.
        """
        check = FrameCheck(network)
        inputs = [spec.name for spec in network.inputs]
        found = []
        for frame in frames:
            arrays = check.inputs(frame) if isinstance(frame, Mapping) else check.only_input(frame)
            found.append(dict(zip(inputs, arrays, strict=True)))
        return cls(tuple(found), None if classes is None else tuple(classes), tuple(names))

    def only(self, indices: Sequence[int]) -> LabelledFrames:
        """Those images."""
        classes = self.classes
        return LabelledFrames(
            tuple(self.frames[index] for index in indices),
            None if classes is None else tuple(classes[index] for index in indices),
            tuple(self.names[index] for index in indices),
        )


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What outputs on some images are worth.

    Attributes:
        noise: Power of the difference over the reference's own; 0 where nothing differs.
        drop: Of top-1, by the labels; without labels an image is lost when the best class is
            another than the reference's. ``None``: the network has no scores of classes.
        labelled: By true labels.
        right: Images whose best class is the true one; ``None`` without labels.
        reference_right: The same of the reference.
    """

    noise: float
    drop: Drop | None
    labelled: bool = False
    right: int | None = None
    reference_right: int | None = None

    @property
    def sqnr_db(self) -> float | None:
        """Of the outputs; ``None``: there is no noise at all."""
        return sqnr_db(self.noise)

    def best_of(self, plans: int) -> Accuracy:
        """The same where so many plans were judged by the same images and one was taken: the
        interval is that much surer, so that it holds for all of them at once (Bonferroni).
        """
        found = self.drop
        if found is None:
            return self
        surer = 1 - (1 - CONFIDENCE) / max(1, plans)
        return replace(self, drop=drop(found.lost, found.won, found.images, confidence=surer))


def sqnr_db(noise: float) -> float | None:
    """Signal to noise in decibels; ``None`` for no noise."""
    return -10 * log10(noise) if noise > 0 else None


class Judge:
    """Knows what the network makes of some images in its own precision.

    Args:
        network: Of one image a frame.
        images: What it sees.
        expected: Its outputs on each of them.

    Raises:
        UserInputError: Labels that are not this network's, or labels for a network that has no
            scores of classes.
    """

    def __init__(
        self, network: Network, images: LabelledFrames, expected: Sequence[Sequence[Tensor]]
    ) -> None:
        self.images = images
        self._network = network
        self._place = scores_output(network)
        self._probable = self._place is not None and _are_probabilities(
            [outputs[self._place] for outputs in expected]
        )
        self._expected = [self._values(outputs) for outputs in expected]
        if images.classes is not None:
            self._check_classes(images.classes)

    @property
    def count(self) -> int:
        """Images."""
        return len(self._expected)

    @property
    def has_scores(self) -> bool:
        """The network has scores of classes."""
        return self._place is not None

    def accuracy(self, outputs: Sequence[Sequence[Tensor]]) -> Accuracy:
        """What these outputs are worth, one list for each image.

        Outputs that are not finite, or have another shape, are nothing but noise.
        """
        made = [self._values(each) for each in outputs]
        noises = [
            _noise([each[place] for each in made], [each[place] for each in self._expected])
            for place in range(len(self._network.outputs))
        ]
        noise = sum(noises) / len(noises)
        if self._place is None:
            return Accuracy(noise, None)
        best = np.array([_best(each[self._place]) for each in made])
        classes = self.images.classes
        truth = self.top1 if classes is None else np.array(classes)
        before, after = self.top1 == truth, best == truth
        lost, won = int((before & ~after).sum()), int((after & ~before).sum())
        return Accuracy(
            noise,
            drop(lost, won, self.count),
            classes is not None,
            None if classes is None else int(after.sum()),
            None if classes is None else int(before.sum()),
        )

    @cached_property
    def top1(self) -> npt.NDArray[np.intp]:
        """``(images,)``: the reference's best class of each."""
        place = self._place
        if place is None:
            raise UserInputError(no_scores(self._network))
        return np.array([_best(each[place]) for each in self._expected])

    def margins(self) -> tuple[Scores, float]:
        """``(images,)``: distance of the reference's best logit from its second; and the power of
        a logit, over all images and classes. An image that the reference gets wrong has an endless
        margin: it cannot be lost.
        """
        place = self._place
        if place is None:
            raise UserInputError(no_scores(self._network))
        logits = np.stack([each[place] for each in self._expected])
        ordered = np.sort(logits, axis=1)
        margins = ordered[:, -1] - ordered[:, -2]
        if self.images.classes is not None:
            margins[self.top1 != np.array(self.images.classes)] = np.inf
        return margins, float(np.mean(logits**2))

    def _values(self, outputs: Sequence[Tensor]) -> list[Scores]:
        """Each output as a vector; scores as centred logits."""
        values = []
        for place, output in enumerate(outputs):
            vector = np.asarray(output).astype(np.float64).reshape(-1)
            if place == self._place:
                with np.errstate(invalid="ignore"):  # what is not finite stays so
                    if self._probable:
                        vector = np.log(np.maximum(vector, LEAST_PROBABILITY))
                    vector = vector - vector.mean()
            values.append(vector)
        return values

    def _check_classes(self, classes: Sequence[int]) -> None:
        if self._place is None:
            raise UserInputError(no_scores(self._network))
        count = len(self._expected[0][self._place])
        wrong = next((index for index in classes if not 0 <= index < count), None)
        if wrong is not None:
            raise UserInputError(
                f"label {wrong} does not fit {self._network.name}, whose classes are 0 to "
                f"{count - 1}: the labels are of another network"
            )
        if self.count >= FIT_IMAGES and not (self.top1 == np.array(classes)).any():
            raise UserInputError(
                f"by these labels {self._network.name} gets none of {self.count} images right: "
                "they are in another order, or the preprocessing is another (see --preprocess)"
            )


def scores_output(network: Network) -> int | None:
    """Position of the first output that is a list of scores of one image, like ``(1, 1000)``."""
    return next((i for i, spec in enumerate(network.outputs) if _is_scores(spec)), None)


def no_scores(network: Network) -> str:
    """Why top-1 says nothing of a network."""
    return (
        f"{network.name} returns no list of scores of one image, so it has no top-1: give a budget "
        "as --min-sqnr-db, without labels, and load it with one image a frame"
    )


def _is_scores(spec: TensorSpec) -> bool:
    shape = spec.shape
    return shape is not None and "float" in spec.dtype and sum(size > 1 for size in shape) == 1


def _are_probabilities(rows: Sequence[Tensor]) -> bool:
    return all(
        float(row.min()) >= 0 and abs(float(row.astype(np.float64).sum()) - 1) <= MASS_TOLERANCE
        for row in rows
    )


def _best(row: Scores) -> int:
    return int(np.argmax(row)) if np.isfinite(row).all() else -1


def _noise(made: Sequence[Scores], expected: Sequence[Scores]) -> float:
    """Noise over signal, of one output over all images."""
    difference = signal = 0.0
    for row, truth in zip(made, expected, strict=True):
        power = float(np.sum(truth**2))
        signal += power
        if row.shape != truth.shape or not np.isfinite(row).all():
            if not np.array_equal(row, truth, equal_nan=True):
                difference += 2 * power  # as far off as outputs that have nothing in common
            continue
        difference += float(np.sum((row - truth) ** 2))
    return difference / signal if signal else float(difference > 0)
