"""The plan: which lanes frames take, which unit runs which segment, and what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from counterpoint.costs.objective import Objective
from counterpoint.errors import PlanFileError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.split import Split
from counterpoint.platform.model import Platform

MAX_TIME_NS = 2**63 - 1
"""Three hundred years: times in plans fit 64 signed bits."""

MAX_SHARE = 1_000_000
"""Finer shares than a millionth do not change what runs."""

MAX_FRAMES_IN_FLIGHT = 1024
"""Each frame in flight holds its tensors; a plan file may not ask for more memory than this."""

MAX_BATCH = 65_536
"""Images in a frame; far beyond what pays."""

_FROM_FILE: Mapping[str, object] = {"extra": "forbid", "strict": True}


def _check_time(name: str, time_ns: int | None) -> None:
    if time_ns is not None and not 0 <= time_ns <= MAX_TIME_NS:
        raise ValueError(f"{name} is not between 0 and 2**63 - 1")


@dataclass(frozen=True, slots=True)
class Segment:
    """Layers that one unit runs in one call.

    Attributes:
        layers: Indices in :attr:`Network.layers`; a convex set.
        unit: Name of the compute unit.

    Raises:
        ValueError: There is no layer.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    layers: tuple[int, ...]
    unit: str

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a segment has no layer")


@dataclass(frozen=True, slots=True)
class Lane:
    """One way through the whole network.

    Attributes:
        segments: In run order: a segment reads only what earlier ones made. Which segments wait
            for which follows from the network's tensors.
        share: Frames that take this lane out of the sum of all lanes' shares; 1 to ``MAX_SHARE``.

    Raises:
        ValueError: There is no segment, or the share is out of range.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    segments: tuple[Segment, ...]
    share: int = 1

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a lane has no segment")
        if not 1 <= self.share <= MAX_SHARE:
            raise ValueError(f"share is not between 1 and {MAX_SHARE}")


@dataclass(frozen=True, slots=True)
class LinkTransfer:
    """A tensor that moves over a link, as predicted.

    Attributes:
        tensor: Its name.
        origin: Index of the segment that makes it; ``None``: the caller gives it.
        target: Index of the segment that waits for it; ``None``: the caller does.
        link: Name of the link, which is busy meanwhile.
        occupies: Names of the devices that are busy as well.
        time_ns: How long.

    Raises:
        ValueError: The time is negative or past 64 bits.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    tensor: str
    origin: int | None
    target: int | None
    link: str
    occupies: tuple[str, ...]
    time_ns: int

    def __post_init__(self) -> None:
        _check_time("time_ns", self.time_ns)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the planner expects, by its cost table.

    Attributes:
        latency_ns: Time of one frame, alone on the machine.
        segment_ns: Time in which each segment of each lane keeps its devices busy; ``None`` when
            the planner does not tell.
        lower_bound: No plan under the same cost table is better, in the unit of the plan's
            objective; ``None`` when not proven.
        interval_ns: Mean time from one frame's end to the next one's with ``frames_in_flight``
            under way; ``None`` when nobody looked.
        energy_pj: Energy of one frame above idle, in picojoules; ``None`` when not known.
        transfers: What moves over links, for each lane.

    Raises:
        ValueError: A time is negative or past 64 bits.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    latency_ns: int
    segment_ns: tuple[tuple[int, ...], ...] | None = None
    lower_bound: int | None = None
    interval_ns: int | None = None
    energy_pj: int | None = None
    transfers: tuple[tuple[LinkTransfer, ...], ...] = ()

    def __post_init__(self) -> None:
        _check_time("latency_ns", self.latency_ns)
        _check_time("interval_ns", self.interval_ns)
        if min(self.lower_bound or 0, self.energy_pj or 0) < 0:
            raise ValueError("lower_bound and energy_pj are not negative")
        for lane in self.segment_ns or ():
            for time_ns in lane:
                _check_time("segment_ns", time_ns)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a clock said.

    Attributes:
        median_ns: Of all samples.
        low_ns: Lower end of the spread, at most the median.
        high_ns: Upper end of the spread, at least the median.
        samples: How many.

    Raises:
        ValueError: The three times are not in order, or there is no sample.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    median_ns: int
    low_ns: int
    high_ns: int
    samples: int

    def __post_init__(self) -> None:
        _check_time("low_ns", self.low_ns)
        _check_time("high_ns", self.high_ns)
        if not self.low_ns <= self.median_ns <= self.high_ns:
            raise ValueError("low_ns <= median_ns <= high_ns does not hold")
        if self.samples < 1:
            raise ValueError("a measurement has no sample")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one network runs on one machine.

    Attributes:
        network_name: For people.
        network_hash: :attr:`Network.content_hash` of the network that it is for.
        platform_name: For people.
        platform_fingerprint: :attr:`Platform.fingerprint` of the machine that it is for.
        objective: What it is best at.
        lanes: At least one.
        frames_in_flight: Frames that may be under way at once; 1 to ``MAX_FRAMES_IN_FLIGHT``.
        layer_names: One name for each layer of the network.
        engines: Name of each engine used to its version.
        splits: Layers of the network that are split into parts; ``network_hash``, ``layer_names``
            and the lanes are those of the network with these parts.
        precision: Layers of the network that run in int8; as for ``splits``, ``network_hash``,
            ``layer_names`` and the lanes are those of the network with these rewritten, and its
            ``splits`` are of the rewritten layers. ``None``: the network as it is.
        batch: Images in a frame, where the plan is for another number than the network it was made
            for has; ``network_hash`` and ``layer_names`` are those of the network at this batch.
            ``None``: the network as it is.
        cpu_parts: Logical processors of each part of the CPU (``CPU.0``) that it uses.
        prediction: What the cost table promises.
        measured_latency: What a clock said of one frame at a time; ``None`` before that was run.
        measured_interval: What a clock said of the mean time from one frame's end to the next
            one's with ``frames_in_flight`` under way; ``None`` before that was run.
        notes: Sentences for people: what was tried, what was left out and why.

    Raises:
        ValueError: A value is out of range, or ``prediction.segment_ns`` has not one time for
            each segment.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    network_name: str
    network_hash: str
    platform_name: str
    platform_fingerprint: str
    objective: Objective
    lanes: tuple[Lane, ...]
    frames_in_flight: int
    layer_names: tuple[str, ...]
    engines: Mapping[str, str]
    prediction: Prediction
    splits: tuple[Split, ...] = ()
    precision: PrecisionChoice | None = None
    batch: int | None = None
    cpu_parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    measured_latency: Measurement | None = None
    measured_interval: Measurement | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lanes:
            raise ValueError("a plan has no lane")
        if self.batch is not None and not 1 <= self.batch <= MAX_BATCH:
            raise ValueError(f"batch is not between 1 and {MAX_BATCH}")
        if not 1 <= self.frames_in_flight <= MAX_FRAMES_IN_FLIGHT:
            raise ValueError(f"frames_in_flight is not between 1 and {MAX_FRAMES_IN_FLIGHT}")
        times = self.prediction.segment_ns
        if times is not None and [len(row) for row in times] != [
            len(lane.segments) for lane in self.lanes
        ]:
            raise ValueError("prediction.segment_ns has not one time for each segment")
        self._check_transfers()

    def _check_transfers(self) -> None:
        rows = self.prediction.transfers
        if rows and len(rows) != len(self.lanes):
            raise ValueError("prediction.transfers has not one row for each lane")
        for lane, row in zip(self.lanes, rows, strict=False):
            count = len(lane.segments)
            for transfer in row:
                origin = -1 if transfer.origin is None else transfer.origin
                target = count if transfer.target is None else transfer.target
                if not -1 <= origin < target <= count:
                    raise ValueError("prediction.transfers: a tensor moves to an earlier segment")

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units used, each once, in order of first use."""
        return tuple(
            dict.fromkeys(segment.unit for lane in self.lanes for segment in lane.segments)
        )


def check_plan(
    plan: Plan, network: Network, platform: Platform, *, allow_other_machine: bool = False
) -> None:
    """Checks that a plan fits a network and a machine.

    Args:
        plan: Any plan, a stranger's too.
        network: What it shall run.
        platform: Where it shall run.
        allow_other_machine: Accept another fingerprint, as long as all units are here.

    Raises:
        PlanFileError: It is for another network or machine, names a unit that is not here, or
            its lanes are no way through the network.
    """
    _check_origin(plan, network, platform, allow_other_machine)
    for name in plan.units:
        try:
            platform.unit(name)
        except UserInputError as error:
            raise PlanFileError(f"the plan does not fit this machine: {error}") from None
    for device in platform.devices:
        if plan.cpu_parts.get(device.name, device.cores) != device.cores:
            raise PlanFileError(
                f"the plan's {device.name} consists of processors "
                f"{list(plan.cpu_parts[device.name])}, here it is {list(device.cores)}"
            )
    for index, lane in enumerate(plan.lanes):
        _check_lane(f"lane {index} of the plan", lane, network)


def _check_origin(plan: Plan, network: Network, platform: Platform, other_machine: bool) -> None:
    if plan.network_hash != network.content_hash:
        raise PlanFileError(
            f"the plan is for network {plan.network_name!r} (hash {plan.network_hash[:12]!r}), "
            f"this is {network.name!r} (hash {network.content_hash[:12]!r}): make a plan for it"
        )
    if plan.layer_names != tuple(layer.name for layer in network.layers):
        raise PlanFileError(
            f"the plan divides network {network.name!r} into other layers than this version of "
            "Counterpoint does: make the plan again"
        )
    if not other_machine and plan.platform_fingerprint != platform.fingerprint:
        raise PlanFileError(
            f"the plan is for machine {plan.platform_name!r} "
            f"({plan.platform_fingerprint[:12]!r}), this is {platform.name!r} "
            f"({platform.fingerprint[:12]!r}): make a plan here, or allow another machine's"
        )


def _check_lane(what: str, lane: Lane, network: Network) -> None:
    count = len(network.layers)
    segment_of: dict[int, int] = {}
    for position, segment in enumerate(lane.segments):
        for layer in segment.layers:
            if not 0 <= layer < count:
                raise PlanFileError(f"{what}: there is no layer {layer}, only 0 to {count - 1}")
            if layer in segment_of:
                raise PlanFileError(f"{what}: layer {layer} ({_name(network, layer)}) runs twice")
            segment_of[layer] = position
    for layer in range(count):
        if layer not in segment_of:
            raise PlanFileError(f"{what}: layer {layer} ({_name(network, layer)}) is missing")
    for position, segment in enumerate(lane.segments):
        if not network.is_convex(frozenset(segment.layers)):
            raise PlanFileError(
                f"{what}: segment {position} is not convex: a path leaves it and comes back"
            )
    for tensor, producer in network.producer.items():
        for reader in network.consumers.get(tensor, ()):
            if segment_of[producer] > segment_of[reader]:
                raise PlanFileError(
                    f"{what}: segment {segment_of[reader]} reads {tensor!r} before segment "
                    f"{segment_of[producer]} makes it"
                )


def _name(network: Network, layer: int) -> str:
    return repr(network.layers[layer].name)
