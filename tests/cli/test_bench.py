from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from counterpoint.bench.result import Basis, Metric
from counterpoint.bench.result_file import load_result
from tests.cli.conftest import Call


@pytest.fixture
def bench(call: Call, model: Path, store: Path, tmp_path: Path) -> Callable[..., dict[str, object]]:
    def run(*words: object, output: Path | None = None) -> dict[str, object]:
        target = output or tmp_path / "r.jsonl"
        ended = call(
            "bench",
            model,
            *("-d", "onnxruntime:CPU@fp32", "--quick", "--store", store, "-o", target, "--json"),
            *words,
        )
        assert ended.status == 0, ended
        document: dict[str, object] = json.loads(ended.out)
        return document

    return run


def test_it_measures_writes_and_goes_on(
    bench: Callable[..., dict[str, object]], call: Call, model: Path, tmp_path: Path, store: Path
) -> None:
    path = tmp_path / "r.jsonl"
    document = bench("--metric", "latency")
    assert document["format"] == "counterpoint-bench-summary"
    rows = document["rows"]
    assert isinstance(rows, list)
    assert {row["contender"] for row in rows} >= {
        "onnxruntime:CPU@fp32",
        "onnxruntime as installed",
    }
    for row in rows:
        assert row["sample_ns"]["count"] >= 24 or "not 24" in row["note"]
        assert row["sample_ns"]["p50"] <= row["sample_ns"]["p90"] <= row["sample_ns"]["p99"]
        interval = row["sample_ns"]["median_interval"]
        assert interval["low"] <= row["sample_ns"]["median"] <= interval["high"]
    result = load_result(path)
    assert result.machine.units == ("onnxruntime:CPU@fp32",) or result.machine.units
    assert len(result.rows) == len(rows)
    assert len(result.controls) == 1
    before = path.read_bytes()
    assert bench("--metric", "latency")["rows"] == rows
    assert path.read_bytes() == before
    words = ("bench", model, "-d", "onnxruntime:CPU@fp32", "--quick", "--store", store, "-o", path)
    ended = call(*words)
    assert ended.status == 2
    assert "metrics latency, now it is latency, throughput: give --fresh" in ended.err
    ended = call(*words, "--metric", "latency", "--fresh", "--no-peers")
    assert ended.status == 0
    assert "onnxruntime:CPU@fp32" in ended.out
    assert "latency in ms" in ended.out
    assert f"counterpoint report {path} draws it" in ended.out
    assert {row.contender.name for row in load_result(path).rows} == {"onnxruntime:CPU@fp32"}


def test_a_torn_line_is_told_of(bench: Callable[..., dict[str, object]], tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    bench("--metric", "latency", "--no-peers")
    with path.open("a") as stream:
        stream.write('{"row":')
    document = bench("--metric", "latency", "--no-peers")
    assert any("torn off" in str(note) for note in list(document["notes"]))  # type: ignore[call-overload]
    assert path.read_bytes().endswith(b"\n")


def test_photographs_and_modelled_energy(
    bench: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.full((20, 20, 3), 40 * number, np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    document = bench(
        "--metric",
        "throughput",
        "--no-peers",
        *("--images", folder, "--preprocess", "unit"),
        *("--energy", "off", "--modelled-energy", "2"),
    )
    (row,) = list(document["rows"])  # type: ignore[call-overload]
    assert row["images_per_s"] > 0
    assert row["energy"]["basis"] == "modelled"
    average_ns = load_result(tmp_path / "r.jsonl").rows[0].average_ns
    assert average_ns is not None
    assert row["energy"]["energy_uj"] == round(2 * average_ns / 1000)


def test_a_recorded_platform_joins_the_same_file(
    bench: Callable[..., dict[str, object]], call: Call, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    bench("--metric", "latency", "--no-peers")
    ended = call("bench", "recorded:alexnet", "-p", "khadas_vim3", "-o", path)
    assert ended.status == 0, ended
    assert "modelled: khadas_vim3" in ended.out
    result = load_result(path)
    assert {row.basis for row in result.rows} == set(Basis)
    plans = [row for row in result.rows if row.contender.name == "plan"]
    assert {row.metric for row in plans} == set(Metric)


def test_mistakes_are_one_line_before_anything_is_measured(
    refused: Callable[..., str], model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    for folder in (empty, broken):
        folder.mkdir()
    (broken / "photo.jpg").write_bytes(b"no photograph")
    words = ("bench", model, "--no-store", "-o", path)
    preset = ("--preprocess", "imagenet")
    assert "empty" in refused(2, *words, "--images", empty, *preset)
    assert "photo.jpg" in refused(2, *words, "--images", broken, *preset)
    assert "--images" in refused(2, *words, *preset)
    assert "precision" in refused(2, *words, "--precision", "fp7")
    assert "energy source" in refused(2, *words, "--energy", "sun")
    assert "no unit matches" in refused(2, *words, "-d", "abacus")
    assert "missing.onnx" in refused(2, "bench", tmp_path / "missing.onnx", "-o", path)
    assert "no network 'alexnett'" in refused(2, "bench", "zoo:alexnett", "-o", path)
    assert "name the platform" in refused(2, "bench", "recorded:alexnet", "-o", path)
    assert "give one" in refused(2, "bench", model, "zoo:alexnet", "--weights", model, "-o", path)
    assert "--images" in refused(
        2, "bench", "recorded:alexnet", "-p", "khadas_vim3", "--images", empty, "-o", path
    )
    assert not path.exists()
    assert "no folder" in refused(2, "bench", model, "-o", tmp_path / "a" / "r.jsonl")
    path.write_text("something else\n")
    assert "not JSON" in refused(2, *words, "-d", "onnxruntime:CPU@fp32", "--quick")
    assert path.read_text() == "something else\n"
