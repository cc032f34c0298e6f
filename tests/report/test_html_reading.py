from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.result import BenchResult
from counterpoint.bench.result_file import save_result
from counterpoint.costs.objective import Objective
from counterpoint.errors import PlanFileError, ResultFileError, UserInputError
from counterpoint.report.html import document_of, read
from counterpoint.report.html.inputs import reading
from counterpoint.report.html.inputs.documents import (
    DOCUMENTS,
    ExplorationDocument,
    ParetoDocument,
    SimulationDocument,
    TuningDocument,
)
from counterpoint.report.simulation import simulation_document
from counterpoint.schedule.perfetto import write_perfetto
from counterpoint.schedule.plan import Segment
from counterpoint.schedule.plan_file import save_plan
from tests.report.costed import A, B, chain, plan
from tests.report.html_results import bench_result, traces
from tests.report.test_simulation import two_stages


def test_a_bench(tmp_path: Path) -> None:
    save_result(bench_result(), tmp_path / "r.jsonl")
    found = read(tmp_path / "r.jsonl")
    assert isinstance(found, BenchResult)
    assert found == bench_result()


def test_a_plan(tmp_path: Path) -> None:
    segments = (Segment((0, 1), A.name), Segment((2, 3), B.name))
    made = plan(chain(), segments, objective=Objective.LATENCY)
    save_plan(made, tmp_path / "p.json")
    assert read(tmp_path / "p.json") == made


def test_traces_as_they_were_written(tmp_path: Path) -> None:
    written = traces(frames=4)
    write_perfetto(tmp_path / "t.json", written)
    assert read(tmp_path / "t.json") == written


def test_documents_of_verbs(tmp_path: Path, call_json: Callable[..., dict[str, Any]]) -> None:
    made = simulation_document(plan(chain(), (Segment((0, 1, 2, 3), A.name),)), two_stages(10))
    assert isinstance(document_of(made), SimulationDocument)
    pareto = call_json("pareto", "recorded:alexnet", "-p", "khadas_vim3")
    found = document_of(pareto)
    assert isinstance(found, ParetoDocument)
    assert [point.energy_pj for point in found.points] == [
        point["energy_pj"] for point in pareto["points"]
    ]
    planned = call_json("plan", "recorded:alexnet", "-p", "khadas_vim3")
    assert isinstance(document_of(planned), TuningDocument)


@pytest.fixture
def call_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    from counterpoint.cli.main import main

    def call(*words: str) -> dict[str, Any]:
        assert main([*words, "--json"]) == 0
        made: dict[str, Any] = json.loads(capsys.readouterr().out)
        return made

    return call


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("[1, 2]", "nothing to report on"),
        ("{}", "it has no format"),
        ('{"format": "counterpoint-devices", "version": 1}', "its format is 'counterpoint-dev"),
        ('{"format": ["x"], "version": 1}', "nothing to report on"),
        ('{"format": "counterpoint-pareto-report"}', "'version' is not a whole number"),
        ('{"format": "counterpoint-pareto-report", "version": 99}', "upgrade"),
        ('{"format": "counterpoint-pareto-report", "version": 1}', "'network' is missing"),
        (
            '{"format": "counterpoint-pareto-report", "version": 1, "network": "n", '
            '"reason": null, "points": 3}',
            "'points'",
        ),
        ('{"traceEvents": [{"ph": "X"}]}', "'traceEvents.0.name' is missing"),
        (
            '{"traceEvents": [{"ph": "M", "name": "process_name", "pid": 1, "tid": 0, '
            '"args": {"name": "chrome"}}]}',
            "none of Counterpoint's",
        ),
        (
            '{"traceEvents": [{"ph": "X", "name": "x", "pid": 1, "tid": 0, "ts": -1}]}',
            "ts or dur is not",
        ),
        ('{"format": "counterpoint-plan", "version": 2}', "missing"),
        ('{"a": NaN}', "is not JSON"),
    ],
)
def test_refused_in_a_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises((ResultFileError, PlanFileError)) as caught:
        read(path)
    assert said in str(caught.value)
    assert "some.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match="cannot read"):
        read(tmp_path / "none.json")
    with pytest.raises(ResultFileError, match="cannot read"):
        read(tmp_path)


def test_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json"
    write_perfetto(path, traces())
    monkeypatch.setattr(reading, "MAX_VALUES", 20)
    with pytest.raises(ResultFileError, match="more than 20 values"):
        read(path)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 20)
    with pytest.raises(ResultFileError, match="is larger than"):
        read(path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["layers", "unit", "share", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(sorted(DOCUMENTS)),
    st.dictionaries(st.sampled_from(["network", "lanes", "points", "cores", "front"]), _json),
)
def test_whatever_a_document_holds_is_told_or_read(name: str, body: dict[str, Any]) -> None:
    try:
        document_of({"format": name, "version": 1, **body})
    except UserInputError as error:
        assert "\n" not in str(error)


def test_an_exploration_may_find_nothing() -> None:
    found = document_of(
        {
            "format": "counterpoint-exploration",
            "version": 1,
            "networks": [{"name": "n", "images": 1, "macs": 3}],
            "method": "bound",
            "area_unit": "DSP slices",
            "budget": 1,
            "designs": 0,
            "tried": 0,
            "best": [None, None],
            "front": [],
            "explanation": None,
        }
    )
    assert isinstance(found, ExplorationDocument)
