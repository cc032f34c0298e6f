"""Timing that can be believed on a noisy machine.

One contender alone: warm up, then repeat until the median is known well enough. Several contenders:
short blocks in turn, the order rotated each round, so that a slow spell of the machine hits them
all; what is reported is the ratio within each round, and its spread.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from counterpoint.errors import CounterpointError, InternalError

Run = Callable[[], object]

Contender = Callable[[], AbstractContextManager[Run]]
"""Makes something ready to run, and gives back what it took when the context ends."""


@runtime_checkable
class WarmsUp(Protocol):
    """A run of many frames, of which a few are enough to be warm."""

    def warm(self) -> object:
        """Runs those few. Takes the place of the first run of a turn."""

    def __call__(self) -> object:
        """Runs all."""


LONG_RUN = 4
"""A run that takes so many times as long as a turn should is counted once in its turn."""

REST_NS = 300_000_000
"""Long enough for threads to rest: ONNX Runtime's spin for 40 ms after a run where nobody takes
their cores, and two to three times as long where somebody does (own measurement)."""

WARM_NS = 60_000_000
"""A turn is warm after so long. Where threads of several sessions slept, those of one wake up on
the core of the thread that calls them, and run at half the speed until the kernel moves them, up
to 50 ms later (own measurement: three sessions of ONNX Runtime)."""

REST_WINDOW_S = 0.003
RESTING = 0.2
"""A program rests that takes less than this part of one core over such a window."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured times of one thing.

    Attributes:
        times_ns: Raw samples in the order in which they were taken; never empty.
    """

    times_ns: tuple[int, ...]

    @property
    def median_ns(self) -> int:
        """The middle one."""
        return round(statistics.median(self.times_ns))

    @property
    def low_ns(self) -> int:
        """Tenth percentile."""
        return self.quantile_ns(0.1)

    @property
    def high_ns(self) -> int:
        """Ninetieth percentile."""
        return self.quantile_ns(0.9)

    def quantile_ns(self, fraction: float) -> int:
        """Nearest-rank quantile."""
        ordered = sorted(self.times_ns)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    @property
    def relative_error(self) -> float:
        """Standard error of the median over the median, from the interquartile range.

        For a normal distribution the standard deviation is the range over 1.349, and the median's
        standard error is 1.253 standard deviations over the square root of the count.
        """
        if len(self.times_ns) < 4 or self.median_ns == 0:
            return float("inf")
        spread = (self.quantile_ns(0.75) - self.quantile_ns(0.25)) / 1.349
        return 1.253 * spread / math.sqrt(len(self.times_ns)) / self.median_ns


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """When to stop sampling.

    Attributes:
        warmup_ns: Runs before this much time has passed do not count (at least two runs).
        budget_ns: Stop after this much time, once there are ``min_count`` samples.
        min_count: At least so many samples.
        max_count: At most so many.
        relative_error: Stop when the median is known this well.
    """

    warmup_ns: int = 40_000_000
    budget_ns: int = 500_000_000
    min_count: int = 7
    max_count: int = 400
    relative_error: float = 0.004


def sample(run: Run, settings: SamplingSettings | None = None) -> Samples:
    """Times ``run`` until its median is known."""
    limits = settings or SamplingSettings()
    clock = time.perf_counter_ns
    begin = clock()
    warm = 0
    while warm < 2 or clock() - begin < limits.warmup_ns:
        run()
        warm += 1
        if warm >= 2 and clock() - begin > limits.budget_ns // 2:
            break
    begin = clock()
    times: list[int] = []
    while len(times) < limits.max_count:
        start = clock()
        run()
        times.append(clock() - start)
        if len(times) < limits.min_count:
            continue
        if clock() - begin > limits.budget_ns:
            break
        if len(times) % 8 == 0 and Samples(tuple(times)).relative_error < limits.relative_error:
            break
    return Samples(tuple(times))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several contenders timed in turn.

    Attributes:
        samples: All counted samples by contender.
        rounds: Median of each round's block, by contender; all of one length.
    """

    samples: Mapping[str, Samples]
    rounds: Mapping[str, tuple[int, ...]]

    def relative(self, name: str) -> float:
        """Median over the rounds of its time over the mean of all contenders in the round.

        On a machine whose speed changes from minute to minute this tells who is faster when the
        medians of all samples do not.
        """
        others = list(self.rounds.values())
        means = [statistics.fmean(turn) for turn in zip(*others, strict=True)]
        return statistics.median(
            own / mean for own, mean in zip(self.rounds[name], means, strict=True)
        )

    def lead(self, name: str, other: str) -> int:
        """Rounds in which ``name`` was faster than ``other``, less those in which it was slower."""
        pairs = zip(self.rounds[name], self.rounds[other], strict=True)
        return sum((own < theirs) - (own > theirs) for own, theirs in pairs)

    def ratio(self, numerator: str, denominator: str) -> tuple[float, float, float]:
        """Median, tenth and ninetieth percentile of the ratio of times within each round."""
        ratios = sorted(
            above / below
            for above, below in zip(self.rounds[numerator], self.rounds[denominator], strict=True)
        )
        last = len(ratios) - 1
        return statistics.median(ratios), ratios[round(0.1 * last)], ratios[round(0.9 * last)]


def interleave(
    contenders: Mapping[str, Contender],
    *,
    rounds: int = 12,
    block_ns: int = 60_000_000,
    max_runs: int = 50,
    renew_every: int | None = None,
    rest_ns: int = REST_NS,
    warm_ns: int = WARM_NS,
    settled: Callable[[Comparison], bool] | None = None,
    report: Callable[[int, int], None] | None = None,
    failed: Callable[[str, Exception], None] | None = None,
) -> Comparison:
    """Times contenders in turn.

    Args:
        contenders: What makes each ready, by name.
        rounds: How often each gets its turn.
        block_ns: Aimed length of a turn, its warm-up excluded.
        max_runs: At most so many counted runs a turn; two at least, one of long runs.
        renew_every: Make all ready anew after so many rounds: where threads and memory happened to
            lie the time before costs or brings some per cent. 1: one contender in memory at a
            time. ``None``: make each ready once.
        rest_ns: Before each turn wait until the program's threads rest, but no longer than this:
            an engine's threads spin for some time after a run and take cores from the next one,
            and it is always the same one that comes next.
        warm_ns: After that a turn warms up for so long, at least by one run.
        settled: Asked after each round whether that is enough.
        report: Called with (rounds done, rounds in all) after each round.
        failed: Told of a contender that raised; it is out, with what was counted until then, and
            the others go on. ``None``: the first that raises ends all.

    Raises:
        CounterpointError: A contender raised, and there is no ``failed``.
    """
    times: dict[str, list[int]] = {name: [] for name in contenders}
    medians: dict[str, list[int]] = {name: [] for name in contenders}
    names = list(contenders)
    done = 0

    def so_far() -> Comparison:
        return Comparison(
            {name: Samples(tuple(values)) for name, values in times.items() if values},
            {name: tuple(values) for name, values in medians.items() if values},
        )

    while done < rounds and names:
        with ExitStack() as stack:
            ready: dict[str, Run] = {}
            for _ in range(min(renew_every or rounds, rounds - done)):
                shift = done % len(names)
                for name in names[shift:] + names[:shift]:
                    try:
                        if name not in ready:
                            ready[name] = stack.enter_context(contenders[name]())
                        rest(rest_ns)
                        block = _turn(ready[name], block_ns, max_runs, warm_ns)
                    except (CounterpointError, MemoryError) as error:
                        if failed is None or isinstance(error, InternalError):
                            raise
                        failed(name, error)
                        names.remove(name)
                        if ready.pop(name, None) and renew_every == 1:
                            stack.close()
                        continue
                    times[name] += block
                    medians[name].append(round(statistics.median(block)))
                    if renew_every == 1:
                        del ready[name]
                        stack.close()
                if not names:
                    break
                done += 1
                if report:
                    report(done, rounds)
                if settled and settled(so_far()):
                    return so_far()
    return so_far()


def rest(limit_ns: int = REST_NS) -> None:
    """Waits until the process takes next to no time of any core, but no longer than this."""
    begin = time.perf_counter_ns()
    while time.perf_counter_ns() - begin < limit_ns:
        start, used = time.perf_counter_ns(), time.process_time_ns()
        time.sleep(REST_WINDOW_S)
        if time.process_time_ns() - used < RESTING * (time.perf_counter_ns() - start):
            return


def _turn(run: Run, block_ns: int, max_runs: int, warm_ns: int) -> list[int]:
    """One contender's counted times. The first runs pay for the caches, and for threads that find
    their cores; they do not count.
    """
    clock = time.perf_counter_ns
    warm = run.warm if isinstance(run, WarmsUp) else run
    begin = clock()
    warm()
    while clock() - begin < warm_ns:
        warm()
    start = clock()
    run()
    took_ns = max(1, clock() - start)
    if took_ns > LONG_RUN * block_ns:
        return [took_ns]
    count = max(2, min(max_runs, block_ns // took_ns))
    block = []
    for _ in range(count):
        start = clock()
        run()
        block.append(clock() - start)
    return block
