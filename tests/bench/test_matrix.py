from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from counterpoint.api import devices
from counterpoint.bench.breakdown.layer_types import BATCHNORM
from counterpoint.bench.breakdown.unfused import BATCHNORM_KEPT
from counterpoint.bench.matrix.machine import described
from counterpoint.bench.matrix.matrix import Matrix, ModelledSubject
from counterpoint.bench.matrix.settings import FULL, BenchSettings
from counterpoint.bench.matrix.subject import Site, Subject
from counterpoint.bench.result import Basis, BenchResult, Method, Metric, Row
from counterpoint.bench.result_file import Header, ResultFile, Stage, StoredResult, load_result
from counterpoint.costs.store import Store
from counterpoint.engines.faulty import FaultyEngine, Injection
from counterpoint.engines.protocol import Engine
from counterpoint.engines.registry import all_engines
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.platform.platform_file import load_platform
from counterpoint.tuning.progress import Silence
from tests.cli.models import classifier

SHORT = replace(
    FULL,
    precisions=("fp32", "int8"),
    latency_images=6,
    throughput_images=12,
    batches=(1, 4),
    latency_rounds=3,
    throughput_rounds=3,
    row_ns=50_000_000,
    warm_ns=0,
    explain=False,
)
UNIT = "onnxruntime:CPU@fp32"
UNITS_ALONE = replace(SHORT, methods=(Method.UNIT,), precisions=("fp32",))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("bench") / "tiny.onnx"
    path.write_bytes(classifier())
    return load(path)


def site(injections: Sequence[Injection] = ()) -> Site:
    machine = devices(only=["onnxruntime:CPU"])
    engine: Engine = all_engines()["onnxruntime"]
    if injections:
        engine = FaultyEngine(engine, injections)
    return Site(
        platform=machine.platform,
        side_by_side=machine.platform,
        engines={"onnxruntime": engine},
        store=Store.in_memory(),
    )


def matrix(
    path: Path, where: Site, settings: BenchSettings, limit: TimeLimit | None = None
) -> Matrix:
    if path.exists():
        file, stored = ResultFile.resume(path)
    else:
        machine = described(where.platform, where.engines, settings.precisions)
        header = Header(machine, {}, "now")
        file, stored = ResultFile.create(path, header), StoredResult(header=header)
    return Matrix(
        settings=settings,
        machine=stored.header.machine,
        file=file,
        stored=stored,
        limit=limit or TimeLimit(600),
        progress=Silence(),
        tell=_unexpected,
    )


def _unexpected(text: str) -> None:
    raise AssertionError(text)


def rows_of(result: BenchResult, metric: Metric) -> dict[str, Row]:
    return {row.contender.name: row for row in result.rows if row.metric is metric}


def test_every_method_has_its_rows(tmp_path: Path, network: Network) -> None:
    path, where = tmp_path / "r.jsonl", site()
    assert (
        matrix(path, where, SHORT).run([Subject(name="tiny", load=lambda: network)], where, [])
        == ()
    )
    result = load_result(path)
    latency, throughput = (rows_of(result, metric) for metric in Metric)
    names = {UNIT, "onnxruntime:CPU@int8", "plan fp32", "onnxruntime as installed"}
    assert names <= set(latency)
    assert {UNIT, "plan fp32", "onnxruntime one session"} <= set(throughput)
    for row in result.rows:
        assert row.failure is None
        assert row.basis is Basis.MEASURED
        assert row.samples_ns
        assert row.network == "tiny"
        assert row.contender.software.startswith("onnxruntime ")
    for row in latency.values():
        assert len(row.samples_ns) == 6
        assert (row.batch, row.images_per_sample) == (1, 1)
        assert row.average_ns == sum(row.samples_ns) / 6
    assert {len(row.rounds_ns) for row in latency.values()} == {3}
    assert latency[UNIT].predicted_ns is not None
    assert latency["plan fp32"].contender.placement
    assert "accuracy" in (latency["onnxruntime:CPU@int8"].note or "")
    for row in throughput.values():
        assert row.batch in (1, 4)
        assert row.images_per_sample % row.batch == 0
        assert len(row.samples_ns) * row.images_per_sample >= 12
    (control,) = result.controls
    assert [len(rounds) for rounds in control.rounds_ns] == [3, 3]


@pytest.mark.parametrize("has_batchnorm", [True, False])
def test_a_network_that_has_batchnorm_is_broken_down_with_it_too(
    tmp_path: Path, has_batchnorm: bool
) -> None:
    path, where = tmp_path / "r.jsonl", site()
    name = "zoo:mobilenet_v1" if has_batchnorm else "zoo:squeezenet_v1.1"
    subject = Subject(
        name=name,
        load=partial(load, name),
        load_with_batchnorm=partial(load, name, keep_batchnorm=True),
    )
    matrix(path, where, replace(UNITS_ALONE, metrics=(Metric.LATENCY,), explain=True)).run(
        [subject], where, []
    )
    found = {breakdown.variant: breakdown for breakdown in load_result(path).breakdowns}
    assert found.keys() == ({"", BATCHNORM_KEPT} if has_batchnorm else {""})
    if has_batchnorm:
        types = {part.layer_type for part in found[BATCHNORM_KEPT].parts}
        assert BATCHNORM in types


def test_what_is_in_the_file_is_not_measured_again(tmp_path: Path, network: Network) -> None:
    path, where = tmp_path / "r.jsonl", site()
    loads: list[str] = []

    def subject(name: str) -> Subject:
        def loaded() -> Network:
            loads.append(name)
            return network

        return Subject(name=name, load=loaded)

    only_latency = replace(UNITS_ALONE, metrics=(Metric.LATENCY,))
    matrix(path, where, only_latency).run([subject("one")], where, [])
    before = path.read_bytes()
    matrix(path, where, only_latency).run([subject("one")], where, [])
    assert path.read_bytes() == before
    assert loads == ["one"]
    matrix(path, where, UNITS_ALONE).run([subject("one"), subject("two")], where, [])
    assert path.read_bytes().startswith(before)
    assert loads == ["one", "one", "two"]
    done = ResultFile.resume(path)[1].done
    wanted = [Stage(name, metric) for name in ("one", "two") for metric in Metric]
    assert sorted(done, key=str) == sorted(wanted, key=str)


def test_stages_without_time_are_left_for_the_next_call(tmp_path: Path, network: Network) -> None:
    path, where = tmp_path / "r.jsonl", site()
    subjects = [Subject(name="tiny", load=lambda: network)]
    over = TimeLimit(1e-9)
    left = matrix(path, where, UNITS_ALONE, over).run(subjects, where, [])
    assert left == (Stage("tiny", "latency"), Stage("tiny", "throughput"))
    assert load_result(path).rows == ()
    assert matrix(path, where, UNITS_ALONE).run(subjects, where, []) == ()
    assert load_result(path).rows


@pytest.mark.parametrize("at", [0, 5, 9])
def test_a_unit_that_vanishes_is_marked_and_the_run_goes_on(
    tmp_path: Path, network: Network, at: int
) -> None:
    where = site([Injection("run", UNIT, at)])
    settings = replace(UNITS_ALONE, methods=(Method.UNIT, Method.PEER))
    path = tmp_path / "r.jsonl"
    assert (
        matrix(path, where, settings).run([Subject(name="tiny", load=lambda: network)], where, [])
        == ()
    )
    result = load_result(path)
    latency, throughput = (rows_of(result, metric) for metric in Metric)
    for rows in (latency, throughput):
        assert "device lost" in (rows[UNIT].failure or "")
    # A turn is two runs to be warm and two that count; the unit was there for whole turns alone.
    assert len(latency[UNIT].samples_ns) == 2 * len(latency[UNIT].rounds_ns)
    assert len(latency[UNIT].rounds_ns) <= at // 4
    assert throughput[UNIT].samples_ns == ()
    for rows, name in (
        (latency, "onnxruntime as installed"),
        (throughput, "onnxruntime one session"),
    ):
        assert rows[name].failure is None
        assert len(rows[name].rounds_ns) == 3


def test_a_unit_that_refuses_the_network_is_a_row(tmp_path: Path, network: Network) -> None:
    where = site([Injection("compile", UNIT, 0)])
    path = tmp_path / "r.jsonl"
    matrix(path, where, UNITS_ALONE).run([Subject(name="tiny", load=lambda: network)], where, [])
    for rows in (rows_of(load_result(path), metric) for metric in Metric):
        assert "out of memory (injected)" in (rows[UNIT].failure or "")
        assert rows[UNIT].samples_ns == ()


def test_a_recorded_platform_has_modelled_rows(tmp_path: Path) -> None:
    from counterpoint.costs.stage_network import stage_network

    platform = load_platform("khadas_vim3")
    units = tuple(unit.name for unit in platform.units)
    item = ModelledSubject(
        name="recorded:alexnet",
        load=lambda: stage_network(platform, "recorded:alexnet"),
        platform=platform,
        units=units,
    )
    path = tmp_path / "r.jsonl"
    assert matrix(path, site(), FULL).run([], None, [item]) == ()
    result = load_result(path)
    assert {row.basis for row in result.rows} == {Basis.MODELLED}
    assert {row.contender.platform for row in result.rows} == {platform.name}
    latency, throughput = (rows_of(result, metric) for metric in Metric)
    measured = {name: row for name, row in latency.items() if row.samples_ns}
    alone = [row.samples_ns[0] for name, row in measured.items() if name != "plan"]
    assert len(alone) >= 2
    assert measured["plan"].samples_ns[0] <= min(alone)
    rates = {name: row.images_per_s or 0 for name, row in throughput.items()}
    assert rates.pop("plan") >= max(rates.values())
    assert all("virtual time" in (row.note or "") for row in result.rows if row.samples_ns)
