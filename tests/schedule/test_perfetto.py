from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from counterpoint.errors import MachineError
from counterpoint.schedule.perfetto import write_perfetto
from counterpoint.schedule.trace import Span, Trace

PREDICTED = Trace(
    "predicted",
    (
        Span("conv1", "e:a@fp32", ("a",), 0, 0, 0, 0, 1500),
        Span("fc", "e:a+b@fp32", ("a", "b"), 0, 0, 1, 1500, 2001),
        Span("conv1", "e:a@fp32", ("a",), 1, 0, 0, 2001, 3501),
    ),
)
MEASURED = Trace("measured", (Span('co"nv\n', "e:a@fp32", ("a",), 0, 0, 0, 7_000, 9_000),))


def events_of(tmp_path: Path, *traces: Trace) -> list[dict[str, Any]]:
    path = tmp_path / "trace.json"
    write_perfetto(path, traces)
    document = json.loads(path.read_text(encoding="utf-8"))
    events: list[dict[str, Any]] = document["traceEvents"]
    return events


def test_sums() -> None:
    assert PREDICTED.busy_ns == {"a": 3501, "b": 501}
    assert (PREDICTED.start_ns, PREDICTED.makespan_ns) == (0, 3501)
    assert (MEASURED.start_ns, MEASURED.makespan_ns) == (7000, 2000)
    assert Trace("measured", ()).makespan_ns == 0


def test_predicted_and_measured_side_by_side(tmp_path: Path) -> None:
    events = events_of(tmp_path, PREDICTED, MEASURED)
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M"}
    assert names == {
        (1, 0): "predicted",
        (1, 1): "a",
        (1, 2): "b",
        (2, 0): "measured",
        (2, 1): "a",
    }


def test_slices_are_in_microseconds_from_the_start(tmp_path: Path) -> None:
    events = events_of(tmp_path, PREDICTED, MEASURED)
    slices = [(e["pid"], e["tid"], e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert slices == [
        (1, 1, "conv1", 0.0, 1.5),
        (1, 1, "fc", 1.5, 0.501),
        (1, 2, "fc", 1.5, 0.501),
        (1, 1, "conv1", 2.001, 1.5),
        (2, 1, 'co"nv\n', 0.0, 2.0),
    ]
    assert events[3]["args"] == {"unit": "e:a@fp32", "frame": 0, "lane": 0, "segment": 0}


def test_a_flow_joins_the_spans_of_a_frame(tmp_path: Path) -> None:
    flows = [e for e in events_of(tmp_path, PREDICTED) if e["ph"] in "stf"]
    assert [(e["ph"], e["tid"], e["ts"]) for e in flows] == [("s", 1, 0.75), ("f", 1, 1.75)]
    assert len({e["id"] for e in flows}) == 1


def test_flows_of_two_traces_are_apart(tmp_path: Path) -> None:
    flows = [e for e in events_of(tmp_path, PREDICTED, PREDICTED) if e["ph"] == "s"]
    assert len({e["id"] for e in flows}) == 2


def test_empty(tmp_path: Path) -> None:
    assert events_of(tmp_path) == []
    assert [e["ph"] for e in events_of(tmp_path, Trace("measured", ()))] == ["M"]


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        write_perfetto(tmp_path / "missing" / "trace.json", [PREDICTED])
