"""Photographs from files and from strangers, as OpenCV's ``imread`` gives them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from counterpoint.errors import FrameError
from counterpoint.frames.files import printable, read_whole
from counterpoint.frames.image_header import declared_size

Image = npt.NDArray[np.uint8]
"""``(height, width, 3)``, blue, green, red."""

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 2**26  # 8192 x 8192: 192 MiB decoded

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})


def decode_image(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Decodes a JPEG, PNG or BMP exactly as ``cv2.imread`` does by default.

    Grey images come out with three equal channels, alpha is dropped (not blended), 16 bits become
    8, and EXIF orientation is applied. Damage that leaves a JPEG's structure whole is concealed
    by the decoder, as everywhere.

    Args:
        data: The file's bytes.
        name: What to call it in errors.
        max_pixels: Largest declared size that is decoded at all.

    Raises:
        FrameError: It is no such image, is damaged or cut off, or is too large.
    """
    try:
        height, width = declared_size(data)
    except ValueError as error:
        raise FrameError(f"{printable(name)}: {error}") from None
    if height * width > max_pixels:
        raise FrameError(
            f"{printable(name)}: {width}x{height} pixels, more than the limit of {max_pixels}"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise FrameError(f"{printable(name)}: the image cannot be decoded") from error
    if image is None:
        raise FrameError(f"{printable(name)}: the image is damaged")
    return np.ascontiguousarray(image, dtype=np.uint8)


def read_image(
    path: Path, *, max_file_bytes: int = MAX_FILE_BYTES, max_pixels: int = MAX_PIXELS
) -> Image:
    """Reads an image file; see :func:`decode_image`.

    Raises:
        FrameError: The file is missing, too large, or :func:`decode_image` refuses it.
    """
    data = read_whole(path, max_bytes=max_file_bytes)
    return decode_image(data, str(path), max_pixels=max_pixels)


def find_images(places: Iterable[Path]) -> tuple[Path, ...]:
    """Image files: each given file as it is, each given folder's images by name.

    Sub-folders, hidden files and files with other endings in a folder are passed over. Nothing is
    opened.

    Raises:
        FrameError: A place does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for place in places:
        try:
            if place.is_dir():
                inside = sorted(entry for entry in place.iterdir() if _looks_like_image(entry))
                if not inside:
                    raise FrameError(f"{printable(place)}: no JPEG, PNG or BMP in this folder")
                found += inside
            elif place.exists():
                found.append(place)
            else:
                raise FrameError(f"{printable(place)}: no such file or folder")
        except OSError as error:
            raise FrameError(f"{printable(place)}: cannot be read ({error.strerror})") from error
    return tuple(found)


def _looks_like_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
