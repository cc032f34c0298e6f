"""What is told of a tuning under a budget."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from counterpoint.measure.confidence import drop
from counterpoint.report.accuracy import accuracy_document, accuracy_tables, accuracy_verdict
from counterpoint.report.accuracy_plot import accuracy_svg
from counterpoint.tuning.accuracy import Accuracy
from counterpoint.tuning.budget import AccuracyBudget
from counterpoint.tuning.mixed_precision import Found
from counterpoint.tuning.precision_tuning import Latency, PrecisionResult, tune_precision
from tests.report.rendering import rendered
from tests.tuning.small_classifier import small_classifier
from tests.tuning.test_mixed_precision import AlteredEngine, search_of


@pytest.fixture(scope="module")
def result() -> PrecisionResult:
    search = search_of(AlteredEngine("quick", slow=20), budget=AccuracyBudget(min_sqnr_db=10))
    return tune_precision(search, Latency(compare_installed=False))


def worth(result: PrecisionResult, accuracy: Accuracy, max_drop: float) -> PrecisionResult:
    return replace(result, accuracy=accuracy, budget=AccuracyBudget(max_drop=max_drop), judged=1)


def test_the_verdict_says_what_is_proven(result: PrecisionResult) -> None:
    few = worth(result, Accuracy(0.001, drop(0, 0, 32)), 1.0)
    assert "SQNR is 30.0 dB" in accuracy_verdict(few)
    assert "loses 0.0 points of images whose best class changes" in accuracy_verdict(few)
    assert "at most 10.7 points (at 95 %); to prove 1 point takes at least 381" in (
        accuracy_verdict(few)
    )
    many = worth(result, Accuracy(0.001, drop(1, 0, 2000), labelled=True), 1.0)
    assert "which is within the budget" in accuracy_verdict(many)
    assert "points of top-1" in accuracy_verdict(many)
    nothing = worth(result, Accuracy(0.0, drop(0, 0, 32)), 0.0)
    assert "that nothing is lost no number of images can prove" in accuracy_verdict(nothing)
    assert "its outputs are the same" in accuracy_verdict(nothing)
    several = replace(few, judged=4)
    assert "for 4 plans that were judged by the same images" in accuracy_verdict(several)


def test_tables_and_document_agree(result: PrecisionResult) -> None:
    network = small_classifier()
    document = json.loads(json.dumps(accuracy_document(network, result, "p.json")))
    assert document["int8_layers"] == list(result.plan.precision.int8)  # type: ignore[union-attr]
    assert document["budget"] == {"max_drop_points": None, "min_sqnr_db": 10}
    assert len(document["mixes"]) == len(result.found.mixes)
    assert document["sensitivity"][0]["layer"] == "conv0"
    told = rendered(accuracy_tables(network, result, "p.json"))
    assert "12 calibrate, 12 verify" in told
    assert "most sensitive" in told
    for mix in document["mixes"]:
        assert f"{len(mix['int8_layers'])} of 6" in told


def test_the_drawing_has_a_circle_for_each_mix(result: PrecisionResult) -> None:
    tree = ElementTree.fromstring(accuracy_svg("<net>", result.found))  # noqa: S314  # our own
    circles = [each for each in tree.iter() if each.tag.endswith("circle")]
    assert len(circles) == len(result.found.mixes)
    nothing = accuracy_svg("net", Found(notes=("int8 was not asked for",)))
    assert "int8 was not asked for" in nothing
    assert "<circle" not in nothing
