"""What a bench finds out: rows of a matrix, and what explains them.

A result is a list of records, one JSON line each in its file: what is measured first stands first,
and an interrupted file is a result with fewer records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from counterpoint.measure.peak import UnitPeak
from counterpoint.measure.sampling import Samples

MAX_NUMBER = 2**63 - 1
"""Times, energies and counts fit 64 signed bits."""

_FROM_FILE: Mapping[str, object] = {"extra": "forbid", "strict": True}


def _check(name: str, values: Iterable[int | None], least: int = 0) -> None:
    if any(value is not None and not least <= value <= MAX_NUMBER for value in values):
        raise ValueError(f"{name} is not between {least} and 2**63 - 1")


class Method(StrEnum):
    """How a network was run."""

    UNIT = "unit"
    """All of it on one compute unit of ours."""
    PLAN = "plan"
    """By a plan that tuning found."""
    PEER = "peer"
    """By an engine as installed, without us."""


class Metric(StrEnum):
    """What was measured."""

    LATENCY = "latency"
    """One image at a time."""
    THROUGHPUT = "throughput"
    """As many images a second as possible."""


class Basis(StrEnum):
    """What the times are."""

    MEASURED = "measured"
    MODELLED = "modelled"
    """Simulated in virtual time on costs that were recorded or modelled elsewhere."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Who ran.

    Attributes:
        name: Unit, plan or mode: ``openvino:CPU@bf16``, ``plan fp32``,
            ``openvino throughput hint``; told apart by it within one network and metric.
        method: Which of the three.
        precision: ``fp32``, ``bf16``, ``int8``, ...; of a plan that mixes them ``mixed``; of a peer
            ``default`` where it chooses by itself.
        software: Engines with versions, e.g. ``onnxruntime 1.31.1``.
        placement: What a plan puts where, in a line; empty for others.
        platform: Name of the platform: this machine's, or a modelled one's.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str
    method: Method
    precision: str
    software: str
    placement: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one image.

    Attributes:
        energy_uj: Microjoules an image, idle subtracted, over all domains named in ``method``.
        basis: Measured by a counter, or modelled.
        method: Which counter or model, its domains and sampling, the window and the idle power; a
            line that says all that is needed to believe the number.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    energy_uj: int
    basis: Basis
    method: str

    def __post_init__(self) -> None:
        _check("energy_uj", (self.energy_uj,), least=-MAX_NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender on one network by one metric.

    Attributes:
        network: Name as given, e.g. ``zoo:alexnet``.
        contender: Who.
        metric: What.
        basis: What the times are.
        batch: Images in a frame; for throughput the batch that was best.
        images_per_sample: Images that one sample counts: 1 for latency.
        samples_ns: Raw times in the order in which they were taken; empty when it failed.
        rounds_ns: Median sample of each round; contenders of one network and metric took turns, so
            that the same place in two rows is the same spell of the machine.
        predicted_ns: What the planner expected of one sample; ``None`` for peers.
        energy: ``None`` where nothing counts it.
        failure: Why there are no samples, or why they end early; ``None`` when all went well.
        note: What is unlike the others, e.g. fewer images than asked for and why.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    contender: Contender
    metric: Metric
    basis: Basis
    batch: int = 1
    images_per_sample: int = 1
    samples_ns: tuple[int, ...] = ()
    rounds_ns: tuple[int, ...] = ()
    predicted_ns: int | None = None
    energy: Energy | None = None
    failure: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        _check("batch", (self.batch,), least=1)
        _check("images_per_sample", (self.images_per_sample,), least=1)
        _check("samples_ns", self.samples_ns)
        _check("rounds_ns", self.rounds_ns)
        _check("predicted_ns", (self.predicted_ns,))

    @property
    def samples(self) -> Samples | None:
        """The raw times with their quantiles; ``None`` when there are none."""
        return Samples(self.samples_ns) if self.samples_ns else None

    @property
    def average_ns(self) -> float | None:
        """Mean time of one image: the latency of Xu et al. (NPC 2019, section 3.2)."""
        if not self.samples_ns:
            return None
        return sum(self.samples_ns) / (len(self.samples_ns) * self.images_per_sample)

    @property
    def images_per_s(self) -> float | None:
        """By the median sample; ``None`` when there are none."""
        found = self.samples
        if found is None or found.median_ns == 0:
            return None
        return self.images_per_sample * 1e9 / found.median_ns


class Function(StrEnum):
    """What a part of the time was spent on."""

    COMPUTE = "compute"
    """Inside the kernels of layers."""
    WAITING = "synchronisation and waiting"
    WAKE_UP = "thread wake-up"
    COPIES = "copies and re-layout"
    FRAMEWORK = "framework overhead"
    """The engine's own executor, outside kernels."""
    PYTHON = "Python"
    UNATTRIBUTED = "unattributed"
    """In the whole, and seen by no instrument."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the time of one run.

    Attributes:
        function: On what.
        time_ns: How long, on the critical thread.
        layer: Name of the layer; empty where it belongs to none.
        layer_type: ``Conv``, ``depthwise``, ``FC``, ``BatchNorm``, ``pooling``, ...; or empty.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    function: Function
    time_ns: int
    layer: str = ""
    layer_type: str = ""

    def __post_init__(self) -> None:
        _check("time_ns", (self.time_ns,), least=-MAX_NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Where the time of one run went.

    Attributes:
        network: Name as given.
        contender: Who ran.
        threads: Threads that computed; ``None`` when not known.
        whole_ns: Median time of one run, measured without instruments.
        parts: They add up to ``whole_ns``: what no instrument saw is :attr:`Function.UNATTRIBUTED`
            (below zero where instruments saw more than the whole).
        instruments: What told, a line each: engine profile, perf, our trace; and what was not to
            be had here, and why.
        variant: What was done to the network first, e.g. ``BatchNorm kept``; empty for nothing.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    contender: Contender
    threads: int | None
    whole_ns: int
    parts: tuple[Part, ...]
    instruments: tuple[str, ...]
    variant: str = ""

    def __post_init__(self) -> None:
        _check("threads", (self.threads,), least=1)
        _check("whole_ns", (self.whole_ns,))


class Bound(StrEnum):
    """What keeps a layer from being faster."""

    COMPUTE = "compute-bound"
    MEMORY = "memory-bound"
    OVERHEAD = "overhead-bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflinePoint:
    """One layer against the measured roofline of its unit.

    Attributes:
        network, unit, layer, layer_type: Which.
        operations: Two a multiply-add.
        moved_bytes: Inputs, outputs and weights, each once.
        time_ns: Measured, in its network.
        roof_ns: The least that the unit's measured peaks allow.
        bound: Which of the peaks sets ``roof_ns``, or overhead.
        contender: Whose run it was, by name; empty: the unit's.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    unit: str
    layer: str
    layer_type: str
    operations: int
    moved_bytes: int
    time_ns: int
    roof_ns: int
    bound: Bound
    contender: str = ""

    @property
    def whose(self) -> str:
        """The unit that ran the whole network, or the plan of which it ran a part."""
        return self.contender or self.unit

    def __post_init__(self) -> None:
        for name in ("operations", "moved_bytes", "time_ns", "roof_ns"):
            _check(name, (getattr(self, name),))


@dataclass(frozen=True, slots=True)
class MachineDescription:
    """Where it was measured.

    Attributes:
        name: Of the platform.
        fingerprint: Of the platform.
        facts: As ``counterpoint devices`` shows them.
        software: Version by engine or package.
        units: Names of the units.
        peaks: Best rate of each unit; empty when not measured.
        copy_bytes_per_s: Of the memory; ``None`` when not measured.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str
    fingerprint: str
    facts: Mapping[str, str]
    software: Mapping[str, str]
    units: tuple[str, ...]
    peaks: tuple[UnitPeak, ...] = ()
    copy_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """The machine's noise: one contender against itself, as two contenders, in one run.

    Attributes:
        network: Which network it ran.
        contender: Who it was.
        rounds_ns: Of the one and of the other.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network: str
    contender: Contender
    rounds_ns: tuple[tuple[int, ...], tuple[int, ...]]

    def __post_init__(self) -> None:
        for rounds in self.rounds_ns:
            _check("rounds_ns", rounds)


@dataclass(frozen=True, slots=True)
class Insight:
    """A sentence that was computed, and what it rests on.

    Attributes:
        name: Short and stable, e.g. ``batchnorm-share``.
        text: The sentence, with its figures.
        rows: What it was computed from: labels of rows or breakdowns.
        holds: For a published claim, whether it holds here; ``None`` for others.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    name: str
    text: str
    rows: tuple[str, ...]
    holds: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """All records of one bench.

    Attributes:
        machine: Where.
        settings: What was asked for, by name of the option.
        started: Date and time, ISO 8601 with zone.
        rows, controls, breakdowns, points: What was measured. Insights are computed from these.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    machine: MachineDescription
    settings: Mapping[str, str]
    started: str
    rows: tuple[Row, ...] = ()
    controls: tuple[Control, ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    points: tuple[RooflinePoint, ...] = ()
