"""The parts around LoadGen, without LoadGen: frames, queries, logs, and the search for a rate."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.loadgen import sut
from counterpoint.bench.loadgen.log import ACCURACY, DETAIL, read_answers, read_performance, top_1
from counterpoint.bench.loadgen.samples import Samples
from counterpoint.bench.loadgen.search import highest_valid
from counterpoint.bench.loadgen.settings import Scenario
from counterpoint.bench.loadgen.sut import SystemUnderTest, best_class, first_output, probe
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, FrameError, InternalError, MachineError


def image(index: int) -> dict[str, Tensor]:
    return {"data": np.full((1, 2), index, np.float32)}


@dataclass
class FakeSession:
    """Says for each image which it is, as a class."""

    fail_at: int | None = None
    batches: list[list[int]] = field(default_factory=list)
    held: threading.Event | None = None

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor], /
    ) -> list[Tensor]:
        indices = [int(row[0]) for row in inputs["data"]]
        self.batches.append(indices)
        if self.fail_at in indices:
            raise EngineError(f"image {self.fail_at} cannot be run")
        scores = np.zeros((len(indices), 100), np.float32)
        for place, index in enumerate(indices):
            scores[place, index] = 1
        return [scores]

    def run_async(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor], /
    ) -> Future[list[Tensor]]:
        if self.held is not None:
            self.held.wait(10)
        future: Future[list[Tensor]] = Future()
        try:
            future.set_result(self.run(output_names, inputs))
        except EngineError as error:
            future.set_exception(error)
        return future

    def stream(self, frames: Iterator[Mapping[str, Tensor]], /) -> Iterator[list[Tensor]]:
        for frame in frames:
            yield self.run(None, frame)


@dataclass(frozen=True)
class FakeQuery:
    id: int
    index: int


@dataclass
class Ledger:
    """What LoadGen was told."""

    answers: dict[int, bytes] = field(default_factory=dict)

    def complete(self, ids: Sequence[int], answers: Sequence[bytes]) -> None:
        for number, answer in zip(ids, answers, strict=True):
            assert number not in self.answers, "answered twice"
            self.answers[number] = answer


def class_of(answer: bytes) -> int:
    return int.from_bytes(answer, "little", signed=True)


@given(
    scenario=st.sampled_from(Scenario),
    batch=st.integers(1, 5),
    calls=st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=12), min_size=1, max_size=6),
)
def test_every_query_is_answered_once_with_its_own_image(
    scenario: Scenario, batch: int, calls: list[list[int]]
) -> None:
    batch = 1 if scenario is Scenario.SINGLE_STREAM else batch
    samples = Samples(20, image, batch)
    samples.bring(range(20))
    session, ledger = FakeSession(), Ledger()
    system = SystemUnderTest(session, samples, scenario, ledger.complete)
    asked: dict[int, int] = {}
    for call in calls:
        queries = [FakeQuery(1000 + len(asked) + n, index) for n, index in enumerate(call)]
        asked |= {query.id: query.index for query in queries}
        system.issue(queries)
    system.close()
    assert system.failure is None
    assert {number: class_of(answer) for number, answer in ledger.answers.items()} == asked
    assert all(len(indices) == batch for indices in session.batches)


def test_queries_that_wait_share_a_frame() -> None:
    samples = Samples(20, image, 4)
    samples.bring(range(20))
    session, ledger = FakeSession(held=threading.Event()), Ledger()
    system = SystemUnderTest(session, samples, Scenario.SERVER, ledger.complete)
    for index in range(9):
        system.issue([FakeQuery(index, index)])
    assert session.held is not None
    session.held.set()
    system.close()
    assert {number: class_of(answer) for number, answer in ledger.answers.items()} == {
        index: index for index in range(9)
    }
    # The first frame went off at once, with what was there; the others were full.
    assert len(session.batches) <= 4


def on_loadgens_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("scenario", list(Scenario))
def test_after_a_frame_that_fails_no_call_returns_and_no_answer_comes(scenario: Scenario) -> None:
    samples = Samples(20, image)
    samples.bring(range(20))
    session, ledger, stopped = FakeSession(fail_at=3), Ledger(), threading.Event()
    system = SystemUnderTest(session, samples, scenario, ledger.complete, stopped=stopped.set)
    calls = on_loadgens_thread(lambda: system.issue([FakeQuery(n, n) for n in range(6)]))
    assert stopped.wait(10)
    system.abandon()
    assert isinstance(system.failure, EngineError)
    assert str(system.failure) == "image 3 cannot be run"
    later = on_loadgens_thread(lambda: system.issue([FakeQuery(7, 7)]))
    later.join(0.05)
    assert later.is_alive()
    assert calls.is_alive() or scenario is Scenario.SERVER
    assert sorted(ledger.answers) == [0, 1, 2]
    assert session.batches == [[0], [1], [2], [3]]


def test_an_image_that_cannot_be_used_is_a_failure() -> None:
    def load(index: int) -> dict[str, Tensor]:
        raise FrameError(f"image {index} is broken")

    stopped = threading.Event()
    system = SystemUnderTest(
        FakeSession(), Samples(3, load), Scenario.OFFLINE, Ledger().complete, stopped=stopped.set
    )
    on_loadgens_thread(lambda: system.load([1]))
    assert stopped.wait(10)
    assert str(system.failure) == "image 1 is broken"


@pytest.mark.parametrize("scenario", list(Scenario))
def test_a_test_that_is_abandoned_ends_after_the_frame_under_way(scenario: Scenario) -> None:
    samples = Samples(20, image)
    samples.bring(range(20))
    ledger, under_way, go_on = Ledger(), threading.Event(), threading.Event()

    class Slow(FakeSession):
        def run(
            self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor], /
        ) -> list[Tensor]:
            under_way.set()
            go_on.wait(10)
            return FakeSession.run(self, output_names, inputs)

    session = Slow()
    system = SystemUnderTest(session, samples, scenario, ledger.complete)

    def issue() -> None:
        for n in range(20):
            system.issue([FakeQuery(n, n)])

    on_loadgens_thread(issue)
    assert under_way.wait(10)
    ending = on_loadgens_thread(system.abandon)
    ending.join(0.05)
    assert ending.is_alive()  # the session is still in use
    go_on.set()
    ending.join(10)
    assert not ending.is_alive()
    assert len(session.batches) == 1
    assert system.failure is None


def test_a_look_at_the_session_is_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sut, "PROBE_NS", 20_000_000)
    for scenario in (Scenario.SINGLE_STREAM, Scenario.OFFLINE):
        found = probe(FakeSession(), Samples(3, image, 2), scenario)
        assert found.latency_ns > 0
        assert found.images_per_s > 0


def test_images_are_in_memory_only_while_they_are_needed() -> None:
    made: list[int] = []

    def load(index: int) -> dict[str, Tensor]:
        made.append(index)
        return image(index)

    samples = Samples(5000, load, 3)
    assert samples.kept == 1024
    samples.bring([4, 5])
    samples.bring([5, 6])
    assert made == [4, 5, 6]
    assert [row[0] for row in samples.frame([6, 4])["data"]] == [6, 4, 4]
    samples.drop([4, 5, 6])
    assert not samples.in_memory
    with pytest.raises(InternalError):
        samples.frame([1, 2, 3, 4])


def test_answers() -> None:
    outputs = [np.array([[0, 1, 3], [5, 1, 2]], np.float32)]
    assert [class_of(best_class(outputs, place)) for place in (0, 1)] == [2, 0]
    assert np.frombuffer(first_output(outputs, 1), np.float32).tolist() == [5, 1, 2]


@given(highest=st.floats(0.01, 1.2), ceiling=st.floats(1, 10_000), steps=st.integers(1, 8))
def test_the_search_finds_the_highest_rate_of_its_grid(
    highest: float, ceiling: float, steps: int
) -> None:
    tried: list[float] = []

    def valid(rate: float) -> bool:
        tried.append(rate)
        return rate <= highest * ceiling

    found = highest_valid(valid, ceiling, steps)
    grid = [ceiling * (1 / 8 + 7 / 8 * part / 2**steps) for part in range(2**steps)]
    best = [rate for rate in grid if rate <= highest * ceiling]
    assert found == (pytest.approx(best[-1]) if best else None)
    assert len(tried) == (steps + 1 if best else 1)
    assert max(tried) < ceiling


def log(folder: Path, *entries: tuple[str, object]) -> Path:
    lines = [":::MLLOG " + json.dumps({"key": key, "value": value}) for key, value in entries]
    (folder / DETAIL).write_text("\n".join([*lines, "a text of two", "lines"]) + "\n")
    return folder


def test_a_log_that_says_why_it_is_not_valid(tmp_path: Path) -> None:
    folder = log(
        tmp_path,
        ("loadgen_version", "6.0.17 @ d6147c7eb7"),
        ("result_validity", "INVALID"),
        ("result_min_duration_met", False),
        ("result_min_queries_met", True),
        ("early_stopping_met", False),
        ("result_invalid_reason", "Decrease the expected latency. "),
        ("result_invalid_reason", " "),
        ("result_query_count", 601),
        ("early_stopping_latency_ss", 0),
        ("early_stopping_latency_ms", 2_089_393),
        ("result_90.00_percentile_latency_ns", 11),
        ("result_90.00_percentile_per_query_latency_ns", 12),
    )
    found = read_performance(folder)
    assert not found.valid
    assert found.reasons == (
        "it was shorter than the minimum duration",
        "too few queries for the percentile, by MLPerf's early-stopping rule",
        "Decrease the expected latency.",
    )
    assert (found.queries, found.version, found.samples_per_s) == (601, "6.0.17", None)
    assert found.quantiles_ns == {"90.00": 12}
    assert found.early_stopping_ns == 2_089_393


def test_a_disk_that_was_full_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot read"):
        read_performance(tmp_path)
    with pytest.raises(MachineError, match="is the disk full"):
        read_performance(log(tmp_path, ("loadgen_version", "6")))
    (tmp_path / ACCURACY).write_text('[\n{ "seq_id" : 0, "qsl_idx" : 2, "data" : "00')
    with pytest.raises(MachineError, match="is the disk full"):
        read_answers(tmp_path)


def test_top_1() -> None:
    answers = {0: b"\x05\0\0\0", 1: b"\x01\x01\0\0"}
    assert top_1(answers, [5, 257]) == 1
    assert top_1(answers, [5, 5]) == 0.5
    with pytest.raises(InternalError, match="1 of 2"):
        top_1({0: b""}, [1, 2])
