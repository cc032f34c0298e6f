from __future__ import annotations

from pathlib import Path

import pytest
from tests.shared_data import require

from counterpoint.errors import FrameError
from counterpoint.frames.ground_truth import (
    class_index,
    folders_of_classes,
    labels_of,
    read_ground_truth,
)

NAMES = ("tench, Tinca tinca", "goldfish", "great white shark")


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg 3\nb c.jpg 4\n",
        "a.jpg,3\nb c.jpg,4\n",
        'file,class_index,name\n"a.jpg",3,x\nfolder/b c.jpg,4,"y, z"\n',
        "\ufeffa.jpg\t3\n\nb c.jpg\t4",
        "a.jpg 3\na.jpg 3\nb c.jpg 4",
    ],
)
def test_forms_of_the_file(tmp_path: Path, text: str) -> None:
    assert read_ground_truth(written(tmp_path, text)) == {"a.jpg": 3, "b c.jpg": 4}


def test_classes_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jpg,Goldfish\nb.jpg,tinca tinca\n")
    assert read_ground_truth(path, NAMES) == {"a.jpg": 1, "b.jpg": 0}
    assert class_index("great white", NAMES) is None
    assert class_index(" 12 ", NAMES) == 12
    assert class_index("9" * 30, ()) is None
    assert class_index("\u0661", ()) is None  # a digit that is none of ours


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.jpg 3\nb.jpg cat\n", "line 2 is 'b.jpg cat'"),
        ("a.jpg 3\na.jpg 4\n", "a.jpg is of class 3 and, in line 2, of class 4"),
        ("file,class\n", "holds no label"),
        ("a.jpg 3\nb.jpg -1\n", "line 2"),
        ("a.jpg 3\n7\n", "line 2 is '7'"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FrameError, match=told) as raised:
        read_ground_truth(written(tmp_path, text))
    assert "\n" not in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no such file"):
        read_ground_truth(tmp_path / "none.txt")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FrameError, match="UTF-8"):
        read_ground_truth(binary)


def test_an_image_without_a_label_is_named(tmp_path: Path) -> None:
    images = (tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert labels_of(images, {"a.jpg": 1, "b.jpg": 2, "c.jpg": 3}, tmp_path) == (1, 2)
    with pytest.raises(FrameError, match=r"no label for 1 of 2 images, the first is b.jpg"):
        labels_of(images, {"a.jpg": 1}, tmp_path)


def test_folders_that_are_called_by_their_class(tmp_path: Path) -> None:
    for folder, names in {"goldfish": ("x.png",), "2": ("y.jpg", "z.jpg")}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(b"not looked at")
    found = folders_of_classes(tmp_path, NAMES)
    assert found is not None
    images, labels = found
    assert [image.name for image in images] == ["y.jpg", "z.jpg", "x.png"]
    assert labels == (2, 2, 1)
    with pytest.raises(FrameError, match="the folder's name is no class"):
        folders_of_classes(tmp_path)
    (tmp_path / "own.jpg").write_bytes(b"")
    assert folders_of_classes(tmp_path, NAMES) is None
    assert folders_of_classes(tmp_path / "own.jpg", NAMES) is None


def test_an_empty_folder_of_a_class(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(FrameError, match="no JPEG, PNG or BMP"):
        folders_of_classes(tmp_path)


def test_the_table_of_the_photographs() -> None:
    folder = require("images/imagenet_sample")
    truth = read_ground_truth(folder / "labels.csv")
    assert len(truth) == 65
    assert truth["n01440764_tench.JPEG"] == 0
    assert folders_of_classes(folder) is None
