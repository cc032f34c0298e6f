"""How fast a machine is at best: arithmetic of each unit, and the memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from counterpoint.engines.protocol import Engine
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import SamplingSettings, sample
from counterpoint.network.graph import Network
from counterpoint.network.probe import probe_network
from counterpoint.platform.model import ComputeUnit, DeviceKind

OPERATIONS_PER_MAC = 2

_SETTINGS = SamplingSettings(
    warmup_ns=100_000_000, budget_ns=500_000_000, min_count=5, max_count=60, relative_error=0.01
)

_LARGE_BATCH = 16

_LEAST_COPY_BYTES = 64 * 2**20
_MOST_COPY_BYTES = 512 * 2**20
_COPIES = 9


@dataclass(frozen=True, slots=True)
class UnitPeak:
    """The best rate of one unit.

    Attributes:
        unit: Name of the unit.
        operations_per_s: Two a multiply-add, over the median time of a call; ``None`` when it was
            not measured. Kernels that save multiplications (Winograd) get credit for them, so it
            may lie above what the hardware's data sheet allows.
        reason: Why it was not measured.
    """

    unit: str
    operations_per_s: float | None
    reason: str | None = None


def unit_peaks(
    units: Sequence[ComputeUnit],
    engines: Mapping[str, Engine],
    report: Callable[[str], None] | None = None,
) -> tuple[UnitPeak, ...]:
    """Measures each unit on large 3 x 3 convolutions; about a second a unit.

    Args:
        units: What to measure.
        engines: By name.
        report: Told the name of each unit that is done.
    """
    networks: dict[tuple[bool, int], Network] = {}

    def network(unit: ComputeUnit, batch: int) -> Network:
        key = unit.precision == "int8", batch
        if key not in networks:
            networks[key] = probe_network(quantised=key[0], batch=batch)
        return networks[key]

    peaks = []
    for unit in units:
        engine = engines[unit.engine]
        try:
            rate = max(_rate(network(unit, batch), unit, engine) for batch in _batches(unit))
            peaks.append(UnitPeak(unit.name, rate))
        except CounterpointError as error:
            peaks.append(UnitPeak(unit.name, None, str(error)))
        if report:
            report(unit.name)
    return tuple(peaks)


def _batches(unit: ComputeUnit) -> tuple[int, ...]:
    """One image is enough for CPUs; others are done with it so soon that the call counts."""
    on_cpu = all(device.kind is DeviceKind.CPU or device.is_software for device in unit.devices)
    return (1,) if on_cpu else (1, _LARGE_BATCH)


def _rate(network: Network, unit: ComputeUnit, engine: Engine) -> float:
    """Operations a second over the median call."""
    frame = [
        np.random.default_rng(0).standard_normal(spec.shape or (), np.float32)
        for spec in network.inputs
    ]
    compiled = engine.compile(network.whole(), unit)
    try:
        median_ns = sample(lambda: compiled.run(frame), _SETTINGS).median_ns
    finally:
        compiled.close()
    return network.macs * OPERATIONS_PER_MAC * 1e9 / max(1, median_ns)


def copy_bandwidth_bytes_per_s(
    *, last_cache_bytes: int | None, memory_bytes: int | None, threads: int
) -> float:
    """Bytes read plus bytes written a second while NumPy copies from memory to memory.

    Args:
        last_cache_bytes: Of all last-level caches together; the arrays are four times as large, in
            64 to 512 MiB.
        memory_bytes: What the program may use; the two arrays take an eighth of it at most.
        threads: So many copy side by side: one core alone does not reach the memory's limit.
    """
    size = min(max(4 * (last_cache_bytes or 0), _LEAST_COPY_BYTES), _MOST_COPY_BYTES)
    if memory_bytes is not None:
        size = min(size, max(memory_bytes // 16, 2**20))
    source = np.ones(size, np.uint8)  # ones: zeros may all be one page
    target = np.empty_like(source)
    pieces = list(
        zip(np.array_split(source, threads), np.array_split(target, threads), strict=True)
    )

    def copy(piece: tuple[np.ndarray, np.ndarray]) -> None:
        np.copyto(piece[1], piece[0])

    times_ns = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_COPIES):
            begin = time.perf_counter_ns()
            list(pool.map(copy, pieces))
            times_ns.append(time.perf_counter_ns() - begin)
    # The first copy pays for the pages.
    return 2 * size * 1e9 / float(np.median(times_ns[1:]))
