"""Breakdowns as tables and as a document."""

from __future__ import annotations

import json

from counterpoint.bench.insights.computed import insights
from counterpoint.bench.result import Function, Insight
from counterpoint.report.breakdown import BreakdownReport, breakdown_document, breakdown_tables
from counterpoint.report.document import to_json
from counterpoint.report.insights import insight_tables
from tests.bench.records import breakdown, point, result
from tests.report.rendering import rendered

MS = 1_000_000

ONE = breakdown(
    "n",
    [
        (Function.COMPUTE, 6 * MS, "Conv"),
        (Function.WAITING, 2 * MS, "Conv"),
        (Function.COMPUTE, 1 * MS, "pooling"),
        (Function.PYTHON, 1 * MS, ""),
    ],
    name="one",
)
TWO = breakdown("n", [(Function.COMPUTE, 3 * MS, "Conv")], name="two", threads=None, variant="v")
POINTS = (point("n", "Conv", 8 * MS, operations=4 * MS, unit="one"),)


def report() -> BreakdownReport:
    found = insights(result(breakdowns=[ONE, TWO], points=POINTS))
    return BreakdownReport(
        network="n",
        breakdowns=(ONE, TWO),
        points=POINTS,
        insights=found,
        copy_bytes_per_s=2e10,
        left_out={"three": "no such operator"},
    )


def lines_with(text: str, word: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split("\n") if line.startswith(word)]


def test_functions_and_types_stand_side_by_side_with_their_shares() -> None:
    text = rendered(breakdown_tables(report()))
    assert lines_with(text, "compute")[0] == "compute 7.000 70.0 % 3.000 100.0 %"
    assert lines_with(text, "synchronisation")[0].endswith("2.000 20.0 % 0.000 0.0 %")
    assert lines_with(text, "the whole") == ["the whole 10.0 ms 3.00 ms"]
    assert lines_with(text, "threads") == ["threads 2 ?"]
    assert lines_with(text, "in no layer") == ["in no layer 1.000 10.0 % 0.000 0.0 %"]
    assert "two, v" in text
    assert "- made up" in text
    assert "- three is left out: no such operator" in text
    assert "20 GB/s of memory" in text


def test_layers_are_shown_with_their_distance_from_the_roof() -> None:
    text = rendered(breakdown_tables(report()))
    assert "Conv Conv 8.000 80.0 % 25.0 % 4.000 50.0 % compute-bound" in lines_with(text, "Conv")
    assert "pooling pooling 1.000 10.0 % 0.0 %" in lines_with(text, "pooling")


def test_shorter_layers_are_counted_and_left_out() -> None:
    text = rendered(breakdown_tables(report(), limit=1))
    assert "and 1 shorter ones" in text
    assert "pooling pooling" not in " ".join(text.split())


def test_the_document_has_everything() -> None:
    content = json.loads(to_json(breakdown_document(report())))
    first, second = content["breakdowns"]
    assert first["by_function_ns"] == {
        "compute": 7 * MS,
        "synchronisation and waiting": 2 * MS,
        "Python": MS,
    }
    assert first["by_type_ns"] == {"Conv": 8 * MS, "pooling": MS}
    assert [part["time_ns"] for part in first["parts"]] == [6 * MS, 2 * MS, MS, MS]
    assert (second["variant"], second["threads"]) == ("v", None)
    assert content["points"][0]["roof_ns"] == 4 * MS
    assert {insight["name"] for insight in content["insights"]} >= {"layers-that-lose"}
    assert content["left_out"] == {"three": "no such operator"}


def test_findings_say_whether_a_published_claim_holds() -> None:
    found = [Insight("a", "x", (), True), Insight("b", "y", (), False), Insight("c", "z", ())]
    text = rendered(insight_tables(found))
    assert lines_with(text, "a ") == ["a holds x"]
    assert lines_with(text, "b ") == ["b does not hold y"]
    assert lines_with(text, "c ") == ["c z"]
    assert insight_tables([]) == []
