"""Energy of an image: what the machine draws under load, less what it draws when idle.

Method: Xu et al., NPC 2019, section 3.2, who sampled power at 1 Hz (powercap) or 10 Hz
(nvidia-smi). Here the load runs one sampling interval before its window begins and one after it
ends, so that samples on either side of the window's ends see the load as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from counterpoint.bench.energy.source import PowerSource
from counterpoint.bench.energy.trace import EnergyTrace, Window, largest_gap_ns
from counterpoint.bench.result import Basis, Energy
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import Run

MAX_MISSED_SAMPLES = 4
"""A hole of more sampling intervals than that is a meter that was away, and not a late sample."""

_UJ_PER_NS_IN_UW = 10**9


@dataclass(frozen=True, slots=True)
class NoEnergy:
    """Why there is no number.

    Attributes:
        reason: One line, with the way out.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Idle:
    """What the machine draws when nothing runs.

    Attributes:
        energy_uj: Over all domains, in the window.
        duration_ns: The window's length.
    """

    energy_uj: Fraction
    duration_ns: int

    @property
    def power_uw(self) -> Fraction:
        """Microwatts."""
        return self.energy_uj * _UJ_PER_NS_IN_UW / self.duration_ns


@dataclass(frozen=True, slots=True)
class EnergySettings:
    """How long is measured.

    Attributes:
        tolerance: Sampling may err by this part of the energy; see :func:`needed_window_ns`.
        min_window_ns: No window is shorter.
        max_window_ns: No window may be longer; a source that needs more gives no number.
            ``None``: as long as it takes.
    """

    tolerance: Fraction = Fraction(5, 100)
    min_window_ns: int = 1_000_000_000
    max_window_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, and waiting.

    Attributes:
        now_ns: That of the traces: ``time.perf_counter_ns``.
        wait: Waits for so many nanoseconds.
    """

    now_ns: Callable[[], int] = time.perf_counter_ns
    wait: Callable[[int], object] = lambda duration_ns: time.sleep(duration_ns / 1e9)


def needed_window_ns(source: PowerSource, settings: EnergySettings | None = None) -> int:
    """How long a window has to be for the source's sampling.

    Where the load sets in between two samples, the energy between them is wrong by at most half an
    interval of its power, and likewise at its end: by one interval out of the whole window. So
    5 % need 20 intervals: 20 s at 1 Hz, 2 s at 10 Hz.
    """
    limits = settings or EnergySettings()
    return max(limits.min_window_ns, -(-source.interval_ns // limits.tolerance))


def energy_above_idle_uj(load_uj: Fraction, load_ns: int, idle: Idle) -> Fraction:
    """Of a load's window what lies above the idle power."""
    return load_uj - idle.energy_uj * load_ns / idle.duration_ns


def energy_in(
    traces: tuple[EnergyTrace, ...], window: Window, interval_ns: int
) -> Fraction | NoEnergy:
    """Energy of all domains in a window, in microjoules, if the samples are there."""
    total = Fraction(0)
    for trace in traces:
        gap_ns = largest_gap_ns(trace, window)
        if gap_ns is None:
            return NoEnergy(f"{trace.domain}: its samples do not reach over the whole measurement")
        if gap_ns > (1 + MAX_MISSED_SAMPLES) * interval_ns:
            return NoEnergy(
                f"{trace.domain}: no sample for {gap_ns / 1e9:.3g} s, where one every "
                f"{interval_ns / 1e9:.3g} s is due"
            )
        total += trace.energy_uj(window)
    return total


def measure_idle(
    source: PowerSource, settings: EnergySettings | None = None, clock: Clock | None = None
) -> Idle | NoEnergy:
    """What the machine draws while this program waits. Nothing else should run.

    Takes :func:`needed_window_ns` and two sampling intervals.
    """
    clock = clock or Clock()

    def waiting(duration_ns: int) -> int:
        clock.wait(duration_ns)
        return 0

    found = _window(source, waiting, settings or EnergySettings(), clock)
    if isinstance(found, NoEnergy):
        return found
    return Idle(found.energy_uj, found.duration_ns)


def measure_energy(
    source: PowerSource,
    run: Run,
    *,
    images: int = 1,
    idle: Idle | None = None,
    settings: EnergySettings | None = None,
    clock: Clock | None = None,
) -> Energy | NoEnergy:
    """Energy of one image, by running again and again for :func:`needed_window_ns`.

    Args:
        source: What counts.
        run: The load, warmed up.
        images: How many one run is for.
        idle: From :func:`measure_idle` a short time ago; ``None``: it is measured now, before the
            load.
        settings: How long.
        clock: Time; for tests.

    Returns:
        The energy with its method; or why there is none, where samples are missing, the source
        fails, windows may not be as long as it needs, or the load cannot be told from idling.

    Raises:
        CounterpointError: The run failed.
    """
    settings, clock = settings or EnergySettings(), clock or Clock()
    idle_now = measure_idle(source, settings, clock) if idle is None else idle
    if isinstance(idle_now, NoEnergy):
        return idle_now

    def running(duration_ns: int) -> int:
        runs, begin = 0, clock.now_ns()
        while clock.now_ns() - begin < duration_ns:
            run()
            runs += 1
        return runs

    load = _window(source, running, settings, clock)
    if isinstance(load, NoEnergy):
        return load
    above_uj = energy_above_idle_uj(load.energy_uj, load.duration_ns, idle_now)
    each_uj = round(above_uj / (load.runs * images))
    if each_uj <= 0:
        return NoEnergy(
            f"{source.name}: under load it shows no more power than idle "
            f"({float(idle_now.power_uw) / 1e6:.3g} W)"
        )
    return Energy(each_uj, Basis.MEASURED, _method(source, load, images, idle_now))


@dataclass(frozen=True, slots=True)
class _Measured:
    """A window with what was drawn and done in it."""

    energy_uj: Fraction
    duration_ns: int
    domains: tuple[str, ...]
    runs: int


def _window(
    source: PowerSource, work: Callable[[int], int], settings: EnergySettings, clock: Clock
) -> _Measured | NoEnergy:
    """Works for a window, and an interval before and after it.

    Args:
        source: What counts.
        work: Works for at least so many nanoseconds; says how often.
        settings: How long.
        clock: Time.
    """
    needed_ns = needed_window_ns(source, settings)
    if settings.max_window_ns is not None and needed_ns > settings.max_window_ns:
        return NoEnergy(
            f"{source.name}: a sample every {source.interval_ns / 1e9:.3g} s needs a window of "
            f"{needed_ns / 1e9:.3g} s, and {settings.max_window_ns / 1e9:.3g} s are allowed"
        )
    with source.recording() as recording:
        work(source.interval_ns)
        start_ns = clock.now_ns()
        runs = work(needed_ns)
        window = Window(start_ns, clock.now_ns())
        work(source.interval_ns)
    try:
        traces = recording.traces()
    except CounterpointError as error:
        return NoEnergy(str(error))
    energy_uj = energy_in(traces, window, source.interval_ns)
    if isinstance(energy_uj, NoEnergy):
        return energy_uj
    domains = tuple(trace.domain for trace in traces)
    return _Measured(energy_uj, window.duration_ns, domains, runs)


def _method(source: PowerSource, load: _Measured, images: int, idle: Idle) -> str:
    may_err = 100 * source.interval_ns / load.duration_ns
    return (
        f"{source.name}: {' + '.join(load.domains)}, a sample every "
        f"{source.interval_ns / 1e6:.4g} ms (may err by {may_err:.2g} %); load of "
        f"{load.runs * images} images in {load.duration_ns / 1e9:.3g} s, less idle power of "
        f"{float(idle.power_uw) / 1e6:.3g} W (over {idle.duration_ns / 1e9:.3g} s)"
    )
