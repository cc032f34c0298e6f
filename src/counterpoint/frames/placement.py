"""Where the network's input lies on the photograph: resize, then cut or pad to size.

All modes reduce to one picture: the image is resized as a whole, and the network sees a window of
the result. A window that sticks out is padded. The same picture, read backwards, turns a box in the
network's output into pixels of the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from counterpoint.errors import FrameError
from counterpoint.frames.images import MAX_PIXELS, Image

Resize = Literal["stretch", "short_side", "letterbox", "none"]

Size = tuple[int, int]
"""Height, width in pixels."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A window on a resized image.

    Attributes:
        image: Size of the photograph.
        resized: Size after the resize, before the cut.
        window: Size of what the network sees.
        top: First row of the window in the resized image; negative where it is padded.
        left: First column, likewise.
    """

    image: Size
    resized: Size
    window: Size
    top: int
    left: int

    def cut(self, image: Image, pad: int) -> Image:
        """Resizes (bilinear, no anti-aliasing: ``cv2.INTER_LINEAR``), cuts and pads.

        Args:
            image: ``(height, width, 3)`` of size :attr:`image`.
            pad: Value 0 to 255 of every channel outside the image.

        Returns:
            ``(*window, 3)``; may be a view of ``image``.
        """
        height, width = self.resized
        if self.resized != self.image:
            resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            image = np.asarray(resized, dtype=np.uint8)
        bottom, right = self.top + self.window[0], self.left + self.window[1]
        piece = image[max(self.top, 0) : bottom, max(self.left, 0) : right]
        if piece.shape[:2] == self.window:
            return piece
        padded = np.full((*self.window, 3), pad, dtype=np.uint8)
        row, column = max(-self.top, 0), max(-self.left, 0)
        padded[row : row + piece.shape[0], column : column + piece.shape[1]] = piece
        return padded

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """A point of the network's input as a point of the photograph.

        Args:
            x: 0 (left edge of the input) to 1 (right edge).
            y: 0 (top edge) to 1 (bottom edge).

        Returns:
            Column and row in pixels from the photograph's top left corner; in padding, outside.
        """
        return (
            (self.left + x * self.window[1]) * self.image[1] / self.resized[1],
            (self.top + y * self.window[0]) * self.image[0] / self.resized[0],
        )


def place(image: Size, window: Size, resize: Resize, resize_to: int | Size | None) -> Placement:
    """The centred placement for one image.

    Args:
        image: Size of the photograph.
        window: Size that the network wants.
        resize: ``stretch`` to exactly ``resize_to``; ``short_side`` keeps the aspect and makes the
            shorter side ``resize_to`` (or just covers the window); ``letterbox`` keeps the aspect
            and fits into ``resize_to``; ``none`` takes only images of the window's size.
        resize_to: Pixels, or height and width; ``None`` for the window's own size.

    Raises:
        FrameError: The resized image is smaller than the window or absurdly large.
    """
    box = window if resize_to is None else _pair(resize_to)
    if resize == "none":
        resized = box = image
        if image != window:
            raise FrameError(
                f"image of {_text(image)} pixels where the network wants {_text(window)}; "
                'choose a resize other than "none"'
            )
    elif resize == "stretch":
        resized = box
    elif resize == "letterbox":
        resized = _scaled(image, box, cover=False)
    else:
        resized = box = _scaled(image, box, cover=True)
    if box[0] < window[0] or box[1] < window[1]:
        raise FrameError(
            f"resize_to gives {_text(box)} pixels, less than the network's {_text(window)}; "
            "make it larger"
        )
    if max(resized[0] * resized[1], window[0] * window[1]) > MAX_PIXELS:
        raise FrameError(
            f"image of {_text(image)} pixels would become {_text(resized)}, more than the limit "
            f"of {MAX_PIXELS}"
        )
    top = (box[0] - window[0]) // 2 - (box[0] - resized[0]) // 2
    left = (box[1] - window[1]) // 2 - (box[1] - resized[1]) // 2
    return Placement(image, resized, window, top, left)


def _scaled(image: Size, box: Size, *, cover: bool) -> Size:
    """Size with the image's aspect that just covers, or just fits into, the box."""
    height, width = image
    # box[0] / height against box[1] / width, without rounding
    by_height = (box[0] * width > box[1] * height) == cover
    if by_height:
        return box[0], max(1, round(width * box[0] / height))
    return max(1, round(height * box[1] / width)), box[1]


def _pair(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else size


def _text(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
