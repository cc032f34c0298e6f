"""The true class of each image: from a file of ``image label`` lines, or from folders' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from counterpoint.errors import FrameError
from counterpoint.frames.files import printable, read_whole
from counterpoint.frames.images import find_images

_MAX_FILE_BYTES = 64 * 2**20
MAX_FOLDERS = 100_000
"""ImageNet's largest release has some 22,000 classes."""


def read_ground_truth(path: Path, classes: Sequence[str] = ()) -> dict[str, int]:
    """What a file says of images, by file name.

    Each line has an image and its class, separated by a comma or blanks; what follows a second
    comma does not matter. A first line that names columns is passed over: it has no number where
    all others have one.

    Args:
        path: UTF-8 text.
        classes: Names of the classes; a class is one of these, or a number.

    Returns:
        Index of the class by the image's file name, without folders.

    Raises:
        FrameError: The file cannot be read, a line has another form or an unknown class, or two
            lines differ about one image.
    """
    data = read_whole(path, max_bytes=_MAX_FILE_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FrameError(f"{printable(path)}: labels must be UTF-8 text") from error
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, label = _parts(line)
        index = class_index(label, classes)
        if index is None and number == 1:
            continue
        if not name or index is None:
            raise FrameError(
                f"{printable(path)}: line {number} is {printable(line.strip()[:80])!r}; an image "
                "and the number of its class are wanted, as in: cat.jpg 281"
            )
        key = Path(name).name
        if found.setdefault(key, index) != index:
            raise FrameError(
                f"{printable(path)}: {printable(key)} is of class {found[key]} and, in line "
                f"{number}, of class {index}"
            )
    if not found:
        raise FrameError(f"{printable(path)}: holds no label")
    return found


def labels_of(images: Sequence[Path], truth: Mapping[str, int], path: Path) -> tuple[int, ...]:
    """The class of each image.

    Args:
        images: Files.
        truth: By file name, from :func:`read_ground_truth`.
        path: Where that was read, for messages.

    Raises:
        FrameError: An image has no label.
    """
    missing = [image for image in images if image.name not in truth]
    if missing:
        raise FrameError(
            f"{printable(path)} has no label for {len(missing)} of {len(images)} images, the first "
            f"is {printable(missing[0].name)}: the labels do not fit the images"
        )
    return tuple(truth[image.name] for image in images)


def folders_of_classes(
    place: Path, classes: Sequence[str] = ()
) -> tuple[tuple[Path, ...], tuple[int, ...]] | None:
    """Images and their classes where a folder has one folder for each class.

    Args:
        place: The folder.
        classes: Names of the classes; a folder's name is one of these, or a number.

    Returns:
        ``None`` where the folder has images itself, or no folders.

    Raises:
        FrameError: A folder's name is no class, or a folder holds no image.
    """
    try:
        entries = sorted(place.iterdir()) if place.is_dir() else []
        folders = [x for x in entries if x.is_dir() and not x.name.startswith(".")][:MAX_FOLDERS]
    except OSError as error:
        raise FrameError(f"{printable(place)}: cannot be read ({error.strerror})") from error
    if not folders or _has_images(place):
        return None
    images: list[Path] = []
    labels: list[int] = []
    for folder in folders:
        index = class_index(folder.name, classes)
        if index is None:
            raise FrameError(
                f"{printable(folder)}: the folder's name is no class: call it by the number of "
                "its class, or name the classes in the model's .preprocess.toml (labels)"
            )
        inside = find_images([folder])
        images += inside
        labels += [index] * len(inside)
    return tuple(images), tuple(labels)


def class_index(text: str, classes: Sequence[str]) -> int | None:
    """The number of a class that is given as such or by its name; ``None``: it is neither."""
    word = text.strip()
    if word.isascii() and word.isdecimal() and len(word) <= 9:
        return int(word)
    folded = word.casefold()
    for index, name in enumerate(classes):
        if folded in (name.casefold(), *(part.strip().casefold() for part in name.split(","))):
            return index
    return None


def _parts(line: str) -> tuple[str, str]:
    if "," in line:
        name, _, rest = line.partition(",")
        return name.strip().strip('"'), rest.partition(",")[0].strip().strip('"')
    words = line.strip().rsplit(maxsplit=1)
    return (words[0], words[1]) if len(words) == 2 else ("", words[0])


def _has_images(place: Path) -> bool:
    try:
        find_images([place])
    except FrameError:
        return False
    return True
