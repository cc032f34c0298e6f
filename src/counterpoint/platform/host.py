"""This machine as a platform: its CPU groups, a fingerprint of what decides speed, and facts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from counterpoint.errors import UserInputError
from counterpoint.platform.cpu import Core
from counterpoint.platform.cpu_groups import (
    cut_cpu_groups,
    default_cpu_group,
    parse_cpu_groups,
)
from counterpoint.platform.host_description import HostDescription, read_host
from counterpoint.platform.model import Device, DeviceKind, Platform

__all__ = ["HostDescription", "host_platform", "parse_cpu_groups", "read_host"]

_GIB = 1 << 30


def host_platform(
    description: HostDescription | None = None,
    *,
    cpu_groups: Sequence[int | str] | None = None,
    cpu_parts: Mapping[str, tuple[int, ...]] | None = None,
) -> Platform:
    """This machine's CPU as devices; units and links are left to the engines.

    The first device is always ``CPU``, all usable cores. A device names one logical processor for
    each thread that should compute on it.

    Args:
        description: The machine; ``None`` reads the one that runs this.
        cpu_groups: Sizes or kinds of core, see :func:`parse_cpu_groups`: further devices
            ``CPU.0``, ``CPU.1`` and so on, which are parts of ``CPU``.
        cpu_parts: The same parts by name and logical processors, as a plan has them.

    Raises:
        UserInputError: The groups do not fit the machine, or both forms are given.
    """
    host = read_host() if description is None else description
    if cpu_groups and cpu_parts:
        raise UserInputError("the CPU can be cut in one way at a time")
    parts = dict(cpu_parts or {})
    if cpu_groups:
        cut = cut_cpu_groups(host, cpu_groups)
        parts = {f"CPU.{number}": processors for number, processors in enumerate(cut)}
    _check_parts(host, parts)
    whole = default_cpu_group(host)
    devices = [Device("CPU", DeviceKind.CPU, cores=whole, description=_label(host, whole))]
    devices += [
        Device(
            name,
            DeviceKind.CPU,
            cores=processors,
            description=_label(host, processors),
            likeness=_likeness(host, processors),
        )
        for name, processors in parts.items()
    ]
    return Platform(
        name=host.board or host.cpu_model or "this machine",
        fingerprint=_fingerprint(host),
        devices=tuple(devices),
        facts=_facts(host),
    )


def _check_parts(host: HostDescription, parts: Mapping[str, tuple[int, ...]]) -> None:
    here = {thread for core in host.usable_cores for thread in core.threads}
    for name, processors in parts.items():
        gone = sorted(set(processors) - here)
        if gone or not processors:
            raise UserInputError(
                f"{name} consists of processors {list(processors)}, of which this program may not "
                f"use {gone}: make the plan again, with --cpu-groups as wanted"
            )


def _fingerprint(host: HostDescription) -> str:
    """Same speed, same hash."""
    caches = Counter(
        f"L{cache.level} {cache.kind} {cache.size_bytes} / {len(cache.processors)}"
        for cache in host.caches
    )
    # Nominal sizes are whole GiB and the kernel keeps a little back: round up, or a new kernel may
    # make another machine of this one.
    memory_gib = None if host.memory_bytes is None else -(-host.memory_bytes // _GIB)
    decisive = {
        "cpu_model": host.cpu_model,
        "board": host.board,  # Arm parts alone do not tell at what clock rate they run
        "instruction_sets": host.instruction_sets,
        "caches": sorted(caches.items()),
        "memory_gib": memory_gib,
        "quota_cpus": None if host.quota_cpus is None else round(host.quota_cpus, 2),
        "usable": sorted(
            f"{core.kind} {core.part} x{len(core.threads)}" for core in host.usable_cores
        ),
        "whole": _neighbourhood(host, default_cpu_group(host)),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _likeness(host: HostDescription, processors: Sequence[int]) -> str:
    """``2-1f3a9c``: how many threads, and a hash of what they run on."""
    text = json.dumps(_neighbourhood(host, processors))
    return f"{len(processors)}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _neighbourhood(host: HostDescription, processors: Iterable[int]) -> list[list[object]]:
    """Kind of each processor and whom it shares what with, by kind and not by number."""
    numbering: dict[tuple[str, int | None], int] = {}

    def relative(place: str, number: int | None) -> int:
        return numbering.setdefault((place, number), len(numbering))

    owners = {thread: core for core in host.cores for thread in core.threads}
    return [
        [
            core.kind,
            core.part,
            relative("package", core.package),
            relative("node", core.node),
            relative("cache", core.cache_group),
            relative("cluster", core.cluster),
            relative("core", core.threads[0]),
        ]
        for core in (owners[processor] for processor in processors)
    ]


def _label(host: HostDescription, processors: Iterable[int]) -> str:
    chosen = set(processors)
    cores = [core for core in host.cores if chosen.intersection(core.threads)]
    text = _cores_text(cores)
    return text if any(core.part for core in cores) else f"{text}, {host.cpu_model or 'unknown'}"


def _cores_text(cores: Sequence[Core]) -> str:
    """``4 x Cortex-A73 (big) + 2 x Cortex-A53 (little)``, ``8 x P core``, fastest first."""
    labels = []
    for core in sorted(cores, key=lambda core: core.rank):
        label = core.part or (f"{core.kind} core" if core.kind else "core")
        labels.append(f"{label} ({core.kind})" if core.part and core.kind else label)
    return " + ".join(f"{count} x {label}" for label, count in Counter(labels).items())


def _facts(host: HostDescription) -> dict[str, str]:
    usable = host.usable_cores
    frequencies = [core.max_frequency_hz for core in host.cores if core.max_frequency_hz]
    threads = sum(len(core.threads) for core in usable)
    facts = {
        "cpu_model": host.cpu_model,
        "board": host.board,
        "sockets": _count_text(core.package for core in host.cores),
        "numa_nodes": _count_text(core.node for core in host.cores),
        "cores": f"{len(usable)} of {len(host.cores)} ({threads} threads)",
        "core_kinds": _cores_text(usable) if any(core.kind for core in usable) else None,
        "cgroup_cpus": None if host.quota_cpus is None else f"{host.quota_cpus:g}",
        "isa": " ".join(host.instruction_sets) or None,
        "l1d": _cache_text(host, 1),
        "l2": _cache_text(host, 2),
        "l3": _cache_text(host, 3),
        "max_frequency": f"{max(frequencies) / 1e9:.2f} GHz" if frequencies else None,
        "governor": host.governor,
        "boost": _yes_no(host.boost),
        "memory": _bytes_text(host.memory_bytes),
        "memory_limit": _bytes_text(host.memory_limit_bytes),
        "virtualised": _yes_no(host.virtualised),
        "kernel": host.kernel,
    }
    return {name: text for name, text in facts.items() if text is not None}


def _count_text(values: Iterable[int | None]) -> str | None:
    known = {value for value in values if value is not None}
    return str(len(known)) if known else None


def _cache_text(host: HostDescription, level: int) -> str | None:
    sizes = Counter(
        cache.size_bytes
        for cache in host.caches
        if cache.level == level and cache.kind != "Instruction" and cache.size_bytes
    )
    return " + ".join(f"{count} x {_bytes_text(size)}" for size, count in sizes.items()) or None


def _bytes_text(size_bytes: int | None) -> str | None:
    if size_bytes is None:
        return None
    for name, unit in (("GiB", _GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= unit:
            return f"{round(size_bytes / unit, 1):g} {name}"
    return f"{size_bytes} B"


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
