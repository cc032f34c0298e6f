"""Drivers that are missing, crash or hang: a sentence each, and nobody else is harmed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from counterpoint.engines import vulkan
from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.engines.probing import Answer, ask, run_child
from counterpoint.platform.model import DeviceKind
from tests.engines.ncnn.conftest import CPU

CRASHING = "__attribute__((constructor)) static void f(void) { *(volatile int *)0 = 1; }"
HANGING = "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { sleep(600); }"
LOADED_AND_USELESS = "int nothing;"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manifest of the only driver there is; its library is for the test to make."""
    manifest = tmp_path / "driver.json"
    library = {"library_path": str(tmp_path / "driver.so"), "api_version": "1.3.0"}
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": library}))
    for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.setenv(name, str(manifest))
    vulkan.vulkan_devices.cache_clear()
    return manifest


def build(manifest: Path, source: str) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build a driver that crashes")
    code = manifest.with_suffix(".c")
    code.write_text(source)
    target = manifest.with_suffix(".so")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, code], check=True)


def test_a_driver_that_is_not_there(engine: NcnnEngine, driver: Path) -> None:
    (line,) = engine.absent()
    assert line.startswith("Vulkan: no Vulkan device: install")
    units = engine.units([CPU])
    assert units
    assert {unit.devices[0] for unit in units} == {CPU}


@pytest.mark.parametrize("source", [LOADED_AND_USELESS, CRASHING], ids=["useless", "crashing"])
def test_a_broken_driver(engine: NcnnEngine, driver: Path, source: str) -> None:
    build(driver, source)
    (line,) = engine.absent()
    told = "a Vulkan driver crashed (SIGSEGV)" if source is CRASHING else "no Vulkan device"
    if "vulkan" not in line.lower() or told not in line:
        # Without the Vulkan loader no driver is loaded at all.
        assert not list(Path("/usr").glob("lib*/**/libvulkan.so.1")), line
    assert {unit.devices[0].kind for unit in engine.units([CPU])} == {DeviceKind.CPU}


def test_a_driver_that_hangs(
    engine: NcnnEngine, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(driver, HANGING)
    monkeypatch.setattr(vulkan, "LIMIT_S", 1.5)
    (line,) = engine.absent()
    assert "did not answer within 1.5 s" in line or "no Vulkan device" in line
    assert engine.units([CPU])


def test_the_rest_works_beside_a_driver_that_crashes(engine: NcnnEngine, driver: Path) -> None:
    build(driver, CRASHING)
    code = "from counterpoint.cli.main import main; main(['devices', '--no-peaks', '--json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert any(line.startswith("Vulkan: ") for line in found["absent"])
    assert any(line.startswith("CUDA") for line in found["absent"])
    assert "onnxruntime:CPU@fp32" in {unit["name"] for unit in found["units"]}
    assert not any("GPU" in unit["name"] for unit in found["units"])


def test_what_was_found_is_remembered_until_the_drivers_change(
    engine: NcnnEngine,
    gpu: object,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = engine.units([CPU])
    vulkan.vulkan_devices.cache_clear()
    asked = []

    def refuse(*arguments: object, **options: object) -> Answer:
        asked.append(arguments)
        return Answer({}, "crashed (SIGSEGV)")

    monkeypatch.setattr(vulkan, "ask", refuse)
    assert engine.units([CPU]) == first
    assert asked == []
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "other.json"))
    vulkan.vulkan_devices.cache_clear()
    assert {unit.devices[0] for unit in engine.units([CPU])} == {CPU}
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["[]", "{}", '{"devices": [{"name": 1}]}', "{", "[" * 10_000])
def test_a_damaged_memory_counts_as_none(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.json"
    path.write_text(text)
    monkeypatch.setattr(vulkan, "_memory", lambda ncnn_version: path)
    device = {"name": "a GPU", "software": False, "identity": "1:2:3", "memory_mib": 2048}
    monkeypatch.setattr(vulkan, "ask", lambda *_, **__: Answer({"devices": [device]}))
    (found,) = vulkan.vulkan_devices(f"any {text[:9]}").devices
    assert (found.name, found.memory_bytes) == ("a GPU", 2 << 30)
    assert json.loads(path.read_text()) == {"devices": [device]}


@pytest.mark.parametrize(
    "facts", [{}, {"devices": 1}, {"devices": [1]}, {"devices": [{"name": "x"}]}]
)
def test_an_answer_that_makes_no_sense(facts: dict[str, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vulkan, "_memory", lambda ncnn_version: None)
        patch.setattr(vulkan, "ask", lambda *_, **__: Answer(facts))
        found = vulkan.vulkan_devices(f"nonsense {facts}")
    assert found.devices == ()
    assert found.missing is not None
    assert "makes no sense" in found.missing


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_children() -> None:
    well = run_child(python("print('here')"), limit_s=30)
    assert (well.failure, well.said) == (None, "here\n")
    assert run_child(python("raise SystemExit(3)"), limit_s=30).failure == "failed (status 3)"
    killed = run_child(python("import os; os.kill(os.getpid(), 11)"), limit_s=30)
    assert killed.failure == "crashed (SIGSEGV)"
    missing = run_child(["/nowhere/to/be/found"], limit_s=30).failure
    assert missing is not None
    assert missing.startswith("cannot be started")


def test_a_child_that_hangs_is_ended_with_its_own_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    ended = run_child(python(code), limit_s=3)
    assert ended.failure == "did not answer within 3 s"
    for pid in pids.read_text().split():
        status = Path(f"/proc/{pid}/stat")
        # A grandchild that nobody has buried yet is a zombie.
        assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_answers_are_json_objects(tmp_path: Path) -> None:
    assert ask("json.tool", "-h", limit_s=30).failure == "gave no answer that can be read"
    assert ask("no_such_module_here", limit_s=30).failure == "failed (status 1)"
    # A file in the working folder is not taken for a library.
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("raise SystemExit(9)")
    assert ask("json.tool", "-h", limit_s=30, folder=tmp_path).failure != "failed (status 9)"
