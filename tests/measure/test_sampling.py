from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from counterpoint.measure import sampling
from counterpoint.measure.sampling import (
    Comparison,
    Contender,
    Run,
    Samples,
    SamplingSettings,
    interleave,
    rest,
    sample,
)


class FakeClock:
    """Time that passes only when a run says so, or in sleep.

    Attributes:
        now_ns: The time.
        busy_until_ns: Threads of the program take a core until then.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.busy_until_ns = 0

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def process_time_ns(self) -> int:
        return min(self.now_ns, self.busy_until_ns)

    def sleep(self, time_s: float) -> None:
        self.now_ns += round(time_s * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(sampling, "time", fake)
    return fake


def test_quantiles_are_times_that_occurred() -> None:
    samples = Samples(tuple(range(1, 101)))
    assert samples.median_ns == 50
    assert (samples.low_ns, samples.high_ns) == (11, 91)


def test_steady_times_stop_sampling_early_and_noisy_ones_do_not(clock: FakeClock) -> None:
    limits = SamplingSettings(warmup_ns=0, budget_ns=10**9, min_count=7, max_count=100)

    def steady() -> None:
        clock.now_ns += 1000

    assert len(sample(steady, limits).times_ns) == 8
    calls = iter(range(10**6))

    def noisy() -> None:
        clock.now_ns += 1000 + 900 * (next(calls) % 2)

    assert len(sample(noisy, limits).times_ns) == 100


def test_the_budget_ends_sampling_but_not_before_the_least_count(clock: FakeClock) -> None:
    def slow() -> None:
        clock.now_ns += 10**9

    limits = SamplingSettings(warmup_ns=0, budget_ns=10**6, min_count=5, max_count=100)
    assert sample(slow, limits).times_ns == (10**9,) * 5


def test_contenders_take_turns_and_are_closed(clock: FakeClock) -> None:
    order: list[str] = []
    open_now: set[str] = set()

    def contender(name: str, time_ns: int) -> sampling.Contender:
        @contextmanager
        def ready() -> Iterator[Run]:
            open_now.add(name)

            def run() -> None:
                assert name in open_now
                if not order or order[-1] != name:
                    order.append(name)
                clock.now_ns += time_ns

            yield run
            open_now.discard(name)

        return ready

    contenders = {"a": contender("a", 100), "b": contender("b", 300)}
    result = interleave(contenders, rounds=4, block_ns=1000, warm_ns=0)
    assert order == ["a", "b", "a", "b", "a"]  # a, b | b, a | a, b | b, a
    assert not open_now
    assert result.ratio("b", "a") == (3.0, 3.0, 3.0)
    assert result.rounds["a"] == (100,) * 4
    assert (result.relative("a"), result.relative("b")) == (0.5, 1.5)
    one_at_a_time = interleave(contenders, rounds=2, block_ns=1000, renew_every=1, warm_ns=0)
    assert one_at_a_time.samples["b"].median_ns == 300


def test_contenders_are_made_anew_and_the_end_may_come_early() -> None:
    starts: list[str] = []

    def contender(name: str) -> Contender:
        @contextmanager
        def ready() -> Iterator[Run]:
            starts.append(name)
            yield lambda: None

        return ready

    contenders = {"a": contender("a"), "b": contender("b")}
    result = interleave(contenders, rounds=5, block_ns=1, max_runs=1, renew_every=2)
    assert starts == ["a", "b"] * 3
    assert len(result.rounds["a"]) == 5
    early = interleave(
        contenders,
        rounds=9,
        block_ns=1,
        max_runs=1,
        settled=lambda so_far: len(so_far.rounds["b"]) == 3,
    )
    assert len(early.rounds["a"]) == 3


def test_the_lead_is_rounds_won_less_rounds_lost() -> None:
    result = Comparison({}, {"a": (1, 2, 3, 4), "b": (2, 2, 2, 9)})
    assert result.lead("a", "b") == 1
    assert result.lead("b", "a") == -1


@pytest.mark.parametrize("busy_ms", [0, 1, 40, 150, 400])
def test_nobody_has_a_turn_before_the_threads_of_the_one_before_rest(
    clock: FakeClock, busy_ms: int
) -> None:
    clock.busy_until_ns = busy_ms * 10**6
    rest(200 * 10**6)
    window_ns = round(sampling.REST_WINDOW_S * 1e9)
    assert clock.now_ns >= min(clock.busy_until_ns, 200 * 10**6) - window_ns
    assert clock.now_ns <= min(clock.busy_until_ns, 200 * 10**6) + 2 * window_ns


def test_each_turn_begins_at_rest(clock: FakeClock) -> None:
    disturbed: list[str] = []

    def contender(name: str) -> Contender:
        @contextmanager
        def ready() -> Iterator[Run]:
            mine = [0]  # where the own threads spin, nobody is disturbed

            def run() -> None:
                if clock.now_ns < clock.busy_until_ns != mine[0]:
                    disturbed.append(name)
                clock.now_ns += 1000
                mine[0] = clock.busy_until_ns = clock.now_ns + 40 * 10**6

            yield run

        return ready

    contenders = {"a": contender("a"), "b": contender("b")}
    interleave(contenders, rounds=4, block_ns=5000, warm_ns=0)
    assert disturbed == []
    interleave(contenders, rounds=4, block_ns=5000, rest_ns=0, warm_ns=0)
    assert set(disturbed) == {"a", "b"}


@pytest.mark.parametrize(("run_ms", "warm"), [(1, 60), (25, 3), (100, 1)])
def test_a_turn_is_warm_after_a_time_and_a_run(clock: FakeClock, run_ms: int, warm: int) -> None:
    runs = []

    @contextmanager
    def ready() -> Iterator[Run]:
        def run() -> None:
            clock.now_ns += run_ms * 10**6
            runs.append(clock.now_ns)

        yield run

    found = interleave({"a": ready}, rounds=1, block_ns=10**9, max_runs=4)
    assert len(found.samples["a"].times_ns) == 4
    assert len(runs) == warm + 1 + 4  # one more tells how many fit into the turn
