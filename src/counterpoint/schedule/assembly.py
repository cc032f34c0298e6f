"""A plan made ready to run: its segments compiled, its tensors numbered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from counterpoint.engines.protocol import CompiledSegment, Engine
from counterpoint.errors import CounterpointError, EngineError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, dispatch_graph, segment_name
from counterpoint.schedule.plan import Plan, Segment
from counterpoint.schedule.watchdog import HangLimits
from counterpoint.schedule.wiring import LaneWiring, wire_lane

SegmentKey = tuple[frozenset[int], str]
"""Layers and the name of the unit. Lanes that have a segment in common share it: its devices run it
once at a time."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What an executor needs of a plan.

    Attributes:
        graph: What waits for what, and for which devices.
        lanes: For each lane of the graph a step for each of its nodes.
        limits_ns: For each node of each lane how long it may take; empty: nobody looks.
        compiled: What the steps run.
        keys: For each node of each lane its key in ``compiled``.
    """

    graph: DispatchGraph
    lanes: tuple[LaneWiring, ...]
    limits_ns: tuple[tuple[int, ...], ...] = ()
    compiled: Mapping[SegmentKey, CompiledSegment] = field(default_factory=dict)
    keys: tuple[tuple[SegmentKey, ...], ...] = ()

    def close(self) -> None:
        """Closes what was compiled."""
        with ExitStack() as stack:
            for segment in self.compiled.values():
                stack.callback(segment.close)


def assemble(
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    *,
    limits: HangLimits | None = None,
    spare: Mapping[SegmentKey, CompiledSegment] | None = None,
    beside: Sequence[Device] = (),
) -> Assembly:
    """Compiles a plan that :func:`check_plan` accepts.

    Args:
        network: What runs.
        plan: How.
        engines: By name.
        platform: Where.
        limits: How long segments may take; ``None``: nobody looks.
        spare: Segments that are compiled already; those that the plan has are used.
        beside: Devices that somebody uses beside the plan.

    Raises:
        EngineError: An engine is not here, or refused a segment. What was compiled for it is
            closed again, and what was spare is not.
    """
    graph = dispatch_graph(network, plan, platform, beside)
    there = spare or {}
    with ExitStack() as undo:
        compiled: dict[SegmentKey, CompiledSegment] = {}
        for key, (segment, exclusive) in _distinct(plan, graph).items():
            if key in there:
                compiled[key] = there[key]
                continue
            unit = platform.unit(segment.unit)
            alone = exclusive and not beside
            compiled[key] = compile_segment(network, segment, unit, engines, alone)
            undo.callback(compiled[key].close)
        lanes = tuple(
            wire_lane(network, lane, [compiled[_key(segment)] for segment in lane.segments])
            for lane in plan.lanes
        )
        undo.pop_all()
    keys = tuple(tuple(map(_key, lane.segments)) for lane in plan.lanes)
    limits_ns = () if limits is None else limits.of_plan(plan)
    return Assembly(graph, lanes, limits_ns, compiled, keys)


def _key(segment: Segment) -> SegmentKey:
    return frozenset(segment.layers), segment.unit


def _distinct(plan: Plan, graph: DispatchGraph) -> dict[SegmentKey, tuple[Segment, bool]]:
    """Each segment once, and whether nothing else ever runs on its devices."""
    users: dict[str, set[SegmentKey]] = {}
    devices: dict[SegmentKey, tuple[Segment, tuple[str, ...]]] = {}
    for lane, nodes in zip(plan.lanes, graph.lanes, strict=True):
        for segment, node in zip(lane.segments, nodes, strict=True):
            devices[_key(segment)] = (segment, node.devices)
            for device in node.devices:
                users.setdefault(device, set()).add(_key(segment))
    return {
        key: (segment, all(len(users[device]) == 1 for device in names))
        for key, (segment, names) in devices.items()
    }


def compile_segment(
    network: Network,
    segment: Segment,
    unit: ComputeUnit,
    engines: Mapping[str, Engine],
    exclusive: bool,
) -> CompiledSegment:
    """A segment made ready on a unit.

    Raises:
        EngineError: The engine is not here, or refused it; names the layer and the unit.
    """
    engine = engines.get(unit.engine)
    if engine is None:
        there = ", ".join(sorted(engines)) or "none"
        raise EngineError(
            f"{unit.name} needs the engine {unit.engine!r}, which is not here; there are: {there}",
            unit=unit.name,
        )
    part = network.subnetwork(segment.layers)
    try:
        return engine.compile(part, unit, exclusive=exclusive)
    except CounterpointError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EngineError(
            f"{unit.name} refused segment {segment_name(network, segment)}: {reason}",
            layer=part.layers[0].name,
            unit=unit.name,
        ) from error
