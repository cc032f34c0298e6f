"""Importing the package loads nothing large; each engine's library waits until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("onnx", "onnxruntime", "openvino", "numpy", "cv2", "google.protobuf", "pydantic", "rich")


def loaded_after(code: str) -> set[str]:
    """Which of :data:`HEAVY` a fresh interpreter has loaded after running that."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(HEAVY).intersection(done.stdout.split())


def test_the_package_loads_nothing_large() -> None:
    assert loaded_after("import counterpoint; counterpoint.__version__; dir(counterpoint)") == set()


@pytest.mark.parametrize("module", ["registry", "onnxruntime", "openvino", "reference"])
def test_engine_modules_load_no_engine(module: str) -> None:
    loaded = loaded_after(f"import counterpoint.engines.{module}")
    assert loaded.isdisjoint({"onnx", "onnxruntime", "openvino", "cv2"})


def test_listing_engines_loads_none() -> None:
    code = "from counterpoint.engines.registry import all_engines; all_engines()"
    assert loaded_after(code).isdisjoint({"onnx", "onnxruntime", "openvino"})


def test_reading_a_network_loads_no_engine() -> None:
    assert loaded_after("from counterpoint import load").isdisjoint({"onnxruntime", "openvino"})


def test_unknown_names_of_the_package() -> None:
    import counterpoint

    with pytest.raises(AttributeError, match="no attribute 'tunes'"):
        _ = counterpoint.tunes
    assert set(counterpoint.__all__) <= set(dir(counterpoint))
