from __future__ import annotations

from counterpoint.measure.sampling import Comparison, Samples
from counterpoint.report.comparison import comparison_table, contender_body
from tests.report.rendering import rendered

TIMES = {"plan": (100, 100, 100), "slow": (200, 250, 200), "quick": (50, 40, 50)}
COMPARED = Comparison({label: Samples(times) for label, times in TIMES.items()}, TIMES)


def rows(*, as_speed: bool) -> list[list[str]]:
    made = comparison_table(
        "title", ["told"], COMPARED, "plan", lambda label: (label.upper(),), as_speed=as_speed
    )
    lines = rendered([made]).splitlines()[3:]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_the_fastest_comes_first_and_the_plan_stands_out() -> None:
    assert rows(as_speed=False) == [
        ["quick", "QUICK", "0.50x", "0.40 .. 0.50"],
        ["*", "plan (this plan)", "PLAN", "1.00x"],
        ["slow", "SLOW", "2.00x", "2.00 .. 2.50"],
    ]


def test_as_speed_more_is_better() -> None:
    assert [row[-2:] for row in rows(as_speed=True)] == [
        ["2.00x", "2.00 .. 2.50"],
        ["PLAN", "1.00x"],
        ["0.50x", "0.40 .. 0.50"],
    ]


def test_for_programs_the_ratio_is_of_times() -> None:
    assert contender_body(COMPARED, "slow", "plan", as_installed=True, batch=4) == {
        "label": "slow",
        "is_plan": False,
        "as_installed": True,
        "batch": 4,
        "ratio_to_plan": {"median": 2.0, "low": 2.0, "high": 2.5},
    }
