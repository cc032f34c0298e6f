"""A plan made ready to run with spot checks: who checks which segment, and the lanes of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, replace

from counterpoint.engines.protocol import CompiledSegment, Engine
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, Platform
from counterpoint.platform.occupancy import occupied_devices
from counterpoint.schedule.arbitration import Judge
from counterpoint.schedule.assembly import Assembly, SegmentKey, assemble, compile_segment
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode, pinned_cores
from counterpoint.schedule.plan import Plan, Segment
from counterpoint.schedule.spot_check import CheckStep, SpotCheck, check_name, witnesses
from counterpoint.schedule.watchdog import HangLimits
from counterpoint.schedule.wiring import LaneWiring, Step


@dataclass(frozen=True, slots=True)
class Checking:
    """How results are checked, and by whom.

    Attributes:
        settings: How often, and how closely.
        arbiter: An engine that is in no plan. It has the last word where two units do not agree,
            and checks where no other unit can; ``None``: there is none.
    """

    settings: SpotCheck
    arbiter: Engine | None = None

    def arbiter_units(self, platform: Platform) -> tuple[ComputeUnit, ...]:
        """The arbiter's unit on that machine; empty where there is none."""
        if self.arbiter is None or self.arbiter.missing_reason() is not None:
            return ()
        return self.arbiter.units(platform.devices)[:1]


@dataclass(frozen=True, slots=True)
class _Witness:
    """Who checks a segment."""

    unit: ComputeUnit
    compiled: CompiledSegment
    judge: Judge | None


def assemble_with_checks(
    network: Network,
    plan: Plan,
    engines: Mapping[str, Engine],
    platform: Platform,
    checking: Checking | None,
    *,
    lost: Set[str] = frozenset(),
    limits: HangLimits | None = None,
    spare: Mapping[SegmentKey, CompiledSegment] | None = None,
) -> tuple[Assembly, tuple[str, ...]]:
    """Compiles a plan and what checks it.

    Args:
        network: What runs.
        plan: How.
        engines: By name.
        platform: Where.
        checking: How results are checked; ``None``: not at all.
        lost: Names of units that may check nothing.
        limits: See :func:`assemble`.
        spare: See :func:`assemble`.

    Returns:
        The assembly, and the names of the segments that nobody can check.

    Raises:
        EngineError: See :func:`assemble`.
    """
    if checking is None:
        return assemble(network, plan, engines, platform, limits=limits, spare=spare), ()
    left = [unit for unit in platform.units if unit.name not in lost]
    arbiter = [unit for unit in checking.arbiter_units(platform) if unit.name not in lost]
    everyone = {
        **engines,
        **({checking.arbiter.name: checking.arbiter} if checking.arbiter else {}),
    }
    distinct = {_key(segment): segment for lane in plan.lanes for segment in lane.segments}
    found: dict[SegmentKey, _Witness] = {}
    with ExitStack() as undo:
        for key, segment in distinct.items():
            unit = platform.unit(segment.unit)
            part = network.subnetwork(segment.layers)
            quantised = any(layer.quantised for layer in part.layers)
            candidates = [*witnesses(unit, left, quantised=quantised), *arbiter]
            for candidate in _able(part, candidates, everyone):
                try:
                    compiled = compile_segment(network, segment, candidate, everyone, False)
                except EngineError:
                    continue  # the next one may
                undo.callback(compiled.close)
                judge = None
                if arbiter and candidate not in arbiter:
                    judge = Judge(network, part, everyone[arbiter[0].engine], arbiter[0])
                found[key] = _Witness(candidate, compiled, judge)
                break
        beside = [device for witness in found.values() for device in witness.unit.devices]
        plain = assemble(
            network, plan, engines, platform, limits=limits, spare=spare, beside=beside
        )
        undo.pop_all()
    unchecked = tuple(
        node.name
        for nodes, keys in zip(plain.graph.lanes, plain.keys, strict=True)
        for node, key in zip(nodes, keys, strict=True)
        if key not in found
    )
    devices = [*beside, *(device for name in plan.units for device in platform.unit(name).devices)]
    checks = _Checks(checking.settings, found, platform, devices)
    limit_ns = None if limits is None else limits.limit_ns(None)
    return _with_checks(plain, checks, limit_ns), tuple(dict.fromkeys(unchecked))


def refuse_unchecked(segments: Sequence[str]) -> None:
    """Raises UserInputError where spot checks were asked for and nobody can make them."""
    if segments:
        raise UserInputError(
            f"no other unit can check segment {', '.join(segments)}: leave out the spot checks"
        )


def _key(segment: Segment) -> SegmentKey:
    return frozenset(segment.layers), segment.unit


def _able(
    part: Subnetwork, candidates: Sequence[ComputeUnit], engines: Mapping[str, Engine]
) -> Iterator[ComputeUnit]:
    for unit in candidates:
        engine = engines.get(unit.engine)
        if engine is not None and not any(
            engine.unsupported_reason(layer, unit) for layer in part.layers
        ):
            yield unit


@dataclass(frozen=True, slots=True)
class _Checks:
    """Makes the checks of one plan.

    Attributes:
        settings: How closely.
        witnesses: By what they check.
        platform: Where.
        devices: All that the plan and its checks use.
    """

    settings: SpotCheck
    witnesses: Mapping[SegmentKey, _Witness]
    platform: Platform
    devices: Sequence[Device]

    def check(
        self, segment: int, node: SegmentNode, step: Step, key: SegmentKey
    ) -> tuple[SegmentNode, CheckStep, SegmentKey] | None:
        """The check of one segment; ``None`` where nobody can."""
        witness = self.witnesses.get(key)
        if witness is None:
            return None
        unit = self.platform.unit(node.unit)
        checking = SegmentNode(
            devices=occupied_devices(witness.unit, self.devices),
            predecessors=(segment,),
            name=check_name(node.name),
            unit=witness.unit.name,
            cores=pinned_cores(witness.unit),
        )
        checking_step = CheckStep(
            step,
            witness.compiled.run,
            settings=self.settings,
            unit=unit,
            witness=witness.unit,
            judge=witness.judge,
        )
        return checking, checking_step, _check_key(key, witness)


def _check_key(key: SegmentKey, witness: _Witness) -> SegmentKey:
    """Apart from the same segment of a plan, which may be in use when a new plan is made."""
    return key[0], check_name(f"{key[1]} by {witness.unit.name}")


def _with_checks(plain: Assembly, checks: _Checks, limit_ns: int | None) -> Assembly:
    """Each lane twice: as it is, and with a check behind each segment."""
    part = checks.settings.part
    lanes: list[tuple[SegmentNode, ...]] = []
    wirings: list[LaneWiring] = []
    shares: list[int] = []
    limits: list[tuple[int, ...]] = []
    keys: list[tuple[SegmentKey, ...]] = []
    for index, (nodes, lane) in enumerate(zip(plain.graph.lanes, plain.lanes, strict=True)):
        share, own_keys = plain.graph.shares[index], plain.keys[index]
        own_limits = plain.limits_ns[index] if plain.limits_ns else ()
        rows = zip(range(len(nodes)), nodes, lane.steps, own_keys, strict=True)
        made = [check for check in (checks.check(*row) for row in rows) if check is not None]
        checked = replace(
            lane,
            steps=(*lane.steps, *(step for _, step, _ in made)),
            readers=_readers(lane, [step for _, step, _ in made]),
        )
        for count, more in (
            (part.denominator - part.numerator, made[:0]),
            (part.numerator, made),
        ):
            if count:
                lanes.append((*nodes, *(node for node, _, _ in more)))
                wirings.append(checked if more else lane)
                shares.append(share * count)
                limits.append((*own_limits, *[limit_ns or 0] * len(more)))
                keys.append((*own_keys, *(key for _, _, key in more)))
    compiled = {**plain.compiled}
    for key, witness in checks.witnesses.items():
        compiled[_check_key(key, witness)] = witness.compiled
    return Assembly(
        DispatchGraph(tuple(lanes), tuple(shares), plain.graph.frames_in_flight),
        tuple(wirings),
        tuple(limits) if plain.limits_ns else (),
        compiled,
        tuple(keys),
    )


def _readers(lane: LaneWiring, checks: Sequence[Step]) -> tuple[int, ...]:
    """A checked tensor stays until its check has read it."""
    readers = list(lane.readers)
    for step in checks:
        for slot in step.reads:
            readers[slot] += 1
    return tuple(readers)
