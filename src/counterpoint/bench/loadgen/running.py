"""MLPerf LoadGen against a session: one test, with LoadGen's own logs and its own judgement.

LoadGen: https://github.com/mlcommons/inference/tree/master/loadgen, package ``mlcommons-loadgen``;
an optional dependency. What it measures and how is MLPerf's rules; here queries are only answered.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from counterpoint.bench.loadgen.log import (
    ACCURACY,
    DETAIL,
    SUMMARY,
    PerformanceLog,
    read_answers,
    read_performance,
    top_1,
)
from counterpoint.bench.loadgen.samples import Samples
from counterpoint.bench.loadgen.search import highest_valid
from counterpoint.bench.loadgen.settings import (
    Expectation,
    LoadGenSettings,
    Scenario,
    loadgen,
    official,
    test_settings,
    unlike_official,
)
from counterpoint.bench.loadgen.sut import Answer, Runner, SystemUnderTest, best_class, probe
from counterpoint.errors import MachineError, UserInputError

TRIAL_MS = 10_000
TRIAL_QUERIES = 662
"""A trial of a rate takes at least so long and has at least so many queries: LoadGen is then sure
of a 99th percentile although one query is late (with 459 none may be)."""

BACK_OFF = 0.95
MAX_BACK_OFFS = 3
"""A rate that was valid in a trial and isn't in the whole test is lowered by this factor, so often
at most."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A rate of the Server scenario that was tried.

    Attributes:
        qps: Images a second.
        valid: As LoadGen judged.
        folder: Its logs.
    """

    qps: float
    valid: bool
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenResult:
    """What a test has shown.

    Attributes:
        settings: What was asked for, the rate that was searched for included.
        samples: Images in the sample library.
        performance: LoadGen's figures and judgement; ``None`` in accuracy mode.
        top_1: Part of the images that were classified right; ``None`` without labels.
        answers: Images that were answered in accuracy mode; else 0.
        trials: Rates that were tried, in the order in which they were.
        unlike_official: What makes this no MLPerf figure, a line each.
        folder: Where LoadGen's logs are.
    """

    settings: LoadGenSettings
    samples: int
    performance: PerformanceLog | None
    top_1: float | None = None
    answers: int = 0
    trials: tuple[Trial, ...] = ()
    unlike_official: tuple[str, ...] = ()
    folder: Path


class _Broken:
    """LoadGen cannot start again in a process in which a test was broken off: it waits still."""

    off = False

    @classmethod
    def off_now(cls) -> None:
        """Notes it, and lets the process end without LoadGen's own clearing up.

        That would free what LoadGen's threads still use. ``on_exit`` of the GNU C library calls
        ``_exit`` with the exit status, after Python is done and before C++ objects are destroyed.
        """
        if not cls.off and sys.platform == "linux":
            library = ctypes.CDLL(None)
            with suppress(AttributeError):  # another C library
                library.on_exit(ctypes.cast(library._exit, ctypes.c_void_p), None)
        cls.off = True


def run_loadgen(
    session: Runner,
    samples: Samples,
    settings: LoadGenSettings,
    folder: Path,
    *,
    answer: Answer = best_class,
    labels: Sequence[int] | None = None,
) -> LoadGenResult:
    """Runs one scenario.

    Args:
        session: What is tested.
        samples: The images.
        settings: Which scenario, and how long.
        folder: For LoadGen's logs; made where it does not exist. Those of trials of a rate are in
            folders inside.
        answer: What goes into the accuracy log.
        labels: The class of each image, for accuracy mode with answers that are classes.

    Returns:
        What was found, also where LoadGen judges it not valid.

    Raises:
        UserInputError: Frames of several images, where one comes at a time.
        MachineError: LoadGen is not installed, was broken off before in this process, or cannot
            write its logs.
        CounterpointError: A frame failed.
    """
    loadgen()
    if settings.scenario is Scenario.SINGLE_STREAM and samples.batch > 1:
        raise UserInputError(
            f"SingleStream sends one image at a time, and a frame has {samples.batch}: give -b 1 "
            "and a plan for one, or another scenario"
        )
    test = _Test(session, samples, answer, probe(session, samples, settings.scenario))
    trials: list[Trial] = []
    if settings.scenario is Scenario.SERVER and settings.target_qps is None:
        if settings.accuracy:  # at whatever rate
            settings = replace(settings, target_qps=test.expected.images_per_s / 2)
        else:
            settings, trials = _at_highest_rate(test, settings, folder)
            folder = trials[-1].folder
    if not trials:
        test.run(settings, folder)
    return _result(settings, samples, folder, labels, trials)


def _result(
    settings: LoadGenSettings,
    samples: Samples,
    folder: Path,
    labels: Sequence[int] | None,
    trials: Sequence[Trial],
) -> LoadGenResult:
    answers = read_answers(folder) if settings.accuracy else {}
    return LoadGenResult(
        settings=settings,
        samples=samples.count,
        performance=None if settings.accuracy else read_performance(folder),
        top_1=None if labels is None or not settings.accuracy else top_1(answers, labels),
        answers=len(answers),
        trials=tuple(trials),
        unlike_official=tuple(unlike_official(settings, samples.count)),
        folder=folder,
    )


def _at_highest_rate(
    test: _Test, settings: LoadGenSettings, folder: Path
) -> tuple[LoadGenSettings, list[Trial]]:
    """The whole test at the highest rate that is valid in short trials, or a little below.

    Returns:
        The settings with that rate, and all that was tried; the last is the whole test, or the
        slowest trial where none was valid.
    """
    trials: list[Trial] = []

    def attempt(rate: float, asked: LoadGenSettings, place: Path) -> bool:
        test.run(replace(asked, target_qps=rate), place)
        trials.append(Trial(rate, read_performance(place).valid, place))
        return trials[-1].valid

    # MLPerf's own 600 s bring enough queries for a 99th percentile, shorter ones may not.
    usual = official(settings.scenario)
    queries = settings.min_queries or max(usual.min_query_count, TRIAL_QUERIES)
    whole = replace(settings, min_queries=queries)
    duration_ms = min(settings.min_duration_ms or usual.min_duration_ms, TRIAL_MS)
    short = replace(whole, min_duration_ms=duration_ms)
    rate = highest_valid(
        lambda tried: attempt(tried, short, folder / f"trial-{len(trials) + 1}"),
        test.expected.images_per_s,
    )
    if rate is not None:
        for power in range(1 + MAX_BACK_OFFS):
            if attempt(rate * BACK_OFF**power, whole, folder):
                break
    return replace(settings, target_qps=trials[-1].qps), trials


@dataclass(frozen=True, slots=True)
class _Test:
    """LoadGen around a session."""

    session: Runner
    samples: Samples
    answer: Answer
    expected: Expectation

    def run(self, settings: LoadGenSettings, folder: Path) -> None:
        """One test; its logs say how it went."""
        library = loadgen()
        if _Broken.off:
            raise MachineError(
                "LoadGen cannot run again in a process in which it was broken off: start a new one"
            )
        outputs = library.LogOutputSettings()
        outputs.outdir = str(_made(folder))
        outputs.copy_summary_to_stdout = False
        logs = library.LogSettings()
        logs.log_output = outputs
        logs.enable_trace = False
        self._start(settings, logs)

    def _start(self, settings: LoadGenSettings, logs: Any) -> None:
        """LoadGen in a thread of its own, so that a failure or Ctrl-C ends the wait for it."""
        library = loadgen()
        ended = threading.Event()
        system = SystemUnderTest(
            self.session,
            self.samples,
            settings.scenario,
            _completer(library),
            answer=self.answer,
            stopped=ended.set,
        )
        handle = library.ConstructSUT(system.issue, lambda: None)
        images = library.ConstructQSL(
            self.samples.count, self.samples.kept, system.load, system.unload
        )
        asked = test_settings(settings, self.expected)

        def run() -> None:
            library.StartTestWithLogSettings(handle, images, asked, logs)
            ended.set()

        threading.Thread(target=run, name="counterpoint-loadgen-test", daemon=True).start()
        try:
            ended.wait()
        except BaseException:  # Ctrl-C
            _Broken.off_now()
            system.abandon()
            raise
        if system.failure is not None:
            _Broken.off_now()
            system.abandon()
            raise system.failure
        system.close()
        library.DestroyQSL(images)
        library.DestroySUT(handle)


def _completer(library: Any) -> Any:
    """Gives answers to LoadGen, which copies them before the call ends."""

    def complete(ids: Sequence[int], answers: Sequence[bytes]) -> None:
        kept = [array("B", answer) for answer in answers]
        places = [held.buffer_info() for held in kept]
        library.QuerySamplesComplete(
            [
                library.QuerySampleResponse(number, address, length)
                for number, (address, length) in zip(ids, places, strict=True)
            ]
        )

    return complete


def _made(folder: Path) -> Path:
    """The folder, which can be written to.

    Raises:
        MachineError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (DETAIL, SUMMARY, ACCURACY):  # of a test before, whose figures these are not
            (folder / name).unlink(missing_ok=True)
            (folder / name).touch()
    except OSError as error:
        raise MachineError(f"cannot write LoadGen's logs to {folder}: {error.strerror}") from None
    return folder
