from __future__ import annotations

import json
from math import inf, nan

import pytest

from counterpoint.report.document import document, finite, to_json


def test_a_document_names_its_format_and_version() -> None:
    assert document("x", {"a": 1}) == {"format": "counterpoint-x", "version": 1, "a": 1}


def test_any_name_survives_as_ascii() -> None:
    name = 'ü\ud800\x1b"\n'
    text = to_json({"name": name})
    assert text.isascii()
    assert json.loads(text) == {"name": name}


@pytest.mark.parametrize("value", [nan, inf, -inf, None])
def test_what_json_does_not_know_is_null(value: float | None) -> None:
    assert finite(value) is None


def test_numbers_stay() -> None:
    assert finite(1.5) == 1.5
