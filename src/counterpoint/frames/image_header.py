"""What an image file says about itself, read before anything is decoded.

Decoders allocate what a header declares, and differ in what they make of a file that ends early
(some OpenCV versions fill the rest with grey and say nothing). So the size is read, and the end
is looked for, here. Formats: JPEG (ITU-T T.81), PNG (ISO/IEC 15948), BMP (OS/2 1.x, Windows 3 on).
"""

from __future__ import annotations

import struct
import zlib

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_BMP_SIGNATURE = b"BM"

_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # T.81, table B.1
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_JPEG_START_OF_SCAN = 0xDA
_MAX_JPEG_SCANS = 100  # encoders write about ten; each costs a pass over every pixel

_BMP_UNCOMPRESSED = frozenset({0, 3})  # BI_RGB, BI_BITFIELDS


def declared_size(data: bytes) -> tuple[int, int]:
    """Height and width in pixels that a JPEG, PNG or BMP file declares.

    EXIF orientation is not looked at: a photograph lying on its side may decode to (width, height).

    Raises:
        ValueError: It is none of the three, is damaged, or ends early; the message says which.
    """
    try:
        if data.startswith(_PNG_SIGNATURE):
            height, width = _png_size(data)
        elif data.startswith(_JPEG_SIGNATURE):
            height, width = _jpeg_size(data)
        elif data.startswith(_BMP_SIGNATURE):
            height, width = _bmp_size(data)
        else:
            raise ValueError("not a JPEG, PNG or BMP image")
    except (struct.error, IndexError):
        raise ValueError("the file ends early") from None
    if height <= 0 or width <= 0:
        raise ValueError("declares an image without pixels")
    return height, width


def _png_size(data: bytes) -> tuple[int, int]:
    """Walks all chunks; the critical ones must be undamaged and end with IEND."""
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    size: tuple[int, int] | None = None
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        is_critical = not kind[0] & 0x20
        if is_critical and zlib.crc32(view[position + 4 : end]) != checksum:
            raise ValueError("damaged PNG: a checksum is wrong")
        if size is None:
            if kind != b"IHDR" or length != 13:
                raise ValueError("damaged PNG: the header is not first")
            width, height = struct.unpack_from(">II", data, position + 8)
            size = (height, width)
        if kind == b"IEND":
            return size
        position = end + 4


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """First frame header, found as libjpeg finds it: bytes between segments are skipped."""
    size: tuple[int, int] | None = None
    position = 2
    while True:
        position = data.find(b"\xff", position)
        if position < 0:
            raise ValueError("the JPEG ends early")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker == 0 or marker in _JPEG_BARE_MARKERS:
            continue
        if marker == _JPEG_START_OF_SCAN:
            break
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise ValueError("damaged JPEG: a segment without its length")
        if size is None and marker in _JPEG_FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (height, width)
        position += length
    if size is None:
        raise ValueError("damaged JPEG: no size before the first scan")
    # Inside a scan 0xFF is followed by 0 or a restart marker, so this is the true end of image.
    if data.rfind(b"\xff\xd9") < position:
        raise ValueError("the JPEG ends early")
    if data.count(b"\xff\xda", position) > _MAX_JPEG_SCANS:
        raise ValueError(f"JPEG of more than {_MAX_JPEG_SCANS} scans")
    return size


def _bmp_size(data: bytes) -> tuple[int, int]:
    """Both header forms; a negative height means rows from top to bottom."""
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)
    if compression in _BMP_UNCOMPRESSED:
        row_bytes = (width * depth + 31) // 32 * 4
        if pixels_at + row_bytes * height > len(data):
            raise ValueError("the BMP ends early")
    return height, width
