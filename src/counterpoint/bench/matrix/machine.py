"""Where it was measured, written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.result import MachineDescription
from counterpoint.engines.protocol import Engine
from counterpoint.measure.peak import UnitPeak, copy_bandwidth_bytes_per_s, unit_peaks
from counterpoint.platform.host_description import read_host
from counterpoint.platform.model import Platform
from counterpoint.tuning.progress import Progress

_PACKAGES = ("counterpoint", "numpy", "onnx")


def described(
    platform: Platform, engines: Mapping[str, Engine], precisions: Sequence[str]
) -> MachineDescription:
    """The machine and its software, nothing measured.

    Args:
        platform: Where.
        engines: By name.
        precisions: Units that compute in others are not told of.
    """
    software = {name: engine.version() for name, engine in sorted(engines.items())}
    for package in _PACKAGES:
        try:
            software[package] = version(package)
        except PackageNotFoundError:
            continue
    software["python"] = python_version()
    units = tuple(unit.name for unit in platform.units if unit.precision in precisions)
    return MachineDescription(
        name=platform.name,
        fingerprint=platform.fingerprint,
        facts=dict(platform.facts),
        software=software,
        units=units,
    )


def measured_peaks(
    site: Site, precisions: Sequence[str], progress: Progress
) -> tuple[tuple[UnitPeak, ...], float]:
    """The best rates of the units, about a second each, and of the memory in bytes a second."""
    units = site.units_here(precisions)
    progress.begin("peaks", len(units) + 1)
    host = read_host()
    last = max((cache.level for cache in host.caches), default=0)
    bandwidth = copy_bandwidth_bytes_per_s(
        last_cache_bytes=sum(c.size_bytes or 0 for c in host.caches if c.level == last),
        memory_bytes=host.memory_limit_bytes or host.memory_bytes,
        threads=host.usable_processor_count,
    )
    progress.step("memory")
    return unit_peaks(units, site.engines, progress.step), bandwidth
