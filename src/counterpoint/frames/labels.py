"""What a classifier's outputs mean: class names, probabilities and the best k."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from counterpoint.errors import FrameError
from counterpoint.frames.files import printable, read_whole
from counterpoint.frames.tensors import Tensor

_MAX_FILE_BYTES = 4 * 2**20
_SYNSET = re.compile(r"n\d{8}\s+")
_MASS_TOLERANCE = 0.02  # what a softmax in fp16 or int8 may miss the sum of 1 by


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line, in the order of the classes.

    Where every line starts with a WordNet id (``n01440764 tench, Tinca tinca``), the ids are taken
    off. Empty lines at the end do not count; one in between is a class without a name.

    Raises:
        FrameError: The file is missing, too large, empty or no text.
    """
    data = read_whole(path, max_bytes=_MAX_FILE_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FrameError(f"{printable(path)}: labels must be UTF-8 text") from error
    # Not splitlines(): it also breaks at characters inside a name, and would shift the classes.
    names = [printable(line.strip()) for line in text.rstrip().split("\n")]
    if names == [""]:
        raise FrameError(f"{printable(path)}: holds no label")
    if all(_SYNSET.match(name) for name in names):
        names = [_SYNSET.sub("", name, count=1) for name in names]
    return tuple(names)


def top_k(scores: Tensor, k: int = 5) -> tuple[tuple[int, float], ...]:
    """The k best classes of one image with their scores, best first.

    Args:
        scores: ``(1, N)``, ``(1, N, 1, 1)`` or any shape with one dimension larger than 1.
        k: How many; fewer come where there are fewer classes.

    Returns:
        Pairs of class index and score. Equal scores come in the order of the classes; NaN last.

    Raises:
        FrameError: The tensor holds the scores of several images, or none.
    """
    values = _vector(scores)
    order = np.argsort(-values, kind="stable")[: max(k, 0)]
    return tuple((int(index), float(values[index])) for index in order)


def probabilities(scores: Tensor) -> npt.NDArray[np.float64]:
    """The scores of one image as probabilities: as they are if they are such, else their softmax.

    Returns:
        ``(N,)``.

    Raises:
        FrameError: As :func:`top_k`.
    """
    values = _vector(scores)
    if values.min() >= 0 and abs(values.sum() - 1) <= _MASS_TOLERANCE:
        return values
    with np.errstate(invalid="ignore"):
        exponentials: npt.NDArray[np.float64] = np.exp(values - values.max())
        exponentials /= exponentials.sum()
    return exponentials


def _vector(scores: Tensor) -> npt.NDArray[np.float64]:
    if scores.size == 0 or scores.size != max(scores.shape, default=1):
        raise FrameError(
            f"an output of shape {list(scores.shape)} is no list of scores of one image"
        )
    with np.errstate(invalid="ignore"):  # NaN of some bit patterns
        return scores.reshape(-1).astype(np.float64)
