from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.bench import result_file
from counterpoint.bench.result import (
    Basis,
    BenchResult,
    Bound,
    Breakdown,
    Contender,
    Control,
    Energy,
    Function,
    MachineDescription,
    Method,
    Metric,
    Part,
    RooflinePoint,
    Row,
)
from counterpoint.bench.result_file import (
    Header,
    ResultFile,
    Stage,
    load_result,
    read_result,
    save_result,
)
from counterpoint.errors import MachineError, ResultFileError
from counterpoint.measure.peak import UnitPeak

MACHINE = MachineDescription(
    name="host\nü",
    fingerprint="12ab",
    facts={"cpu_model": "x"},
    software={"onnxruntime": "1.0"},
    units=("a:CPU@fp32",),
    peaks=(UnitPeak("a:CPU@fp32", 1.5e11), UnitPeak("b", None, "refused")),
    copy_bytes_per_s=2e10,
)
CONTENDER = Contender("a:CPU@fp32", Method.UNIT, "fp32", "a 1.0", platform="host")
ROW = Row(
    network="zoo:one",
    contender=CONTENDER,
    metric=Metric.LATENCY,
    basis=Basis.MEASURED,
    samples_ns=(3, 1, 2),
    rounds_ns=(2,),
    predicted_ns=4,
    energy=Energy(7, Basis.MODELLED, "given"),
    note='a "note"\nof two lines',
)
FAILED = replace(ROW, samples_ns=(), rounds_ns=(), energy=None, failure="device lost")
BREAKDOWN = Breakdown(
    network="zoo:one",
    contender=CONTENDER,
    threads=2,
    whole_ns=5,
    parts=(Part(Function.COMPUTE, 6, "conv", "Conv"), Part(Function.UNATTRIBUTED, -1)),
    instruments=("profile",),
)
POINT = RooflinePoint(
    network="zoo:one",
    unit="a:CPU@fp32",
    layer="conv",
    layer_type="Conv",
    operations=1,
    moved_bytes=2,
    time_ns=3,
    roof_ns=1,
    bound=Bound.MEMORY,
)
RESULT = BenchResult(
    machine=MACHINE,
    settings={"quick": "yes"},
    started="2026-11-21T06:00:00+00:00",
    rows=(ROW, FAILED),
    controls=(Control("zoo:one", CONTENDER, ((1, 2), (3, 4))),),
    breakdowns=(BREAKDOWN,),
    points=(POINT,),
)
HEADER = Header(MACHINE, {"quick": "yes"}, "now")
FIRST, SECOND = Stage("zoo:one", "latency"), Stage("zoo:one", "throughput")


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    save_result(RESULT, path)
    assert load_result(path) == RESULT
    lines = path.read_bytes().splitlines()
    assert len(lines) == 6  # names with line ends do not end lines
    assert all(json.loads(line) for line in lines)


@given(
    st.lists(
        st.builds(
            Row,
            network=st.text(max_size=9),
            contender=st.just(CONTENDER),
            metric=st.sampled_from(Metric),
            basis=st.sampled_from(Basis),
            batch=st.integers(1, 2**63 - 1),
            samples_ns=st.lists(st.integers(0, 2**63 - 1), max_size=5).map(tuple),
            predicted_ns=st.none() | st.integers(0, 2**63 - 1),
            failure=st.none() | st.text(max_size=9),
        ),
        max_size=4,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_come_back(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "r.jsonl"
    save_result(replace(RESULT, rows=tuple(rows)), path)
    assert load_result(path).rows == tuple(rows)


def test_stages_are_kept_and_the_rest_is_dropped_on_resuming(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    ResultFile.create(path, HEADER).append([ROW, BREAKDOWN], FIRST)
    whole = path.read_text()
    with path.open("a") as stream:
        stream.write(whole.splitlines()[1] + "\n" + '{"row":{"netw')
    seen = read_result(path)
    assert (len(seen.records), seen.finished, seen.torn) == (3, 2, True)
    assert load_result(path).rows == (ROW, ROW)
    file, kept = ResultFile.resume(path)
    assert (kept.records, kept.done, kept.torn) == ([ROW, BREAKDOWN], [FIRST], True)
    assert path.read_text() == whole
    file.append([POINT], SECOND)
    again = read_result(path)
    assert again.records == [ROW, BREAKDOWN, POINT]
    assert again.done == [FIRST, SECOND]
    assert not again.torn


def test_every_cut_leaves_a_result(tmp_path: Path) -> None:
    """Wherever a power cut ends the file behind its first line, whole records are read."""
    path = tmp_path / "r.jsonl"
    file = ResultFile.create(path, HEADER)
    file.append([ROW], FIRST)
    file.append([POINT, BREAKDOWN], SECOND)
    data = path.read_bytes()
    for size in range(data.index(b"\n") + 1, len(data)):
        path.write_bytes(data[:size])
        found = read_result(path)
        assert found.records == [ROW, POINT, BREAKDOWN][: len(found.records)]
        assert found.torn == (not data[:size].endswith(b"\n"))


@contextmanager
def _full_disk(monkeypatch: pytest.MonkeyPatch, after_bytes: int) -> Iterator[None]:
    """Files take so many more bytes; then there is no space left."""
    room = [after_bytes]
    opened = Path.open

    class _Limited:
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def write(self, data: memoryview) -> int:
            if room[0] == 0:
                raise OSError(28, "No space left on device")
            taken: int = self._stream.write(data[: room[0]])
            room[0] -= taken
            return taken

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

        def __enter__(self) -> _Limited:
            return self

        def __exit__(self, *error: object) -> None:
            self._stream.close()

    with monkeypatch.context() as patched:
        patched.setattr(
            Path,
            "open",
            lambda self, mode="r", **more: (
                _Limited(opened(self, mode, **more)) if "a" in mode else opened(self, mode, **more)
            ),
        )
        yield


@pytest.mark.parametrize("room", [0, 1, 100, 500])
def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "r.jsonl"
    file = ResultFile.create(path, HEADER)
    file.append([ROW], FIRST)
    before = path.read_bytes()
    with (
        _full_disk(monkeypatch, room),
        pytest.raises(MachineError, match="No space left"),
    ):
        file.append([ROW, BREAKDOWN], SECOND)
    assert path.read_bytes() == before
    file.append([ROW, BREAKDOWN], SECOND)
    assert read_result(path).done == [FIRST, SECOND]


def _with(path: Path, line: object) -> Path:
    save_result(replace(RESULT, rows=(), controls=(), breakdowns=(), points=()), path)
    with path.open("a") as stream:
        stream.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    return path


def _row(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "network": "n",
        "contender": {"name": "a", "method": "unit", "precision": "fp32", "software": "s"},
        "metric": "latency",
        "basis": "measured",
    }
    return {"row": body | changes}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{nonsense", "line 2 is not JSON"),
        ("[1]", "line 2 is no record"),
        ({"rows": {}}, "a record has one of row, control, breakdown, point, done"),
        ({"row": {}, "point": {}}, "a record has one of"),
        (_row(metric="power"), "line 2: field 'metric'"),
        (_row(surprise=1), "line 2: field 'surprise' is unknown"),
        (_row(samples_ns=[1, -1]), "samples_ns is not between 0"),
        (_row(samples_ns=[10**30]), "samples_ns"),
        (_row(samples_ns=["1"]), "field 'samples_ns.0'"),
        (_row(batch=0), "batch is not between 1"),
        ({"row": 3}, "line 2: field ''"),
        ('{"row":{"samples_ns":[NaN]}}', "line 2 is not JSON"),
        ("[" * 5000, "line 2 is not JSON"),
    ],
)
def test_faults_of_a_stranger_s_file_are_one_line(tmp_path: Path, line: object, told: str) -> None:
    path = _with(tmp_path / "r.jsonl", line)
    with pytest.raises(ResultFileError) as caught:
        load_result(path)
    assert told in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b'{"format":"counterpoint-bench"', "no whole line"),
        (b'{"format":"counterpoint-plan","version":1}\n', "not a bench result"),
        (b'{"format":"counterpoint-bench","version":"1"}\n', "field 'version'"),
        (b'{"format":"counterpoint-bench","version":99}\n', "upgrade"),
        (b'{"format":"counterpoint-bench","version":1}\n', "field 'machine' is missing"),
        (b"\xff\xfe\n", "not JSON"),
    ],
)
def test_what_is_no_result_says_so(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(ResultFileError, match=told):
        load_result(path)
    with pytest.raises(ResultFileError, match="cannot read"):
        load_result(tmp_path)


def test_large_files_are_refused_before_they_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    save_result(RESULT, path)
    for name, limit in (
        ("MAX_FILE_BYTES", 50),
        ("MAX_LINES", 3),
        ("MAX_VALUES", 9),
        ("MAX_VALUES_PER_LINE", 5),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(result_file, name, limit)
            with pytest.raises(ResultFileError, match=r"larger|holds more|more than 5 values"):
                load_result(path)


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot write"):
        save_result(RESULT, tmp_path / "missing" / "r.jsonl")
    with pytest.raises(MachineError, match="cannot write"):
        ResultFile(tmp_path).append([ROW], FIRST)
