"""What the dispatcher must know of a plan: who waits for whom, and which devices it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, Platform
from counterpoint.platform.occupancy import occupied_devices
from counterpoint.schedule.plan import Plan, Segment


@dataclass(frozen=True, slots=True)
class SegmentNode:
    """A segment as the dispatcher sees it.

    Attributes:
        devices: Names of the devices that it occupies while it runs; each once, at least one.
        predecessors: Indices, in its lane, of the segments whose tensors it reads; all are
            smaller than its own.
        name: For people and traces.
        unit: Name of the compute unit, for people and traces.
        cores: Logical processors that its thread belongs on; empty where that does not matter.
    """

    devices: tuple[str, ...]
    predecessors: tuple[int, ...] = ()
    name: str = ""
    unit: str = ""
    cores: tuple[int, ...] = ()


@dataclass(frozen=True)
class DispatchGraph:
    """Lanes of segments that share devices.

    Attributes:
        lanes: For each lane its segments in run order; no lane is empty.
        shares: For each lane how many frames take it out of the sum of all shares.
        frames_in_flight: Frames that may be under way at once.
        twins: For each lane the lanes, itself among them, that do the same on other devices that
            are as fast; empty where each lane is the only one of its kind.

    Raises:
        InternalError: One of the above does not hold.
    """

    lanes: tuple[tuple[SegmentNode, ...], ...]
    shares: tuple[int, ...]
    frames_in_flight: int
    twins: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.lanes or len(self.lanes) != len(self.shares):
            raise InternalError("dispatch graph: one share for each of some lanes expected")
        if min(self.shares) < 1 or self.frames_in_flight < 1:
            raise InternalError("dispatch graph: shares and frames in flight start at 1")
        if self.twins and len(self.twins) != len(self.lanes):
            raise InternalError("dispatch graph: twins of each lane expected, or of none")
        for lane in self.lanes:
            if not lane:
                raise InternalError("dispatch graph: a lane has no segment")
            for index, node in enumerate(lane):
                if not node.devices or len(set(node.devices)) != len(node.devices):
                    raise InternalError("dispatch graph: a segment takes each device once")
                if not all(0 <= earlier < index for earlier in node.predecessors):
                    raise InternalError("dispatch graph: a segment waits for a later one")

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of all devices, each once, in order of first use."""
        return tuple(
            dict.fromkeys(name for lane in self.lanes for node in lane for name in node.devices)
        )

    @cached_property
    def is_sequential(self) -> bool:
        """No two segments of one frame can ever run at the same time."""
        return all(_is_sequential(lane) for lane in self.lanes)


def _is_sequential(lane: Sequence[SegmentNode]) -> bool:
    ancestors: list[set[int]] = []
    for index, node in enumerate(lane):
        before = set(node.predecessors).union(*(ancestors[step] for step in node.predecessors))
        ancestors.append(before)
        for other in range(index):
            if other not in before and not set(node.devices) & set(lane[other].devices):
                return False
    return True


def dispatch_graph(
    network: Network, plan: Plan, platform: Platform, beside: Iterable[Device] = ()
) -> DispatchGraph:
    """The dispatch graph of a plan that :func:`check_plan` accepts for that network and machine.

    Args:
        network: What runs.
        plan: How.
        platform: Where.
        beside: Devices that somebody else will use meanwhile, who goes by the same graph.
    """
    units = {name: platform.unit(name) for name in plan.units}
    # A transfer keeps cores busy also where no unit of the plan is on exactly those.
    copying = {
        name for row in plan.prediction.transfers for transfer in row for name in transfer.occupies
    }
    used = [device for unit in units.values() for device in unit.devices]
    used += beside
    used += [device for device in platform.devices if device.name in copying]
    occupied = {name: occupied_devices(unit, used) for name, unit in units.items()}
    lanes = []
    for lane in plan.lanes:
        segment_of = {
            layer: position
            for position, segment in enumerate(lane.segments)
            for layer in segment.layers
        }
        lanes.append(
            tuple(
                SegmentNode(
                    devices=occupied[segment.unit],
                    predecessors=_predecessors(network, segment, segment_of),
                    name=segment_name(network, segment),
                    unit=segment.unit,
                    cores=pinned_cores(units[segment.unit]),
                )
                for segment in lane.segments
            )
        )
    return DispatchGraph(
        tuple(lanes),
        tuple(lane.share for lane in plan.lanes),
        plan.frames_in_flight,
        _twins(plan, units),
    )


def _twins(plan: Plan, units: Mapping[str, ComputeUnit]) -> tuple[tuple[int, ...], ...]:
    """Lanes of equal shares whose segments are the same, on devices of their own of one kind."""
    kinds: dict[object, list[int]] = {}
    taken: dict[object, set[str]] = {}
    for index, lane in enumerate(plan.lanes):
        kind: object = (
            lane.share,
            tuple((segment.layers, units[segment.unit].measured_as) for segment in lane.segments),
        )
        devices = {
            device.name for segment in lane.segments for device in units[segment.unit].devices
        }
        if devices & taken.setdefault(kind, set()):
            kind = index  # two lanes on one device: neither can take over from the other
        taken.setdefault(kind, set()).update(devices)
        kinds.setdefault(kind, []).append(index)
    found = {index: tuple(lanes) for lanes in kinds.values() for index in lanes}
    if len(kinds) == len(plan.lanes):
        return ()
    return tuple(found[index] for index in range(len(plan.lanes)))


def segment_name(network: Network, segment: Segment) -> str:
    """``conv1`` for one layer, ``conv1..pool5`` for more."""
    first, last = min(segment.layers), max(segment.layers)
    name = network.layers[first].name
    return name if first == last else f"{name}..{network.layers[last].name}"


def _predecessors(
    network: Network, segment: Segment, segment_of: dict[int, int]
) -> tuple[int, ...]:
    own = segment_of[segment.layers[0]]
    sources = {
        segment_of[network.producer[tensor]]
        for layer in segment.layers
        for tensor in network.layers[layer].inputs
        if tensor in network.producer
    }
    return tuple(sorted(sources - {own}))


def pinned_cores(unit: ComputeUnit) -> tuple[int, ...]:
    """Where a unit on parts of the CPU belongs; a whole CPU needs no pinning."""
    if not all(device.is_part and device.cores for device in unit.devices):
        return ()
    return tuple(sorted({core for device in unit.devices for core in device.cores}))
