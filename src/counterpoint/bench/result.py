"""What a bench finds out: rows of a matrix, and what explains them.

A result is a list of records, one JSON line each in its file: what is measured first stands first,
and an interrupted file is a result with fewer records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from counterpoint.measure.peak import UnitPeak
from counterpoint.measure.sampling import Samples


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

    energy_uj: int
    basis: Basis
    method: str


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

    function: Function
    time_ns: int
    layer: str = ""
    layer_type: str = ""


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

    network: str
    contender: Contender
    threads: int | None
    whole_ns: int
    parts: tuple[Part, ...]
    instruments: tuple[str, ...]
    variant: str = ""


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
    """

    network: str
    unit: str
    layer: str
    layer_type: str
    operations: int
    moved_bytes: int
    time_ns: int
    roof_ns: int
    bound: Bound


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

    network: str
    contender: Contender
    rounds_ns: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Insight:
    """A sentence that was computed, and what it rests on.

    Attributes:
        name: Short and stable, e.g. ``batchnorm-share``.
        text: The sentence, with its figures.
        rows: What it was computed from: labels of rows or breakdowns.
        holds: For a published claim, whether it holds here; ``None`` for others.
    """

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

    machine: MachineDescription
    settings: Mapping[str, str]
    started: str
    rows: tuple[Row, ...] = ()
    controls: tuple[Control, ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    points: tuple[RooflinePoint, ...] = ()
