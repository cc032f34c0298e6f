from __future__ import annotations

import os
from pathlib import Path

import pytest

from counterpoint.errors import MachineError
from counterpoint.schedule.atomic_file import atomic_file


def test_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with atomic_file(path) as stream:
        stream.write("new ü")
        assert path.read_text() == "old"
    assert path.read_text(encoding="utf-8") == "new ü"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_file(path) as stream:
        stream.write("new")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "target")
    with atomic_file(path) as stream:
        stream.write("new")
    assert path.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("name", [".", "missing/a.json"])
def test_says_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(MachineError, match="cannot write"), atomic_file(tmp_path / name):
        pass


def test_leaves_special_files_alone() -> None:
    with pytest.raises(MachineError, match="no ordinary file"), atomic_file(Path(os.devnull)):
        pass
    assert not Path(os.devnull).is_file()
