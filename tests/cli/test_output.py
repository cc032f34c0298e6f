from __future__ import annotations

import os
from pathlib import Path

import pytest

from counterpoint.cli.output import check_writable, show
from counterpoint.errors import MachineError, UserInputError


def test_only_what_is_asked_for_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    def never() -> list[str]:
        raise AssertionError("made for nobody")

    show(True, lambda: {"a": 1}, never)
    assert capsys.readouterr().out == '{\n "a": 1\n}\n'


def test_text_for_people_is_not_folded_and_not_interpreted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = "[bold]x[/bold] :smile: " + "word " * 100 + "end"
    show(False, dict, lambda: [line, "two\x1b[31m"])
    assert capsys.readouterr().out == line + "\ntwo\\x1b[31m\n"


def test_a_place_for_a_file_is_checked_before_work_starts(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json")
    with pytest.raises(UserInputError, match="no folder"):
        check_writable(tmp_path / "missing" / "new.json")
    with pytest.raises(UserInputError, match="is a folder"):
        check_writable(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(MachineError, match="permission"):
        check_writable(tmp_path / "new.json")
