"""The verb ``loadgen``: LoadGen against a real engine, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoint.bench.loadgen import sut
from counterpoint.bench.loadgen.log import DETAIL, SUMMARY
from tests.cli.conftest import Call
from tests.shared_data import require

UNIT = "onnxruntime:CPU@fp32"


@pytest.fixture(autouse=True)
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sut, "PROBE_NS", 20_000_000)


def test_single_stream_on_an_engine(call: Call, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")
    words = ["loadgen", model, "--unit", UNIT, "--scenario", "singlestream"]
    words += ["--min-duration", 0.2, "--min-queries", 200, "-o", tmp_path / "logs", "--json"]
    ended = call(*words)
    found = json.loads(ended.out)
    assert (found["format"], found["scenario"]) == ("counterpoint-loadgen", "SingleStream")
    assert found["queries"] >= 200
    assert ended.status == (0 if found["valid"] else 1)
    assert 0 < found["latency_ns"]["50.00"] <= found["latency_ns"]["90.00"]
    assert found["unlike_official"] == [
        "minimum duration 200 ms instead of 600000",
        "16 images instead of 1024",
    ]
    assert {SUMMARY, DETAIL} <= {path.name for path in (tmp_path / "logs").iterdir()}


def test_offline_in_batches_as_people_see_it(call: Call, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")
    words = ["loadgen", model, "-b", 4, "--unit", UNIT, "--scenario", "Offline"]
    words += ["--min-duration", 0.2, "--min-queries", 50, "-o", tmp_path]
    told = call(*words).out
    assert "LoadGen says" in told
    assert "images/s" in told
    assert "minimum of queries 50 instead of 24576" in told


def test_accuracy_is_what_the_network_reaches(call: Call, tmp_path: Path) -> None:
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")
    photos = require("images/imagenet_sample")
    folder = require("models/squeezenet_v1.1")
    words = ["loadgen", folder / "deploy.prototxt", "-b", 5, "--unit", "openvino:CPU@fp32"]
    words += ["--weights", folder / "squeezenet_v1.1.caffemodel", "--scenario", "MultiStream"]
    words += ["--accuracy", "--images", photos, "--preprocess", "caffe"]
    words += ["--labels", photos / "labels.csv", "-o", tmp_path, "--json"]
    ended = call(*words)
    assert ended.status == 0, ended
    found = json.loads(ended.out)
    assert found["answers"] == 65
    # 49 of 65: column sq11_caffe_fp16w_top1 of the data's predictions.csv.
    assert found["top_1"] == 49 / 65


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scenario", "Offline"], "give either --plan plan.json"),
        (["--scenario", "Poisson", "--unit", UNIT], "Poisson"),
        (["--scenario", "Offline", "--unit", UNIT, "--qps", "5"], "are for --scenario Server"),
        (["--scenario", "Offline", "--unit", UNIT, "--accuracy"], "--accuracy needs photographs"),
        (["--scenario", "Offline", "--unit", UNIT, "--labels", "x"], "--labels is for --accuracy"),
        (["--scenario", "Offline", "--unit", UNIT, "--preprocess", "caffe"], "is for --images"),
    ],
)
def test_what_does_not_fit_is_refused(
    refused: Callable[..., str], model: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")
    assert told in refused(2, "loadgen", model, *words, "-o", tmp_path)


def test_a_folder_without_images_is_refused(
    refused: Callable[..., str], model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")
    words = ["--scenario", "Offline", "--unit", UNIT, "--preprocess", "caffe"]
    assert "no JPEG, PNG or BMP in this folder" in refused(
        2, "loadgen", model, *words, "--images", tmp_path, "-o", tmp_path / "logs"
    )


def test_without_loadgen_it_says_how_to_get_it(
    refused: Callable[..., str], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    words = ["--scenario", "Offline", "--unit", UNIT, "-o", tmp_path]
    assert "pip install 'counterpoint[loadgen]'" in refused(3, "loadgen", model, *words)
