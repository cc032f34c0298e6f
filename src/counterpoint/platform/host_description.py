"""What this machine is, as far as it decides the speed of a network."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

from counterpoint.platform.cgroup import read_cgroup_limits
from counterpoint.platform.cpu import Cache, Core, read_caches, read_cores
from counterpoint.platform.cpuinfo import read_cpuinfo
from counterpoint.platform.kernel_files import KernelFiles, parse_processor_list

_CPU = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDescription:
    """A machine and the share of it that this process may use. ``None`` is unknown.

    Attributes:
        cores: All physical cores that are online, by first processor; never empty.
        allowed: Logical processors on which this process may run (affinity and cpuset), ascending,
            never empty.
        quota_cpus: Processor time per time that its cgroup grants; ``None`` without a limit.
        cpu_model: Marketing name of the processor; on Arm its parts (``Cortex-A73 + Cortex-A53``).
        board: Name of the board or system-on-chip, where there is a device tree.
        instruction_sets: Those that speed up networks and that every processor has.
        caches: Each cache of the online processors once.
        memory_bytes: Memory of the machine.
        memory_limit_bytes: The cgroup's limit, where it is below :attr:`memory_bytes`.
        virtualised: It is a guest of a hypervisor.
        governor: Clock governors of the processors, ``+`` between them when they differ.
        boost: The processor may exceed its base clock rate.
        kernel: Release of the operating system's kernel.
    """

    cores: tuple[Core, ...]
    allowed: tuple[int, ...]
    quota_cpus: float | None = None
    cpu_model: str | None = None
    board: str | None = None
    instruction_sets: tuple[str, ...] = ()
    caches: tuple[Cache, ...] = ()
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    virtualised: bool | None = None
    governor: str | None = None
    boost: bool | None = None
    kernel: str | None = None

    @property
    def processor_count(self) -> int:
        """Logical processors of the machine."""
        return sum(len(core.threads) for core in self.cores)

    @property
    def usable_cores(self) -> tuple[Core, ...]:
        """Cores on which this process may run, with only those threads that it may use."""
        allowed = frozenset(self.allowed)
        usable = []
        for core in self.cores:
            threads = tuple(thread for thread in core.threads if thread in allowed)
            if threads:
                usable.append(replace(core, threads=threads))
        return tuple(usable)

    @property
    def usable_processor_count(self) -> int:
        """How many threads may compute at once: allowed processors, bounded by the quota.

        A quota is rounded down, to one at least: a thread beyond it is stopped for part of each
        period, and the others wait for it at the end of every layer.
        """
        if self.quota_cpus is None:
            return len(self.allowed)
        return max(1, min(len(self.allowed), int(self.quota_cpus)))


def read_host(root: Path = Path("/")) -> HostDescription:
    """Describes this machine, or the one whose ``/proc`` and ``/sys`` were recorded below ``root``.

    Missing or broken files leave their values unknown; nothing is raised. On systems without these
    files the number of processors and the memory come from Python.
    """
    files = KernelFiles(root)
    live = root == Path("/")
    info = read_cpuinfo(files)
    limits = read_cgroup_limits(files)
    affinity = _affinity(files, live)
    online = files.processors(f"{_CPU}/online") or files.numbered(_CPU, "cpu") or affinity or (0,)
    caches = read_caches(files, online)
    cores = read_cores(files, online, info, caches)
    allowed = set(online)
    for limit in (affinity, limits.processors):
        allowed = allowed & set(limit or online) or allowed  # a limit that leaves none is garbage
    memory_bytes = _memory_bytes(files, live)
    limit_bytes = limits.memory_bytes
    if limit_bytes is not None and memory_bytes is not None and limit_bytes >= memory_bytes:
        limit_bytes = None
    return HostDescription(
        cores=cores,
        allowed=tuple(sorted(allowed)),
        quota_cpus=limits.quota_cpus,
        cpu_model=info.model
        or _parts_text(cores)
        or (platform.processor() if live else "")
        or None,
        board=files.text("proc/device-tree/model"),
        instruction_sets=info.instruction_sets,
        caches=caches,
        memory_bytes=memory_bytes,
        memory_limit_bytes=limit_bytes,
        virtualised=info.virtualised,
        governor=_governor(files, online),
        boost=_boost(files),
        kernel=files.text("proc/sys/kernel/osrelease") or (platform.release() if live else None),
    )


def _affinity(files: KernelFiles, live: bool) -> tuple[int, ...] | None:
    for line in (files.text("proc/self/status") or "").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return parse_processor_list(line.partition(":")[2])
    return tuple(range(os.cpu_count() or 1)) if live else None


def _parts_text(cores: tuple[Core, ...]) -> str:
    ranked = sorted(cores, key=lambda core: core.rank)
    return " + ".join(dict.fromkeys(core.part for core in ranked if core.part))


def _memory_bytes(files: KernelFiles, live: bool) -> int | None:
    for line in (files.text("proc/meminfo") or "").splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "MemTotal:" and words[1].isdecimal():
            return int(words[1][:18]) * 1024 or None
    if live:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has none of it
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _governor(files: KernelFiles, online: tuple[int, ...]) -> str | None:
    texts = (files.text(f"{_CPU}/cpu{number}/cpufreq/scaling_governor") for number in online)
    return "+".join(sorted({text for text in texts if text})) or None


def _boost(files: KernelFiles) -> bool | None:
    no_turbo = files.count(f"{_CPU}/intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == 0
    boost = files.count(f"{_CPU}/cpufreq/boost")
    return None if boost is None else boost != 0
