"""LoadGen itself, in each scenario, against a session that takes no time."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from counterpoint.bench.loadgen import sut
from counterpoint.bench.loadgen.log import ACCURACY, DETAIL, SUMMARY
from counterpoint.bench.loadgen.running import run_loadgen
from counterpoint.bench.loadgen.samples import Samples
from counterpoint.bench.loadgen.settings import (
    LoadGenSettings,
    Scenario,
    official,
    unlike_official,
)
from counterpoint.errors import MachineError, UserInputError
from tests.bench.test_loadgen_parts import FakeSession, image

pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed")


@pytest.fixture(autouse=True)
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sut, "PROBE_NS", 20_000_000)


@pytest.mark.parametrize("scenario", list(Scenario))
def test_a_performance_test_keeps_loadgens_logs(scenario: Scenario, tmp_path: Path) -> None:
    samples = Samples(20, image, 1 if scenario is Scenario.SINGLE_STREAM else 2)
    settings = LoadGenSettings(
        scenario=scenario,
        min_duration_ms=200,
        min_queries=800,
        target_qps=4000 if scenario is Scenario.SERVER else None,
        target_latency_ns=10**9,
    )
    found = run_loadgen(FakeSession(), samples, settings, tmp_path / "logs")
    assert found.performance is not None
    assert found.performance.quantiles_ns["99.00"] > 0
    assert found.performance.queries >= (1 if scenario is Scenario.OFFLINE else 800)
    assert (found.performance.samples_per_s is None) is (scenario is Scenario.MULTI_STREAM)
    for name in (SUMMARY, DETAIL, ACCURACY):
        assert (tmp_path / "logs" / name).is_file()
    assert scenario.value in (tmp_path / "logs" / SUMMARY).read_text()
    assert not samples.in_memory


@pytest.mark.parametrize("scenario", list(Scenario))
def test_an_accuracy_test_asks_for_every_image(scenario: Scenario, tmp_path: Path) -> None:
    samples = Samples(21, image, 1 if scenario is Scenario.SINGLE_STREAM else 4)
    settings = LoadGenSettings(scenario=scenario, accuracy=True)
    labels = [index if index % 3 else 99 for index in range(21)]
    found = run_loadgen(FakeSession(), samples, settings, tmp_path, labels=labels)
    assert found.performance is None
    assert found.answers == 21
    assert found.top_1 == 14 / 21


def test_a_rate_is_searched_for_below_the_throughput(tmp_path: Path) -> None:
    settings = LoadGenSettings(
        scenario=Scenario.SERVER,
        min_duration_ms=50,
        min_queries=500,
        target_latency_ns=1,  # nothing is that fast
    )
    found = run_loadgen(FakeSession(), Samples(4, image), settings, tmp_path)
    assert found.performance is not None
    assert not found.performance.valid
    assert any("later than the target latency" in reason for reason in found.performance.reasons)
    assert [trial.valid for trial in found.trials] == [False]
    assert found.settings.target_qps == found.trials[0].qps
    assert found.folder == tmp_path / "trial-1"


def test_a_rate_that_was_found_is_tested_in_full(tmp_path: Path) -> None:
    settings = LoadGenSettings(
        scenario=Scenario.SERVER, min_duration_ms=50, min_queries=500, target_latency_ns=10**10
    )
    found = run_loadgen(FakeSession(), Samples(4, image), settings, tmp_path)
    assert found.performance is not None
    assert found.performance.valid
    assert [trial.valid for trial in found.trials] == [True] * 7
    assert found.folder == tmp_path
    assert (tmp_path / "trial-6" / SUMMARY).is_file()
    assert found.settings.target_qps == found.trials[-1].qps == max(t.qps for t in found.trials)


def test_settings_are_mlperfs_own() -> None:
    assert {name: official(name).min_query_count for name in Scenario} == {
        Scenario.SINGLE_STREAM: 100,
        Scenario.MULTI_STREAM: 662,
        Scenario.SERVER: 100,
        Scenario.OFFLINE: 24576,
    }
    assert {official(name).min_duration_ms for name in Scenario} == {600_000}
    server = LoadGenSettings(
        scenario=Scenario.SERVER,
        min_duration_ms=60_000,
        min_queries=100,
        target_latency_ns=20_000_000,
    )
    assert list(unlike_official(server, 16)) == [
        "minimum duration 60000 ms instead of 600000",
        "target latency 20 ms instead of 15",
        "16 images instead of 1024",
    ]
    assert not list(unlike_official(LoadGenSettings(scenario=Scenario.OFFLINE), 1024))


def test_single_stream_takes_one_image(tmp_path: Path) -> None:
    settings = LoadGenSettings(scenario=Scenario.SINGLE_STREAM)
    with pytest.raises(UserInputError, match="one image at a time, and a frame has 2"):
        run_loadgen(FakeSession(), Samples(4, image, 2), settings, tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = LoadGenSettings(scenario=Scenario.OFFLINE, min_duration_ms=1, min_queries=1)
    with pytest.raises(MachineError, match="cannot write LoadGen's logs"):
        run_loadgen(FakeSession(), Samples(4, image), settings, tmp_path / "file" / "logs")


@pytest.mark.parametrize("scenario", ["SERVER", "OFFLINE"])
def test_a_test_that_is_broken_off_says_why(scenario: str, tmp_path: Path) -> None:
    """In a process of its own: LoadGen cannot start again in it."""
    script = f"""
        from pathlib import Path
        from counterpoint.bench.loadgen.running import run_loadgen
        from counterpoint.bench.loadgen.samples import Samples
        from counterpoint.bench.loadgen.settings import LoadGenSettings, Scenario
        from counterpoint.errors import EngineError, MachineError
        from tests.bench.test_loadgen_parts import FakeSession, image

        settings = LoadGenSettings(
            scenario=Scenario.{scenario}, min_duration_ms=500, min_queries=300, target_qps=500
        )
        for session in (FakeSession(fail_at=3), FakeSession()):
            try:
                run_loadgen(session, Samples(20, image), settings, Path({str(tmp_path)!r}))
            except (EngineError, MachineError) as error:
                print(error)
        """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.splitlines() == [
        "image 3 cannot be run",
        "LoadGen cannot run again in a process in which it was broken off: start a new one",
    ]
    assert (ended.returncode, ended.stderr) == (0, "")
