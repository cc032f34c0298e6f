from __future__ import annotations

import json

from counterpoint.report.document import to_json
from counterpoint.report.explanation import explain, explanation_document, explanation_tables
from counterpoint.schedule.plan import Segment
from tests.report.costed import A, B, chain, costs, plan
from tests.report.rendering import rendered

SEGMENTS = (Segment((0, 1), A.name), Segment((2,), B.name), Segment((3,), A.name))


def test_layers_entries_and_hand_overs_add_up_to_the_latency() -> None:
    network = chain()
    explained = explain(network, costs(network), plan(network, SEGMENTS))
    parts = [(b.layers_ns, b.entry_ns, b.move_ns) for b in explained.boundaries]
    assert parts == [
        (11_000, 1000, 100 + 16 + 10),
        (700, 2000, 200 + 32 + 20),
        (80_000, 1000, 100 + 16 + 10),
    ]
    assert explained.evaluation.latency_ns == sum(map(sum, parts))
    assert [b.moved_bytes for b in explained.boundaries] == [16, 16, 16]


def test_the_alternatives_are_there() -> None:
    network = chain()
    explained = explain(network, costs(network), plan(network, SEGMENTS))
    assert explained.single_ns == {A.name: 162_126, B.name: None}
    assert explained.planned.value == explained.evaluation.latency_ns
    text = rendered(explanation_tables(network, explained))
    for expected in ("0.005 *", "0.090", "0.001 *", "- refused", "no such operator", "cannot"):
        assert expected in text
    assert "no plan under these costs is faster (proven)" in text
    assert "measured   110 us" in text


def test_the_document_has_each_layer_with_its_alternatives() -> None:
    network = chain()
    explained = explain(network, costs(network), plan(network, SEGMENTS))
    document = json.loads(to_json(explanation_document(network, explained)))
    assert [layer["unit"] for layer in document["layers"]] == [A.name, A.name, B.name, A.name]
    assert document["layers"][0]["costs"] == [
        {"unit": A.name, "time_ns": 5000, "refused_because": None},
        {"unit": B.name, "time_ns": None, "refused_because": "no such operator"},
    ]
    assert document["promised"] == {
        "latency_ns": 100_000,
        "lower_bound_ns": 90_000,
        "measured_ns": 110_000,
    }


def test_a_plan_that_these_costs_forbid_says_why() -> None:
    network = chain()
    explained = explain(network, costs(network), plan(network, (Segment((0, 1, 2, 3), B.name),)))
    assert explained.boundaries == ()
    text = rendered(explanation_tables(network, explained))
    assert "cannot run: b:NPU.1@fp32 cannot run layer 'layer0': no such operator" in text
    document = explanation_document(network, explained)
    assert document["latency_ns"] is None
    assert document["violations"]
