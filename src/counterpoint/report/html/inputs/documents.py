"""What verbs print with ``--json``, as far as a report shows it.

Each class names the fields that it needs; a document may hold more, of this version or a later
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

_FROM_FILE: Mapping[str, object] = {"extra": "ignore", "strict": True}

MAX_NUMBER = 2**63 - 1
"""Times and shares fit 64 signed bits."""


def _check(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not 0 <= value <= MAX_NUMBER:
            raise ValueError(f"{name} is not between 0 and 2**63 - 1")


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A segment of a lane; layers by index, the time as predicted."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    layers: tuple[int, ...]
    unit: str
    predicted_ns: int | None = None

    def __post_init__(self) -> None:
        _check(predicted_ns=self.predicted_ns)


@dataclass(frozen=True, slots=True)
class PlannedLane:
    """A lane and how many frames take it."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    share: int
    segments: tuple[PlannedSegment, ...]

    def __post_init__(self) -> None:
        _check(share=self.share - 1)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of times within each round."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedContender:
    """One of a comparison: with times, or with a rate where many images ran at once."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    label: str
    is_plan: bool
    as_installed: bool
    ratio_to_plan: Ratio
    median_ns: int | None = None
    low_ns: int | None = None
    high_ns: int | None = None
    samples: int | None = None
    images_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How far the outputs are from the reference."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    frames: str
    relative_error: float | None
    tolerance: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTime:
    """What a clock said: of one frame, or between frames."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    low_ns: int
    high_ns: int
    samples: int
    latency_ns: int | None = None
    interval_ns: int | None = None


@dataclass(frozen=True, slots=True)
class MixAccuracy:
    """What layers in int8 cost in accuracy."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionMix:
    """A choice of layers in int8, as judged."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    unit: str
    int8_layers: tuple[str, ...]
    latency_ns: int | None = None
    predicted_sqnr_db: float | None = None
    accuracy: MixAccuracy | None = None
    on_front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningDocument:
    """Of ``tune`` (for latency, throughput or under an accuracy budget) and of ``plan``.

    ``network`` to ``frames_in_flight`` is the plan, the rest how it came about; what a verb does
    not tell is ``None`` or empty.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    platform: str
    objective: str
    lanes: tuple[PlannedLane, ...]
    frames_in_flight: int
    batch: int | None = None
    predicted_latency_ns: int | None = None
    predicted_interval_ns: int | None = None
    predicted_energy_pj: int | None = None
    planner: str | None = None
    status: str | None = None
    gap: float | None = None
    verdict: str | None = None
    images_per_s: float | None = None
    measured: MeasuredTime | None = None
    comparison: tuple[TimedContender, ...] = ()
    verification: Verification | None = None
    mixes: tuple[PrecisionMix, ...] = ()
    rejected: tuple[str, ...] = ()
    tuning_ns: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        _check(
            frames_in_flight=self.frames_in_flight - 1,
            predicted_latency_ns=self.predicted_latency_ns,
            predicted_interval_ns=self.predicted_interval_ns,
        )


@dataclass(frozen=True, slots=True)
class LatencyRange:
    """Of simulated frames, waiting included."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    low: int
    mean: float
    high: int


@dataclass(frozen=True, slots=True)
class BusyDevice:
    """A device and its part of the time."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str
    busy_ns: int
    busy_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationDocument:
    """Of ``simulate``."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    platform: str
    frames: int
    frames_in_flight: int
    makespan_ns: int
    frames_per_s: float | None
    latency_ns: LatencyRange
    devices: tuple[BusyDevice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPlan:
    """A plan of a front."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    latency_ns: int
    interval_ns: int
    energy_pj: int
    lanes: tuple[PlannedLane, ...]

    def __post_init__(self) -> None:
        _check(latency_ns=self.latency_ns, interval_ns=self.interval_ns, energy_pj=self.energy_pj)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoDocument:
    """Of ``pareto``; ``reason`` tells why there are no points."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    reason: str | None
    points: tuple[FrontPlan, ...]
    planning_ns: int | None = None


@dataclass(frozen=True, slots=True)
class DesignCore:
    """A core of a design."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    kind: str
    elements: int
    inputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPoint:
    """A design and what it reaches."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    cores: tuple[DesignCore, ...]
    area: int
    multipliers: int
    interval_cycles: int
    images_per_s: float
    pe_efficiency: float
    dram_bytes_per_cycle: int | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignLayer:
    """A layer on each core of a design."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    name: str
    kind: str
    macs: int
    reference_cycles: int | None
    cycles: tuple[int | None, ...]
    parts: tuple[float, ...]
    efficiency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignDocument:
    """Of ``explore --design``, and of an exploration's best design."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    cores: tuple[DesignCore, ...]
    schedules: Mapping[str, float | None]
    layers: tuple[DesignLayer, ...]
    reference_cycles: float | None = None


@dataclass(frozen=True, slots=True)
class ExploredNetwork:
    """A network of a workload, and its images in a frame."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str
    images: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorationDocument:
    """Of ``explore``."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    networks: tuple[ExploredNetwork, ...]
    method: str
    area_unit: str
    budget: int | float
    designs: int
    tried: int
    best: tuple[DesignPoint | None, ...]
    front: tuple[DesignPoint, ...]
    bounds: int = 0
    explanation: DesignDocument | None = field(default=None)


VerbDocument: TypeAlias = (
    TuningDocument | SimulationDocument | ParetoDocument | ExplorationDocument | DesignDocument
)

DOCUMENTS: Mapping[str, type[VerbDocument]] = {
    "counterpoint-tuning": TuningDocument,
    "counterpoint-throughput-tuning": TuningDocument,
    "counterpoint-precision-tuning": TuningDocument,
    "counterpoint-plan-report": TuningDocument,
    "counterpoint-simulation": SimulationDocument,
    "counterpoint-pareto-report": ParetoDocument,
    "counterpoint-exploration": ExplorationDocument,
    "counterpoint-design": DesignDocument,
}
"""By the format that a document says it has."""
