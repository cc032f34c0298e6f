from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from counterpoint.cli.progress import Bar, shown_progress
from counterpoint.tuning.progress import Silence


def test_nothing_is_drawn_where_nobody_sits(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        assert isinstance(progress, Silence)
        progress.begin("measuring", 2)
        progress.step("one")
    assert capsys.readouterr() == ("", "")


def test_a_stage_replaces_the_one_before() -> None:
    console = Console(file=io.StringIO(), markup=False)
    shown = Progress(TextColumn("{task.description}"), console=console, auto_refresh=False)
    bar = Bar(shown)
    bar.step("before any stage")
    bar.begin("profiling", 2)
    bar.step("unit [a]")
    assert [(task.description, task.completed, task.total) for task in shown.tasks] == [
        ("profiling", 1, 2)
    ]
    assert shown.tasks[0].fields["last"] == "unit [a]"
    bar.begin("planning", 5)
    assert [(task.description, task.completed) for task in shown.tasks] == [("planning", 0)]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    with shown_progress() as progress:
        assert isinstance(progress, Bar)
        progress.begin("measuring", 1)
        progress.step("one")
