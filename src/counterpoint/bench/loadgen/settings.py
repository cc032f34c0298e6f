"""What a LoadGen test asks for: MLPerf's scenarios, and where they may be shortened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from counterpoint.errors import MachineError

INSTALL = "pip install 'counterpoint[loadgen]'"

OFFICIAL_SAMPLES = 1024
"""Images that are kept in memory in MLPerf's image classification (``mlperf.conf``: resnet50)."""

HEAD_ROOM = 1.25
"""By so much a test may turn out faster than a short look has shown: LoadGen makes its queries up
beforehand, and a test in which they run out is not valid."""

_OFFICIAL_MODEL = "resnet50"
"""Whose entries of MLPerf's own settings apply: the image classifier's."""


class Scenario(StrEnum):
    """MLPerf Inference's load scenarios; Reddi et al., ISCA 2020, section 4."""

    SINGLE_STREAM = "SingleStream"
    """One image, and the next when it is done; figure: 90th percentile of latency."""
    MULTI_STREAM = "MultiStream"
    """Eight images at once, and the next when all are done; 99th percentile of latency."""
    SERVER = "Server"
    """Images at random times (a Poisson process); the rate at which 99 % are done in time."""
    OFFLINE = "Offline"
    """All images at once; images a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenSettings:
    """One test. What is ``None`` is as MLPerf has it for image classification.

    Attributes:
        scenario: Which load.
        accuracy: Run each image once and log the answers, instead of measuring.
        min_duration_ms: The test takes at least so long: 600,000.
        min_queries: At least so many queries; in Offline images: 100, 662, 100 and 24,576.
        target_latency_ns: Server: an image has to be done by then: 15 ms.
        target_qps: Server: images a second; ``None``: it is searched for.
    """

    scenario: Scenario
    accuracy: bool = False
    min_duration_ms: int | None = None
    min_queries: int | None = None
    target_latency_ns: int | None = None
    target_qps: float | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What LoadGen has to know beforehand, so that it makes up enough queries.

    Attributes:
        latency_ns: Of one image: the fastest in a short look.
        images_per_s: In a short look.
    """

    latency_ns: int
    images_per_s: float


def loadgen() -> Any:
    """LoadGen's module.

    Raises:
        MachineError: It is not installed.
    """
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise MachineError(f"MLPerf LoadGen is not installed: {INSTALL}") from error
    return mlperf_loadgen


def official(scenario: Scenario) -> Any:
    """LoadGen's ``TestSettings`` as MLPerf's own file has them, which is part of the package.

    Raises:
        MachineError: LoadGen is not installed.
    """
    library = loadgen()
    made = library.TestSettings()
    made.scenario = getattr(library.TestScenario, scenario.value)
    made.FromConfig("", _OFFICIAL_MODEL, scenario.value, 0)
    return made


def test_settings(settings: LoadGenSettings, expected: Expectation) -> Any:
    """LoadGen's ``TestSettings`` for a test.

    Args:
        settings: What is asked for.
        expected: What was measured beforehand.
    """
    library = loadgen()
    made = official(settings.scenario)
    mode = library.TestMode
    made.mode = mode.AccuracyOnly if settings.accuracy else mode.PerformanceOnly
    made.performance_sample_count_override = 0  # the sample library says how many it keeps
    if settings.min_duration_ms is not None:
        made.min_duration_ms = settings.min_duration_ms
    if settings.min_queries is not None:
        made.min_query_count = settings.min_queries
    if settings.target_latency_ns is not None:
        made.server_target_latency_ns = settings.target_latency_ns
    if settings.target_qps is not None:
        made.server_target_qps = settings.target_qps
    latency_ns = expected.latency_ns / HEAD_ROOM
    made.single_stream_expected_latency_ns = latency_ns
    made.multi_stream_expected_latency_ns = latency_ns
    made.offline_expected_qps = expected.images_per_s * HEAD_ROOM
    return made


def unlike_official(settings: LoadGenSettings, samples: int) -> Iterator[str]:
    """What makes a test's figure no MLPerf figure, a line each.

    Args:
        settings: What was asked for.
        samples: Images in the sample library.
    """
    usual = official(settings.scenario)
    pairs = (
        ("minimum duration", settings.min_duration_ms, usual.min_duration_ms, "ms"),
        ("minimum of queries", settings.min_queries, usual.min_query_count, ""),
    )
    if not settings.accuracy:
        for name, own, theirs, unit in pairs:
            if own is not None and own < theirs:
                yield f"{name} {own} {unit}".rstrip() + f" instead of {theirs}"
    if settings.scenario is Scenario.SERVER:
        theirs = usual.server_target_latency_ns
        if settings.target_latency_ns not in (None, theirs):
            own_ms = (settings.target_latency_ns or 0) / 1e6
            yield f"target latency {own_ms:g} ms instead of {theirs / 1e6:g}"
    if samples < OFFICIAL_SAMPLES:
        yield f"{samples} images instead of {OFFICIAL_SAMPLES}"
