"""What it takes to move a tensor between the host's memory and a device's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterpoint.engines.protocol import Engine, Mover, MovesTensors
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import SamplingSettings, sample
from counterpoint.platform.model import ComputeUnit

SIZES_BYTES = (64 << 10, 1 << 20, 16 << 20)
"""From what a late layer hands over to more than any layer of the zoo does."""

_SETTINGS = SamplingSettings(
    warmup_ns=20_000_000, budget_ns=120_000_000, min_count=5, max_count=60, relative_error=0.02
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCost:
    """One way, measured: ``setup + size / bandwidth``, as the engine's own calls take it.

    Attributes:
        engine: Who moves it.
        origin: Name of the memory or device that is read.
        target: That which is written.
        host_memory: ``pageable`` or ``pinned``.
        setup_ns: Before the first byte moves; ``None`` when it was not measured.
        bandwidth_bytes_per_s: ``None`` also where larger tensors take no longer.
        reason: Why it was not measured.
    """

    engine: str
    origin: str
    target: str
    host_memory: str
    setup_ns: int | None
    bandwidth_bytes_per_s: float | None
    reason: str | None = None


def transfer_costs(
    units: Sequence[ComputeUnit], engines: Mapping[str, Engine]
) -> tuple[TransferCost, ...]:
    """Measures each way of each engine to each device once.

    Args:
        units: The first one of an engine on a device stands for all.
        engines: By name.
    """
    costs = []
    seen = set()
    for unit in units:
        engine = engines[unit.engine]
        places = (unit.engine, unit.devices, unit.setting("provider"))
        if not isinstance(engine, MovesTensors) or places in seen:
            continue
        seen.add(places)
        costs += [_measured(unit, mover) for mover in engine.movers(unit)]
    return tuple(costs)


def _measured(unit: ComputeUnit, mover: Mover) -> TransferCost:
    points: list[tuple[int, int]] = []
    reason = None
    try:
        for size in SIZES_BYTES:
            points.append((size, sample(mover.ready(size), _SETTINGS).median_ns))
    except CounterpointError as error:
        reason = f"not measured: {error}"
    setup_ns, bandwidth = (None, None) if reason else line_through(points)
    return TransferCost(
        engine=unit.engine,
        origin=mover.origin,
        target=mover.target,
        host_memory=mover.host_memory,
        setup_ns=setup_ns,
        bandwidth_bytes_per_s=bandwidth,
        reason=reason,
    )


def line_through(points: Sequence[tuple[int, int]]) -> tuple[int, float | None]:
    """Setup in nanoseconds and bytes a second of a straight line through ``(bytes, ns)``.

    The slope is that between the smallest and the largest size, where the setup counts least; the
    line is then laid through the smallest, where it counts most. No bandwidth where larger is no
    slower.
    """
    (small, low_ns), (large, high_ns) = min(points), max(points)
    if large == small or high_ns <= low_ns:
        return low_ns, None
    ns_per_byte = (high_ns - low_ns) / (large - small)
    return max(0, round(low_ns - ns_per_byte * small)), 1e9 / ns_per_byte
