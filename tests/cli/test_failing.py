"""``run`` on real engines that fail where a test tells them to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from counterpoint import api
from counterpoint.engines.faulty import FaultyEngine, Injection
from counterpoint.engines.registry import planning_engines
from tests.cli.conftest import Call, Ended

ORT, OPENVINO = "onnxruntime:CPU@fp32", "openvino:CPU@fp32"

Breaks = Callable[..., Mapping[str, FaultyEngine]]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Makes the engines of this machine fail."""

    def inject(*injections: Injection) -> Mapping[str, FaultyEngine]:
        engines = {
            name: FaultyEngine(engine, injections) for name, engine in planning_engines().items()
        }
        monkeypatch.setattr(api, "planning_engines", lambda: engines)
        return engines

    return inject


def frames_of(call: Call, model: Path, folder: Path, *options: str) -> Ended:
    frame = folder / "frame.npy"
    random = np.random.default_rng(3)
    np.save(frame, random.standard_normal((1, 3, 16, 16)).astype(np.float32))
    return call(
        "run", model, "--unit", OPENVINO, "--tensors", frame, "-niter", 5,
        "--task", "raw", "--output-dir", folder / "out", "--json", *options,
    )  # fmt: skip


def output_of(folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    (path,) = (folder / "out").glob("*.npy")
    made: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.load(path)
    return made


@pytest.mark.parametrize("kind", ["compile", "run", "wrong numbers"])
def test_a_unit_that_fails_is_an_error_or_left_out_as_the_user_says(
    call: Call, model: Path, tmp_path: Path, breaks: Breaks, kind: str
) -> None:
    (tmp_path / "right").mkdir()
    assert frames_of(call, model, tmp_path / "right").status == 0
    at = {"compile": 0, "run": 3, "wrong numbers": 3}[kind]
    check = ("--spot-check", "1") if kind == "wrong numbers" else ()

    breaks(Injection(kind, OPENVINO, at))  # type: ignore[arg-type]
    ended = frames_of(call, model, tmp_path, *check)
    assert ended.status == 4
    assert ended.err.startswith(f"counterpoint: error: {OPENVINO} ")
    assert ended.err.count("\n") == 1

    breaks(Injection(kind, OPENVINO, at))  # type: ignore[arg-type]
    ended = frames_of(call, model, tmp_path, "--allow-fallback", *check)
    assert ended.status == 0, ended.err
    report = json.loads(ended.out)
    assert report["frames"] == 5
    assert report["incidents"][0]["kind"] == kind
    assert report["units"][0] == OPENVINO
    assert ORT in report["units"]
    warnings = ended.err.splitlines()
    assert len(warnings) == len(report["incidents"])
    assert all(line.startswith("counterpoint: warning: ") for line in warnings)
    assert OPENVINO in warnings[0]
    assert np.allclose(output_of(tmp_path), output_of(tmp_path / "right"), rtol=1e-3, atol=1e-6)


def test_a_hang_ends_at_the_limit_that_the_user_gives(
    call: Call, model: Path, tmp_path: Path, breaks: Breaks
) -> None:
    engines = breaks(Injection("hang", OPENVINO, 3))
    ended = frames_of(call, model, tmp_path, "--allow-fallback", "--hang-limit", "2")
    for engine in engines.values():
        engine.release()
    assert ended.status == 0, ended.err
    assert f"{OPENVINO} hangs in segment " in ended.err
    assert "no result after 2 s" in ended.err


def test_every_unit_fails(call: Call, model: Path, tmp_path: Path, breaks: Breaks) -> None:
    names = [unit.name for unit in api.devices().platform.units]
    breaks(*(Injection("run", name, 0) for name in names))
    ended = frames_of(call, model, tmp_path, "--allow-fallback")
    assert ended.status == 4
    *warnings, last = ended.err.splitlines()
    assert all(line.startswith("counterpoint: warning: ") for line in warnings)
    assert last.startswith("counterpoint: error: nothing is left to run tiny: ")
    assert "Traceback" not in ended.err


def test_what_happened_is_in_the_table_and_in_the_trace(
    call: Call, model: Path, tmp_path: Path, breaks: Breaks
) -> None:
    breaks(Injection("run", OPENVINO, 3))
    trace = tmp_path / "trace.json"
    ended = call(
        "run", model, "--unit", OPENVINO, "-niter", 6, "--trace", trace, "--allow-fallback"
    )
    assert ended.status == 0, ended.err
    assert "happened" in ended.out
    assert f"going on with {ORT}" in ended.out
    events = json.loads(trace.read_text())["traceEvents"]
    assert [event["cat"] for event in events if event["ph"] == "i"] == ["run", "replanned"]


def test_without_a_failure_nothing_happens(call: Call, model: Path, tmp_path: Path) -> None:
    ended = frames_of(call, model, tmp_path, "--allow-fallback", "--spot-check", "0.5")
    assert ended.status == 0
    assert ended.err == ""
    assert json.loads(ended.out)["incidents"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--hang-limit", "5"), "--hang-limit needs --allow-fallback"),
        (("--hang-limit", "0", "--allow-fallback"), "give seconds, above 0"),
        (("--spot-check", "2"), "spot checks of 2.0 of all frames: give 0 to 1"),
        (("--spot-check", "0"), "give 0 to 1"),
    ],
)
def test_options_that_do_not_fit(
    refused: Callable[..., str], model: Path, options: tuple[str, ...], told: str
) -> None:
    assert told in refused(2, "run", model, "--unit", ORT, "-niter", 2, *options)


def test_an_emulated_machine_does_not_fail(refused: Callable[..., str]) -> None:
    line = refused(
        2, "run", "recorded:alexnet", "-p", "khadas_vim3", "--unit", "armcl:GPU@fp32",
        "-niter", 2, "--allow-fallback",
    )  # fmt: skip
    assert "is emulated, where no unit fails" in line
