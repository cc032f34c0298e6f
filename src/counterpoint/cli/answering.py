"""From a frame's outputs to what is told about each image, and to files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from counterpoint.cli.frame_source import NamedFrame
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import FrameError
from counterpoint.frames.detections import BoxForm, find_faces
from counterpoint.frames.labels import probabilities, read_labels, top_k
from counterpoint.frames.recipe import FrameRecipe, Task
from counterpoint.frames.tensors import write_tensor
from counterpoint.network.graph import Network
from counterpoint.report.answers import Answer, ClassScore, TensorSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How outputs are read.

    Attributes:
        output_names: Of the network, in its order.
        batch: Images in a frame.
        task: What the outputs are.
        labels: Class names; empty where none are known.
        top: How many classes to tell.
        boxes: Form of a detector's boxes.
    """

    output_names: tuple[str, ...]
    batch: int
    task: Task
    labels: tuple[str, ...] = ()
    top: int = 5
    boxes: BoxForm = "corners"

    def answers(self, frame: NamedFrame, outputs: Sequence[Tensor]) -> list[Answer]:
        """One for each image of the frame; their times are not known here.

        Raises:
            FrameError: The outputs are not what the task says, or the labels are of other classes.
        """
        return [
            self._answer(name, index, frame, self._of_image(outputs, index))
            for index, name in enumerate(frame.names)
        ]

    def _of_image(self, outputs: Sequence[Tensor], index: int) -> list[Tensor]:
        if self.batch == 1:
            return list(outputs)
        return [
            output[index : index + 1] if output.ndim and output.shape[0] == self.batch else output
            for output in outputs
        ]

    def _answer(
        self, name: str, index: int, frame: NamedFrame, outputs: Sequence[Tensor]
    ) -> Answer:
        summaries = tuple(
            summary(output_name, output)
            for output_name, output in zip(self.output_names, outputs, strict=True)
        )
        if self.task == "classify":
            return Answer(name=name, classes=self._classes(outputs), outputs=summaries)
        if self.task == "detect":
            if not frame.placements:
                raise FrameError("boxes need photographs: give --images, or --task raw")
            found = find_faces(outputs, frame.placements[index], boxes=self.boxes)
            return Answer(name=name, detections=found, outputs=summaries)
        return Answer(name=name, outputs=summaries)

    def _classes(self, outputs: Sequence[Tensor]) -> tuple[ClassScore, ...]:
        scores = next((output for output in outputs if is_scores(output.shape)), outputs[0])
        likely = probabilities(scores)
        if self.labels and len(self.labels) != len(likely):
            raise FrameError(
                f"{len(self.labels)} labels for {len(likely)} classes: the labels are of another "
                "network"
            )
        return tuple(
            ClassScore(index, self.labels[index] if self.labels else None, float(likely[index]))
            for index, _ in top_k(scores, self.top)
        )


def answering_for(
    network: Network,
    recipe: FrameRecipe | None,
    *,
    batch: int,
    task: Task | None,
    labels: Path | None,
    top: int,
) -> Answering:
    """How this network's outputs are read: by the options, else by the recipe, else by their form.

    Raises:
        FrameError: The labels cannot be read.
    """
    file = labels if labels is not None else (recipe.labels if recipe else None)
    names = read_labels(file) if file is not None else ()
    chosen: Task = task or ("raw" if recipe is None else recipe.task)
    if task is None and chosen == "raw":
        one_image = [_of_one_image(spec.shape, batch) for spec in network.outputs]
        if names or (recipe is not None and all(is_scores(shape) for shape in one_image)):
            chosen = "classify"
    return Answering(
        output_names=tuple(spec.name for spec in network.outputs),
        batch=batch,
        task=chosen,
        labels=names,
        top=top,
        boxes=recipe.boxes if recipe else "corners",
    )


def is_scores(shape: Sequence[int] | None) -> bool:
    """A list of numbers: one dimension larger than 1, like ``(1, 1000)`` or ``(1, 1000, 1, 1)``."""
    return shape is not None and sum(size > 1 for size in shape) == 1


def _of_one_image(shape: Sequence[int] | None, batch: int) -> Sequence[int] | None:
    return (1, *shape[1:]) if shape and shape[0] == batch else shape


def summary(name: str, tensor: Tensor) -> TensorSummary:
    """An output in a line."""
    if tensor.size == 0 or tensor.dtype.kind in "OSU":
        return TensorSummary(name, str(tensor.dtype), tensor.shape, None, None, None)
    with np.errstate(all="ignore"):
        values = tensor.astype(np.float64)
        low, mean, high = values.min(), values.mean(), values.max()
    if not np.isfinite([low, mean, high]).all():
        return TensorSummary(name, str(tensor.dtype), tensor.shape, None, None, None)
    return TensorSummary(
        name, str(tensor.dtype), tensor.shape, float(low), float(mean), float(high)
    )


@dataclass(slots=True)
class OutputFolder:
    """Writes outputs as ``<image>.<output>.npy``.

    Attributes:
        path: The folder; made where it is missing.
        written: Files so far, in order.
    """

    path: Path
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FrameError(f"cannot make the folder {self.path}: {error.strerror}") from error

    def write(self, frame: NamedFrame, answering: Answering, outputs: Sequence[Tensor]) -> None:
        """Writes what came out for each image of the frame.

        Raises:
            MachineError: It cannot be written here.
        """
        for index, name in enumerate(frame.names):
            own = answering._of_image(outputs, index)
            for output_name, output in zip(answering.output_names, own, strict=True):
                target = self._free(f"{_plain(Path(name).name)}.{_plain(output_name)}")
                write_tensor(target, output)
                self.written.append(str(target))

    def _free(self, stem: str) -> Path:
        """A name that this run has not used; older files are replaced."""
        copy, name = 1, f"{stem}.npy"
        while str(self.path / name) in self.written:
            copy += 1
            name = f"{stem}-{copy}.npy"
        return self.path / name


def _plain(name: str) -> str:
    """A stranger's name as part of a file's: it must not lead to another folder."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:80] or "_"
