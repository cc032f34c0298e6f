from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from counterpoint.cli.main import main
from counterpoint.report.document import to_json
from counterpoint.report.reproduction import (
    reproduction_document,
    reproduction_page,
    reproduction_tables,
)
from counterpoint.report.reproduction_plot import reproduction_svg
from counterpoint.reproduce.catalogue import REPRODUCTIONS, reproduce
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, within
from tests.report.rendering import rendered

SVG = "{http://www.w3.org/2000/svg}"
PAGE = Path(__file__).parents[2] / "docs" / "reproduced.md"

MADE = Reproduction(
    name="made-up",
    title="A title",
    sources=("A | source",),
    figures=(
        Figure(what="time <of> it", unit="ms", published=100.0, model=110.0, bar=within(100, 0.2)),
        Figure(
            what="gain",
            unit="%",
            published=4.0,
            model=3.0,
            planner=3.5,
            bound=3.75,
            bar=at_least(4.0),
            judges_planner=True,
            note="a | note",
        ),
        Figure(what="words only", unit="x", planner=2.0),
    ),
    notes=("How it works.",),
)


def test_the_table_has_every_figure() -> None:
    text = rendered(reproduction_tables([MADE]))
    cells = {
        line.split("  ")[0]: [cell.strip() for cell in line.split("  ") if cell.strip()][1:]
        for line in text.splitlines()
    }
    assert cells["time <of> it"] == ["100.0 ms", "110.0 ms", "+10.0 %", "within 20 %: met"]
    assert cells["gain"] == [
        *("4.00 %", "3.00 %", "-1.00", "3.50 %", "3.75 %"),
        *("at least 4: missed", "a | note"),
    ]
    assert cells["words only"] == ["2.00 x"]
    assert "1 of 2 bars met; missed: gain" in text
    assert "source: A | source" in text


def test_the_document_has_every_figure() -> None:
    document = json.loads(to_json(reproduction_document([MADE])))
    assert document["format"] == "counterpoint-reproduction-report"
    (one,) = document["reproductions"]
    assert one["figures"][1] == {
        "what": "gain",
        "unit": "%",
        "published": 4.0,
        "model": 3.0,
        "error": -1.0,
        "planner": 3.5,
        "bound": 3.75,
        "bar": "at least 4",
        "bar_is_for": "planner",
        "holds": False,
        "note": "a | note",
    }


@pytest.mark.slow  # builds seven networks, the largest of half a gigabyte
def test_the_page_of_the_docs_is_what_the_command_writes() -> None:
    made = reproduce()
    assert [one.name for one in made] == list(REPRODUCTIONS)
    assert PAGE.read_text(encoding="utf-8") == reproduction_page(made)


def test_a_cell_stays_one_cell() -> None:
    page = reproduction_page([MADE])
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}


def test_the_drawing_has_a_circle_for_each_value_that_compares() -> None:
    drawing = ET.fromstring(reproduction_svg([MADE]))  # noqa: S314
    (circle,) = drawing.findall(f"{SVG}circle")
    line = next(one for one in drawing.iter(f"{SVG}line") if one.attrib["stroke"] == "#147")
    assert float(circle.attrib["cx"]) > float(line.attrib["x1"])
    assert [one.text for one in drawing.iter(f"{SVG}title")] == [
        "110.0 ms where 100.0 ms was published"
    ]
    nothing = Reproduction(name="n", title="t", sources=(), figures=MADE.figures[2:])
    assert "no figure has a published value" in reproduction_svg([nothing])


def test_the_verb_writes_all_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot, page = tmp_path / "a.svg", tmp_path / "a.md"
    words = ["reproduce", "two-googlenets", "--json", "--plot", str(plot), "--page", str(page)]
    assert main(words) == 0
    (one,) = json.loads(capsys.readouterr().out)["reproductions"]
    assert one["name"] == "two-googlenets"
    assert ET.fromstring(plot.read_text(encoding="utf-8")).tag == f"{SVG}svg"  # noqa: S314
    assert "## two-googlenets" in page.read_text(encoding="utf-8")


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "nothing"]) == 2
    ended = capsys.readouterr()
    assert ended.out == ""
    assert ended.err.startswith("counterpoint: error: nothing to reproduce is called 'nothing'")
    assert ended.err.count("\n") == 1
