"""Leaves out units that are not worth a profile: slow to make ready, and far behind.

An engine that converts models takes seconds for each segment, and a profile needs several. So
such a unit first runs the whole network a few times. Where another unit, which takes no device that
this one leaves free, is much faster, the unit is not profiled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence, Set

from counterpoint.engines.protocol import PreparesSegments
from counterpoint.errors import EngineError
from counterpoint.planning.restriction import Fixed
from counterpoint.platform.model import ComputeUnit
from counterpoint.platform.occupancy import occupied_devices
from counterpoint.tuning.frames import seeded_tensor
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.subject import subject_of

FAR_BEHIND = 2.0
"""Times as slow as another one as a whole: such a unit is no finalist
(:data:`counterpoint.tuning.tune.CLOSE`), and the layers that it runs faster than the other would
have to bring back more than they cost to hand over."""

LOOKS = 5
LOOK_NS = 100_000_000
"""The fastest of so many runs counts, or of those that fit into that time."""


def worth_profiling(
    profiler: Profiler, units: Sequence[ComputeUnit], fixed: Fixed | None = None
) -> tuple[tuple[ComputeUnit, ...], list[str]]:
    """The units to profile, and in a sentence each why another one is left out.

    Args:
        profiler: Of the network; what it measures of whole networks here it need not measure again.
        units: Those that come into question.
        fixed: Layers (by index) that have to run on a unit, or on one of several: a unit stays
            where a layer has no other choice.
    """
    slow_to_make = [u for u in units if isinstance(profiler.engines[u.engine], PreparesSegments)]
    needed = _without_choice(fixed, {unit.name for unit in slow_to_make})
    costly = [
        unit
        for unit in slow_to_make
        if unit.name not in needed and _runs_everything(profiler, unit)
    ]
    others = [unit for unit in units if unit not in costly]
    if not costly or not others:
        return tuple(units), []
    devices = profiler.platform.devices
    whole = profiler.network.whole()
    known_ns: dict[str, int] = {}
    for other in others:
        if _runs_everything(profiler, other):
            try:
                known_ns[other.name] = profiler.measured(
                    subject_of(whole),
                    other,
                    lambda unit=other: profiler.measure_segment(whole, unit),  # type: ignore[misc]
                ).median_ns
            except EngineError:
                continue  # the profiler finds out which part of it
    left_out = []
    for unit in costly:
        occupied = set(occupied_devices(unit, devices))
        rivals = {
            other.name: known_ns[other.name]
            for other in others
            if other.name in known_ns and occupied.issuperset(occupied_devices(other, devices))
        }
        best = min(rivals, key=rivals.__getitem__, default=None)
        if best is None:
            continue
        try:
            taken_ns = _look(profiler, unit)
        except EngineError:
            continue
        if taken_ns > FAR_BEHIND * rivals[best]:
            left_out.append(
                f"{unit.name} is left out: it takes {taken_ns / rivals[best]:.1f} times as long "
                f"as {best} for the whole network"
            )
            units = [kept for kept in units if kept != unit]
    return tuple(units), left_out


def _without_choice(fixed: Fixed | None, costly: Set[str]) -> set[str]:
    """Units of layers that may run on costly ones only."""
    several = [(units,) if isinstance(units, str) else units for units in (fixed or {}).values()]
    return {name for names in several if costly >= set(names) for name in names}


def _runs_everything(profiler: Profiler, unit: ComputeUnit) -> bool:
    engine = profiler.engines[unit.engine]
    layers = profiler.network.layers
    return all(engine.unsupported_reason(layer, unit) is None for layer in layers)


def _look(profiler: Profiler, unit: ComputeUnit) -> int:
    """The fastest of a few runs, in nanoseconds."""
    whole = profiler.network.whole()
    inputs = [seeded_tensor(spec, 0) for spec in whole.inputs]
    compiled = profiler.engines[unit.engine].compile(whole, unit)
    try:
        compiled.run(inputs)
        begin = time.perf_counter_ns()
        times_ns = []
        for _ in range(LOOKS):
            start = time.perf_counter_ns()
            compiled.run(inputs)
            end = time.perf_counter_ns()
            times_ns.append(end - start)
            if end - begin > LOOK_NS:
                break
        return min(times_ns)
    finally:
        compiled.close()
