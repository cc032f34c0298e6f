"""The command called in this process, and files to call it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from counterpoint.cli.main import main
from tests.cli.models import classifier


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.delenv("COUNTERPOINT_DEBUG", raising=False)
    monkeypatch.setenv("COUNTERPOINT_STORE", "/nowhere/that/is/writable")

    def run(*words: object) -> Ended:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture
def refused(call: Call) -> Callable[..., str]:
    """The one line with which a command refuses; nothing on standard output, no traceback."""

    def run(status: int, *words: object) -> str:
        ended = call(*words)
        assert ended.status == status, ended
        assert ended.out == ""
        assert ended.err.startswith("counterpoint: error: ")
        assert ended.err.endswith("\n")
        assert ended.err.count("\n") == 1
        assert "Traceback" not in ended.err
        return ended.err

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests of one run share a store and a tuned plan."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def store(folder: Path) -> Path:
    return folder / "store.sqlite"


@pytest.fixture(scope="session")
def model(folder: Path) -> Path:
    """A classifier of ten classes, for images of 16 x 16 pixels."""
    path = folder / "tiny.onnx"
    path.write_bytes(classifier())
    return path
