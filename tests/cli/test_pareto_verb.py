"""``counterpoint pareto``: the front as a table, a drawing, and a plan that was picked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Call

ON_THE_BOARD = ("pareto", "recorded:alexnet", "-p", "khadas_vim3")


def test_no_plan_of_the_front_is_as_good_as_another(call: Call) -> None:
    ended = call(*ON_THE_BOARD, "--json")
    assert (ended.status, ended.err) == (0, "")
    points = json.loads(ended.out)["points"]
    figures = [(point["latency_ns"], point["interval_ns"], point["energy_pj"]) for point in points]
    assert len(figures) > 2
    for one in figures:
        for other in figures:
            assert one == other or any(a < b for a, b in zip(one, other, strict=True))


def test_the_picked_plan_runs_in_virtual_time_as_told(call: Call, tmp_path: Path) -> None:
    plot, plan = tmp_path / "front.svg", tmp_path / "picked.plan.json"
    ended = call(*ON_THE_BOARD, "--json", "--plot", plot, "--pick", 1, "-o", plan)
    point = json.loads(ended.out)["points"][1]
    assert plot.read_text().count("<circle") == 2 * len(json.loads(ended.out)["points"])
    simulated = call(
        "simulate", "recorded:alexnet", "-p", "khadas_vim3", "--plan", plan, "--frames", 2000
    )
    assert (simulated.status, simulated.err) == (0, "")
    written = json.loads(plan.read_text())
    assert written["prediction"]["latency_ns"] == point["latency_ns"]
    assert written["prediction"]["interval_ns"] <= 1.02 * point["interval_ns"]


def test_refuses_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    plan = tmp_path / "x.plan.json"
    assert "by -p" in refused(2, "pareto", "zoo:alexnet")
    assert "give both or none" in refused(2, *ON_THE_BOARD, "--pick", 0)
    assert "plans 0 to" in refused(2, *ON_THE_BOARD, "--pick", 99, "-o", plan)
    assert not plan.exists()
