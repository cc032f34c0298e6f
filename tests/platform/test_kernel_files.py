from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.platform.kernel_files import (
    LARGEST_PROCESSOR_COUNT,
    KernelFiles,
    parse_processor_list,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-3,8", (0, 1, 2, 3, 8)),
        ("5", (5,)),
        ("8, 0-1", (0, 1, 8)),
        ("1,1-2", (1, 2)),
        ("", None),
        ("3-1", None),
        ("-1", None),
        ("0-", None),
        ("zero", None),
        ("0-3:1/2", None),
        ("0-999999", None),
        ("0-99999999999999999999", None),
    ],
)
def test_processor_list(text: str, expected: tuple[int, ...] | None) -> None:
    assert parse_processor_list(text) == expected


def test_many_ranges_are_bounded_together() -> None:
    assert parse_processor_list(",".join([f"0-{LARGEST_PROCESSOR_COUNT // 2 - 1}"] * 2))
    assert parse_processor_list(",".join([f"0-{LARGEST_PROCESSOR_COUNT // 2 - 1}"] * 3)) is None


@given(st.sets(st.integers(0, 300), min_size=1))
def test_processor_list_round_trips(numbers: set[int]) -> None:
    text = ",".join(str(number) for number in numbers)
    assert parse_processor_list(text) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    ("content", "integer", "count"),
    [
        (b"12\n", 12, 12),
        (b"-1\n", -1, None),
        (b"9223372036854771712\n", 9223372036854771712, 9223372036854771712),
        (b"99999999999999999999999", None, None),
        (b"1e3", None, None),
        (b"\xff\xfe", None, None),
        (b"\0\0", None, None),
        (b"", None, None),
    ],
)
def test_integers(tmp_path: Path, content: bytes, integer: int | None, count: int | None) -> None:
    (tmp_path / "value").write_bytes(content)
    files = KernelFiles(tmp_path)
    assert files.integer("/value") == integer
    assert files.count("value") == count


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    files = KernelFiles(tmp_path)
    assert [files.text(path) for path in ("missing", "folder", "loop", "a\0b")] == [None] * 4
    assert files.numbered("missing", "cpu") == files.numbered("loop", "cpu") == ()


def test_numbered_entries(tmp_path: Path) -> None:
    for name in ("cpu10", "cpu2", "cpufreq", "cpu", "xcpu1", "cpu3x"):
        (tmp_path / name).mkdir()
    assert KernelFiles(tmp_path).numbered("/", "cpu") == (2, 10)
