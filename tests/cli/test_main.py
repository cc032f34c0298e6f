"""How the command starts and ends, whatever a verb does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoint import __version__
from counterpoint.cli import main as main_module
from counterpoint.cli.main import main
from counterpoint.errors import EngineError, InternalError, ModelFileError, StoreError
from tests.cli.conftest import Call

VERBS = (
    "devices",
    "inspect",
    "tune",
    "run",
    "profile",
    "plan",
    "pareto",
    "simulate",
    "explain",
    "convert",
    "platforms",
    "reproduce",
)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(main_module, "_run", fail)


def test_without_words_tells_what_it_can(call: Call) -> None:
    ended = call()
    assert ended.status == 0
    assert all(verb in ended.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(call: Call, verb: str) -> None:
    ended = call(verb, "--help")
    assert ended.status == 0
    assert f"\n    counterpoint {verb} " in ended.out
    assert "--json" in ended.out


def test_tells_its_version(call: Call) -> None:
    assert call("--version").out == f"counterpoint {__version__}\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelFileError("bad file"), 2),
        (StoreError("locked"), 3),
        (EngineError("refused"), 4),
        (InternalError("broken"), 70),
        (MemoryError(), 3),
        (OSError(28, "No space left on device"), 3),
        (ZeroDivisionError("division by zero"), 70),
    ],
)
def test_each_kind_of_error_has_its_status_and_one_line(
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
    error: Exception,
    status: int,
) -> None:
    failing(monkeypatch, error)
    line = refused(status)
    assert ("report this" in line) == (status == 70)


def test_an_error_of_many_lines_and_control_characters_is_one_harmless_line(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    failing(monkeypatch, ModelFileError("a\nb\r\n  c \x1b[31m red"))
    assert refused(2) == "counterpoint: error: a b c \\x1b[31m red\n"


@pytest.mark.parametrize("by_option", [True, False])
def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by_option: bool
) -> None:
    failing(monkeypatch, ModelFileError("bad file"))
    monkeypatch.setenv("COUNTERPOINT_DEBUG", "0" if by_option else "1")
    assert main(["inspect", "--debug"] if by_option else ["inspect"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.endswith("counterpoint: error: bad file\n")


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main([]) == 130
    told = "counterpoint: interrupted; what was measured is kept, run it again to go on\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["inspect", "--nonsense"],
        ["inspect", "a", "b"],
        ["inspect", "zoo:alexnet", "-b", "0"],
        ["inspect", "zoo:alexnet", "-b", "many"],
        ["inspect", "zoo:alexnet", "-b"],
        ["run", "x.onnx", "-niter", "0"],
        ["run", "x.onnx", "--task", "dance"],
        ["simulate", "x.onnx", "--frames", "99999999999"],
    ],
)
def test_usage_errors_are_one_line(refused: Callable[..., str], words: list[str]) -> None:
    assert refused(2, *words).endswith("; see --help\n")


def test_help_loads_no_engine_and_no_model_library() -> None:
    heavy = ["onnx", "onnxruntime", "openvino", "cv2", "numpy"]
    code = (
        "import sys; from counterpoint.cli.main import main; main(['--help']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


def start(*words: str, stdout: int) -> subprocess.Popen[str]:
    code = "import sys; from counterpoint.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=stdout, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_goes_away_is_no_error(model: Path, as_json: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("inspect", str(model), *(["--json"] if as_json else []), stdout=writing)
    os.close(writing)
    _, error = process.communicate()
    assert (process.returncode, error) == (141, "")


def test_a_full_disk_behind_the_output_is_an_error_of_the_machine(model: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    with full.open("w") as output:
        process = start("inspect", str(model), stdout=output.fileno())
        _, error = process.communicate()
    assert process.returncode == 3
    assert error == "counterpoint: error: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        (
            ["m", "--images", "a", "b", "--top", "1"],
            ["m", "--images", "a", "--images", "b", "--top", "1"],
        ),
        (["--tensors", "a"], ["--tensors", "a"]),
        (["-i", "a", "b", "-i", "c"], ["-i", "a", "-i", "b", "-i", "c"]),
        (["m", "--top", "1", "x"], ["m", "--top", "1", "x"]),
    ],
)
def test_options_of_several_words(words: list[str], spread: list[str]) -> None:
    assert main_module._spread(words) == spread


def test_json_is_one_document_and_nothing_else(call: Call, model: Path) -> None:
    ended = call("inspect", model, "--json")
    assert ended.status == 0
    assert ended.err == ""
    assert json.loads(ended.out)["format"] == "counterpoint-network"
