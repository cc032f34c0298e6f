from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.frames.image_header import declared_size

ENDINGS = (".png", ".jpg", ".bmp")


def encoded(ending: str, height: int, width: int, channels: int = 3) -> bytes:
    pixels = np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height, width, channels), dtype=np.uint8
    )
    done, data = cv2.imencode(ending, pixels)
    assert done
    return bytes(data)


@given(
    st.sampled_from(ENDINGS),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from((1, 3)),
)
@settings(deadline=None, max_examples=60)
def test_declared_size_is_the_decoded_size(
    ending: str, height: int, width: int, channels: int
) -> None:
    assert declared_size(encoded(ending, height, width, channels)) == (height, width)


@given(st.sampled_from(ENDINGS), st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=150)
def test_a_file_cut_off_anywhere_is_refused(ending: str, share: float) -> None:
    data = encoded(ending, 23, 31)
    with pytest.raises(ValueError, match=r"early|not a JPEG, PNG or BMP"):
        declared_size(data[: int(share * len(data))])


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_byte_counts(ending: str) -> None:
    data = encoded(ending, 23, 31)
    declared_size(data + b"trailing bytes are ignored by decoders")
    with pytest.raises(ValueError, match="early"):
        declared_size(data[:-1])


def test_progressive_jpeg() -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert declared_size(bytes(data)) == (20, 30)


def test_jpeg_of_endless_scans_is_refused() -> None:
    data = encoded(".jpg", 8, 8)
    with pytest.raises(ValueError, match="scans"):
        declared_size(data[:-2] + b"\xff\xda\x00\x02" * 200 + b"\xff\xd9")


def test_end_of_image_inside_a_thumbnail_does_not_count() -> None:
    data = encoded(".jpg", 8, 8)
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data
    with pytest.raises(ValueError, match="early"):
        declared_size(data[:2] + thumbnail + data[2:-2])


def test_thumbnail_is_not_the_image() -> None:
    thumbnail = encoded(".jpg", 8, 8)
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    data = encoded(".jpg", 40, 50)
    assert declared_size(data[:2] + segment + data[2:]) == (40, 50)


def test_damaged_png_is_found_by_its_checksum() -> None:
    data = bytearray(encoded(".png", 23, 31))
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        declared_size(bytes(data))


def test_top_down_and_old_bmp() -> None:
    data = bytearray(encoded(".bmp", 5, 6))
    struct.pack_into("<i", data, 22, -5)
    assert declared_size(bytes(data)) == (5, 6)
    old = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, 6, 5, 1, 24)
    assert declared_size(old + bytes(20 * 5)) == (5, 6)
    with pytest.raises(ValueError, match="early"):
        declared_size(old + bytes(20 * 5 - 1))


def test_no_pixels() -> None:
    data = bytearray(encoded(".bmp", 5, 6))
    struct.pack_into("<i", data, 18, 0)
    with pytest.raises(ValueError, match="without pixels"):
        declared_size(bytes(data))


@given(
    st.sampled_from(
        (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"\x89PNG\r\n\x1a\n\0\0\0\r")
    ),
    st.binary(max_size=200),
)
@settings(max_examples=400)
def test_anything_else_is_a_value_error(start: bytes, rest: bytes) -> None:
    try:
        height, width = declared_size(start + rest)
    except ValueError:
        return
    assert height > 0
    assert width > 0
