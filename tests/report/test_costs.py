from __future__ import annotations

import json

from counterpoint.report.costs import cell_text, costs_document, costs_tables, refusal_lines
from counterpoint.report.document import to_json
from tests.report.costed import chain, costs
from tests.report.rendering import rendered


def test_a_cell_is_a_time_a_refusal_or_unknown() -> None:
    table = costs(chain())
    assert cell_text(table, 0, 0) == "0.005"
    assert cell_text(table, 0, 1) == "-"
    assert cell_text(table, 3, 1) == "?"


def test_refusals_of_one_reason_are_one_line() -> None:
    network = chain()
    table = costs(network)
    table.refusals.update(dict.fromkeys([(0, 0), (1, 0), (2, 0), (3, 0)], "too big"))  # type: ignore[attr-defined]
    assert refusal_lines(table, [0, 1]) == [
        "a:NPU.0@fp32 refuses layer0, layer1 and 2 more layers: too big",
        "b:NPU.1@fp32 refuses layer0: no such operator",
    ]


def test_the_table_shows_every_unit_and_what_it_cannot_do() -> None:
    network = chain()
    text = rendered(costs_tables(network, costs(network), limit=2))
    assert "a:NPU.0@fp32" in text
    assert "and 2 more" in text
    assert "b:NPU.1@fp32 refuses layer0: no such operator" in text
    assert "layer3" not in text


def test_the_document_has_every_cell() -> None:
    network = chain()
    document = json.loads(to_json(costs_document(network, costs(network))))
    assert [layer["time_ns"] for layer in document["layers"]] == [
        [5000, None],
        [6000, 90_000],
        [70_000, 700],
        [80_000, None],
    ]
    whole = {unit["name"]: unit["whole_network_ns"] for unit in document["units"]}
    # entry, layers, and the way in (100 + 16 bytes) and out (10) of the unit's layout
    assert whole == {"a:NPU.0@fp32": 1000 + 161_000 + 116 + 10, "b:NPU.1@fp32": None}
    assert document["refusals"] == [
        {"layer": 0, "unit": "b:NPU.1@fp32", "reason": "no such operator"}
    ]
