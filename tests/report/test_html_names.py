from __future__ import annotations

import csv
import html
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.report.html.content import Column, Facts, Figure, Report, Section, Table, Text
from counterpoint.report.html.csv_tables import write_tables
from counterpoint.report.html.names import elided, in_csv, in_html, in_plot, slug
from counterpoint.report.html.page import page
from tests.report.html_results import HOSTILE


@given(st.text())
def test_html_shows_the_name_itself(name: str) -> None:
    shown = in_html(name, 10_000)
    assert not set(shown) & set("<>\"'")
    assert "\n" not in shown
    if name.isprintable():
        assert html.unescape(shown) == name


@given(st.text(), st.integers(3, 40))
def test_elided_keeps_both_ends(name: str, most: int) -> None:
    short = elided(name, most)
    assert len(short) <= most
    if len(name) <= most:
        assert short == name
    else:
        assert short.startswith(name[: (most - 1) // 2])
        assert short.endswith(name[-((most - 1) // 2) :])


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_does_not_compute_names(name: str) -> None:
    assert in_csv(name).startswith(("'", "\\"))


def test_names_of_files_and_anchors() -> None:
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("Größe, <b>") == "gr-e-b"
    assert slug("///") == "unnamed"
    assert len(slug("x" * 999)) == 60


def report_with(name: str) -> Report:
    figure = Figure(title=name, traces=[{"type": "bar", "name": in_plot(name), "x": [1], "y": [2]}])
    table = Table(
        name="rows",
        title=name,
        columns=(Column("name", "name"), Column("time_ns", "ms", str)),
        rows=((name, 1), (None, None)),
    )
    facts = Facts(((name, name),))
    return Report(name, name, (Section(name, (Text(name), facts, figure, table)),))


def test_a_name_cannot_end_the_elements_it_stands_in() -> None:
    plain, hostile = page(report_with("plain")), page(report_with(HOSTILE))
    for mark in ("<script", "</script", "<img", "<b>", "<td", "<h1"):
        assert hostile.count(mark) == plain.count(mark), mark


def test_figures_come_through_their_script_element() -> None:
    text = page(report_with(HOSTILE))
    inside = text.split('id="figures">')[1].split("</script>")[0]
    (figure,) = json.loads(inside)
    assert html.unescape(figure["traces"][0]["name"]) == HOSTILE


def test_csv_holds_numbers_and_whole_names(tmp_path: Path) -> None:
    long = "n" * 500 + ",\"'"
    (path,) = write_tables(report_with(long), tmp_path / "new folder")
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    assert rows == [["name", "time_ns"], [long, "1"], ["", ""]]


def test_tables_of_one_name_are_files_of_their_own(tmp_path: Path) -> None:
    one = report_with("x")
    both = Report("x", "x", one.sections * 2)
    assert [path.name for path in write_tables(both, tmp_path)] == ["rows.csv", "rows-2.csv"]
