"""``counterpoint report``: pages of what other verbs wrote or printed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoint.bench.result_file import save_result
from tests.cli.conftest import Call
from tests.report.html_results import bench_result

BOARD = ("recorded:alexnet", "-p", "khadas_vim3")


def test_a_bench_with_its_tables(call: Call, tmp_path: Path) -> None:
    save_result(bench_result(), tmp_path / "bench.jsonl")
    page, tables = tmp_path / "r.html", tmp_path / "tables"
    ended = call("report", tmp_path / "bench.jsonl", "-o", page, "--csv", tables, "--json")
    assert (ended.status, ended.err) == (0, "")
    told = json.loads(ended.out)
    assert told["format"] == "counterpoint-report"
    assert "Roofline" in told["sections"]
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert {path.stem for path in tables.iterdir()} == set(told["tables"])
    with (tables / "rows.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(bench_result().rows)
    assert rows[0]["network"] == "zoo:alexnet"
    assert rows[0]["median_ns"] == "12450000"


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        (("pareto", *BOARD), ["Front"]),
        (("plan", *BOARD), ["Result", "Timeline", "Segments"]),
    ],
)
def test_what_verbs_print(
    call: Call, tmp_path: Path, words: tuple[str, ...], sections: list[str]
) -> None:
    (tmp_path / "document.json").write_text(call(*words, "--json").out)
    page = tmp_path / "r.html"
    ended = call("report", tmp_path / "document.json", "-o", page, "--json")
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out)["sections"] == sections
    assert page.exists()


def test_a_plan_and_its_simulation_on_one_page(call: Call, tmp_path: Path) -> None:
    plan, trace = tmp_path / "p.plan.json", tmp_path / "trace.json"
    assert call("plan", *BOARD, "--objective", "throughput", "-o", plan).status == 0
    simulated = call("simulate", *BOARD, "--plan", plan, "--trace", trace, "--json")
    (tmp_path / "simulation.json").write_text(simulated.out)
    page = tmp_path / "r.html"
    ended = call("report", plan, tmp_path / "simulation.json", trace, "-o", page)
    assert (ended.status, ended.err) == (0, "")
    assert "Plan, Timeline, Segments, Simulation, Devices, Trace, Trace by segment" in ended.out


def test_refuses_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    good = tmp_path / "bench.jsonl"
    save_result(bench_result(), good)
    assert "no file" in refused(2, "report")
    assert "cannot read" in refused(2, "report", tmp_path / "none.json", "-o", tmp_path / "r.html")
    assert "give another name" in refused(2, "report", good, "-o", good)
    assert "there is no folder" in refused(2, "report", good, "-o", tmp_path / "no" / "r.html")
    (tmp_path / "photo.json").write_bytes(b"\xff\xd8\xff\xe0")
    assert "is not JSON" in refused(2, "report", tmp_path / "photo.json", "-o", tmp_path / "r.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.jsonl", "photo.json"]
