from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shared_data import require

from counterpoint.errors import FrameError
from counterpoint.frames.images import decode_image, find_images, read_image

PIXELS = np.random.default_rng(5).integers(0, 256, (12, 20, 3), dtype=np.uint8)
ENDINGS = (".png", ".jpg", ".bmp")


def encoded(ending: str, pixels: npt.NDArray[np.integer[Any]] = PIXELS) -> bytes:
    done, data = cv2.imencode(ending, pixels)
    assert done
    return bytes(data)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body + jpeg[2:]


def declaring(ending: str, side: int) -> bytes:
    """A valid little file that declares ``side`` x ``side`` pixels."""
    data = bytearray(encoded(ending))
    if ending == ".png":
        struct.pack_into(">II", data, 16, side, side)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif ending == ".jpg":
        at = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, at + 5, side, side)
    else:
        struct.pack_into("<ii", data, 18, side, side)
        struct.pack_into("<I", data, 30, 1)  # run-length coded: may be short
    return bytes(data)


@pytest.mark.parametrize(
    ("ending", "pixels"),
    [
        (".png", PIXELS),
        (".png", PIXELS[:, :, 0]),
        (".png", PIXELS.astype(np.uint16) * 257),
        (".png", np.dstack((PIXELS, PIXELS[:, :, 0]))),
        (".jpg", PIXELS),
        (".jpeg", PIXELS[:, :, 0]),
        (".bmp", PIXELS),
        (".bmp", PIXELS[:, :, 0]),
    ],
    ids=str,
)
def test_reads_what_imread_reads(
    tmp_path: Path, ending: str, pixels: npt.NDArray[np.integer[Any]]
) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(encoded(ending, pixels))
    image = read_image(path)
    assert image.shape == (12, 20, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, cv2.imread(str(path)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_as_imread(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(with_orientation(encoded(".jpg"), orientation))
    image = read_image(path)
    assert image.shape == ((12, 20, 3) if orientation < 5 else (20, 12, 3))
    np.testing.assert_array_equal(image, cv2.imread(str(path)))


def test_photographs_as_imread() -> None:
    for folder in ("images/licensed", "images/faces"):
        for path in find_images([require(folder)]):
            np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_bomb_is_refused_before_decoding(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decode_image(encoded(ending), "small")

    def explode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", explode)
    with pytest.raises(FrameError, match=r"^bomb: 60000x60000 pixels, more than the limit"):
        decode_image(declaring(ending, 60000), "bomb")


def test_pixel_limit_is_exact() -> None:
    assert decode_image(encoded(".png"), "x", max_pixels=240).size == 720
    with pytest.raises(FrameError, match="limit of 239"):
        decode_image(encoded(".png"), "x", max_pixels=239)


def test_what_opencv_itself_refuses_is_a_frame_error() -> None:
    with pytest.raises(FrameError, match=r"^x: "):
        decode_image(declaring(".png", 60000), "x", max_pixels=2**60)


@pytest.mark.parametrize("ending", ENDINGS)
def test_cut_off_files_fail_quietly(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"x{ending}"
    data = encoded(ending)
    for kept in (1, 9, 30, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:kept])
        with pytest.raises(FrameError) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_files_that_are_no_images(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("this is no image")
    empty = tmp_path / "empty.png"
    empty.touch()
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path, reason in (
        (text, "not a JPEG, PNG or BMP"),
        (empty, "empty"),
        (pipe, "not a file"),
        (tmp_path, "not a file"),
        (tmp_path / "missing.png", "no such file"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(FrameError, match=reason):
            read_image(path)


def test_other_formats_are_refused() -> None:
    for ending in (".tiff", ".webp", ".ppm"):
        with pytest.raises(FrameError, match="not a JPEG, PNG or BMP"):
            decode_image(encoded(ending), "x")


def test_file_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encoded(".png"))
    size = path.stat().st_size
    read_image(path, max_file_bytes=size)
    with pytest.raises(FrameError, match=f"{size} bytes, more than the limit"):
        read_image(path, max_file_bytes=size - 1)


def test_names_cannot_break_the_line(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no such file") as caught:
        read_image(tmp_path / "two\nlines\x1b[2J.png")
    assert str(caught.value).isprintable()


@given(
    st.sampled_from(ENDINGS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6),
)
@settings(deadline=None, max_examples=300)
def test_damaged_files_give_an_image_or_a_frame_error(
    ending: str, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(encoded(ending))
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    try:
        image = decode_image(bytes(data), "fuzzed", max_pixels=2**16)
    except FrameError as error:
        assert str(error).startswith("fuzzed: ")
        assert str(error).isprintable()
        return
    assert image.ndim == 3
    assert image.shape[2] == 3


def test_find_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.bmp", "d.jpeg", ".hidden.png", "notes.txt", "e.npy"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = find_images([tmp_path])
    assert [path.name for path in found] == ["a.png", "b.JPG", "c.bmp", "d.jpeg"]
    named = find_images([tmp_path / "notes.txt", tmp_path, tmp_path / "a.png"])
    assert [path.name for path in named] == ["notes.txt", *(p.name for p in found), "a.png"]


def test_find_images_refuses(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no JPEG, PNG or BMP in this folder"):
        find_images([tmp_path])
    with pytest.raises(FrameError, match="no such file or folder"):
        find_images([tmp_path / "missing"])
