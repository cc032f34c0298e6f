from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.planning.pareto import ParetoFront, ParetoPoint
from counterpoint.planning.result import PlannedLane
from counterpoint.report.document import to_json
from counterpoint.report.pareto import pareto_document, pareto_tables, units_text
from counterpoint.report.pareto_plot import HEIGHT, WIDTH, pareto_svg
from tests.report.costed import chain
from tests.report.rendering import rendered

SVG = "{http://www.w3.org/2000/svg}"

ALONE = ParetoPoint((PlannedLane((((0, 1, 2, 3), "a"),)),), 10_000_000, 10_000_000, 3_000_000_000)
MIXED = ParetoPoint(
    (
        PlannedLane((((0,), "a"), ((1,), "b"), ((2, 3), "a"))),
        PlannedLane((((0, 1, 2, 3), "b"),), 2),
    ),
    20_000_000,
    4_000_000,
    5_000_000_000,
)
FRONT = ParetoFront(points=(ALONE, MIXED), settings={"units": ("a", "b"), "idle_power_mw": 500})


def test_the_table_has_a_row_for_each_plan() -> None:
    text = rendered(pareto_tables(chain(), FRONT))
    lines = text.splitlines()
    assert lines[0].strip() == "fake: plans of which none is better in everything"
    rows = [line.split("  ") for line in lines if line[:1].isdigit()]
    shown = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert shown == [
        ["0", "a", "10.0 ms", "100", "3.00 mJ"],
        ["1", "1/3 a > b; 2/3 b", "20.0 ms", "250", "5.00 mJ"],
    ]
    assert "the idle machine takes 500 mW" in text


def test_says_what_counts_as_nothing_and_what_is_in_the_way() -> None:
    unknown = ParetoFront(points=(ALONE,), settings={"idle_power_mw": None})
    assert "not known and counts as 0" in rendered(pareto_tables(chain(), unknown))
    nothing = ParetoFront(points=(), reason="no unit can run layer 'x'")
    assert rendered(pareto_tables(chain(), nothing)) == "no plan: no unit can run layer 'x'\n"
    assert "no unit can run layer 'x'" in pareto_svg("net", nothing)


def test_the_document_has_every_figure() -> None:
    document = json.loads(to_json(pareto_document(chain(), FRONT)))
    assert document["format"] == "counterpoint-pareto-report"
    assert document["settings"] == {"units": ["a", "b"], "idle_power_mw": 500}
    assert document["points"][1] == {
        "latency_ns": 20_000_000,
        "interval_ns": 4_000_000,
        "energy_pj": 5_000_000_000,
        "lanes": [
            {
                "share": 1,
                "segments": [
                    {"layers": [0], "unit": "a"},
                    {"layers": [1], "unit": "b"},
                    {"layers": [2, 3], "unit": "a"},
                ],
            },
            {"share": 2, "segments": [{"layers": [0, 1, 2, 3], "unit": "b"}]},
        ],
    }


def test_a_lane_names_its_units_once() -> None:
    assert units_text(ALONE) == "a"
    assert units_text(MIXED) == "1/3 a > b; 2/3 b"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 10**12)] * 3), min_size=1, max_size=5),
    st.text(max_size=20),
)
def test_the_drawing_keeps_the_order_of_times_and_energies(
    figures: list[tuple[int, int, int]], name: str
) -> None:
    points = tuple(
        ParetoPoint((PlannedLane((((0,), "<a & b>"),)),), latency, min(interval, latency), energy)
        for latency, interval, energy in figures
    )
    drawing = ET.fromstring(pareto_svg(name, ParetoFront(points=points)))  # noqa: S314
    circles = drawing.findall(f"{SVG}circle")
    assert len(circles) == 2 * len(points)
    places = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in circles]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    for point, alone, dense in zip(points, places[::2], places[1::2], strict=True):
        assert dense[0] <= alone[0]
        assert dense[1] == alone[1]
        for other, place in zip(points, places[::2], strict=True):
            if point.energy_pj < other.energy_pj:
                assert alone[1] >= place[1]
    assert {one.text for one in drawing.iter(f"{SVG}title")} == {"<a & b>"}
