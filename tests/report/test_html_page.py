from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from counterpoint.errors import MachineError, UserInputError
from counterpoint.report.html import write_report
from counterpoint.report.html.content import Choice, Report, Section, Table, Text
from counterpoint.report.html.page import page
from tests.report.html_results import bench_result, traces


class Elements(HTMLParser):
    """Attributes of each element, contents of scripts, and whether all that opens closes."""

    VOID = ("meta", "br", "img")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: list[tuple[str, str, str | None]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def whole() -> str:
    from counterpoint.report.html.writing import report_of

    return page(report_of(bench_result()))


def test_every_element_is_closed(whole: str) -> None:
    assert Elements(whole).open == []


def test_nothing_is_loaded(whole: str) -> None:
    for tag, name, value in Elements(whole).attributes:
        if name in ("src", "href", "action", "data", "srcset"):
            assert value is not None
            assert value.startswith("#"), (tag, name, value[:80])


def test_the_policy_knows_the_two_scripts_and_forbids_the_network(whole: str) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert found is not None
    rules = dict(rule.strip().split(" ", 1) for rule in found[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules  # falls back to 'none'
    _, library, script = Elements(whole).scripts
    hashes = {
        f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
        for text in (library, script)
    }
    assert set(rules["script-src"].split()) == hashes
    assert "unsafe" not in rules["script-src"]


def test_sections_without_content_are_left_out() -> None:
    report = Report("t", "s", (Section("empty", ()), Section("full", (Text("here"),))))
    text = page(report)
    assert "full" in text
    assert "<h2>empty</h2>" not in text


def test_headings_that_are_alike_have_anchors_of_their_own() -> None:
    report = Report("t", "s", tuple(Section("Same", (Text(str(n)),)) for n in range(3)))
    text = page(report)
    assert re.findall(r'<section id="([^"]*)"', text) == ["same", "same-2", "same-3"]
    assert re.findall(r'<a href="#([^"]*)"', text) == ["same", "same-2", "same-3"]


def test_a_table_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="one cell for each column"):
        Table(name="t", title="t", columns=(), rows=((1,),))


def test_tables_in_choices_are_found() -> None:
    table = Table(name="inner", title="t", columns=(), rows=())
    report = Report("t", "s", (Section("h", (Choice("unit", (("a", (table,)),)),)),))
    assert report.tables() == (table,)


def test_results_stand_under_each_other(tmp_path: Path) -> None:
    made = write_report([bench_result(), traces()], tmp_path / "r.html")
    headings = [section.heading for section in made.sections if section.blocks]
    assert headings[0] == "Overview"
    assert headings[-2:] == ["Trace", "Trace by segment"]


def test_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.mkdir()
    with pytest.raises(MachineError, match=r"r\.html"):
        write_report(traces(), target)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserInputError, match="cannot make the folder"):
        write_report(traces(), tmp_path / "x.html", csv_folder=tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "r.html", "x.html"]
