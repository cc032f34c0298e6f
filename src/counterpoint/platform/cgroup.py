"""What control groups leave to this process: processors, processor time and memory.

Version 1 has a tree of groups for each controller, version 2 one tree for all; both may be mounted
at once. A group is bound by its own limits and by those of every group above it.
https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/index.html and
.../scheduler/sched-bwc.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from counterpoint.platform.kernel_files import KernelFiles

_UNIFIED = ""
"""Stands for version 2 where a version 1 controller has its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupLimits:
    """Limits on this process; ``None`` where there is none or it cannot be read.

    Attributes:
        quota_cpus: Processor time per time: 2.0 is as much as two whole processors.
        processors: The only ones it may run on, ascending.
        memory_bytes: Memory beyond which the kernel ends it.
    """

    quota_cpus: float | None = None
    processors: tuple[int, ...] | None = None
    memory_bytes: int | None = None


def read_cgroup_limits(files: KernelFiles) -> CgroupLimits:
    """The limits of the group of the process that reads, its parents' included."""
    groups = _Groups(files)
    quotas = [_quota_v2(files, folder) for folder in groups.folders(_UNIFIED)]
    quotas += [_quota_v1(files, folder) for folder in groups.folders("cpu")]
    memory = [files.count(f"{folder}/memory.max") for folder in groups.folders(_UNIFIED)]
    memory += [
        files.count(f"{folder}/memory.limit_in_bytes") for folder in groups.folders("memory")
    ]
    cpusets = [
        files.processors(f"{folder}/{name}")
        for controller, name in (
            (_UNIFIED, "cpuset.cpus.effective"),
            ("cpuset", "cpuset.effective_cpus"),
            ("cpuset", "cpuset.cpus"),
        )
        for folder in groups.folders(controller)
    ]
    return CgroupLimits(
        quota_cpus=min((quota for quota in quotas if quota is not None), default=None),
        processors=next((cpus for cpus in cpusets if cpus is not None), None),
        memory_bytes=min((limit for limit in memory if limit), default=None),
    )


def _quota_v2(files: KernelFiles, folder: str) -> float | None:
    words = (files.text(f"{folder}/cpu.max") or "").split()
    if len(words) != 2 or not all(word.isdecimal() and len(word) < 19 for word in words):
        return None  # "max 100000": no limit
    return _ratio(int(words[0]), int(words[1]))


def _quota_v1(files: KernelFiles, folder: str) -> float | None:
    quota_us = files.count(f"{folder}/cpu.cfs_quota_us")  # -1: no limit
    return _ratio(quota_us, files.count(f"{folder}/cpu.cfs_period_us"))


def _ratio(quota_us: int | None, period_us: int | None) -> float | None:
    return quota_us / period_us if quota_us and period_us else None


class _Groups:
    """Where the files of this process's groups are, for each controller."""

    def __init__(self, files: KernelFiles) -> None:
        self._paths: dict[str, PurePosixPath] = {}
        for line in (files.text("proc/self/cgroup") or "").splitlines():
            fields = line.split(":", 2)
            if len(fields) == 3 and fields[2].startswith("/"):
                for controller in fields[1].split(","):
                    self._paths.setdefault(controller, PurePosixPath(fields[2]))
        self._mounts = tuple(_mounts(files))

    def folders(self, controller: str) -> tuple[str, ...]:
        """Folders of the group and of all above it that are mounted here, the group first."""
        path = self._paths.get(controller)
        if path is None:
            return ()
        point, below = self._mounted(controller, path)
        steps = [part for part in below.parts if part not in ("/", "..")]
        return tuple(str(point.joinpath(*steps[:depth])) for depth in range(len(steps), -1, -1))

    def _mounted(self, controller: str, path: PurePosixPath) -> tuple[PurePosixPath, PurePosixPath]:
        """Mount point of the controller, and the group's path below it."""
        fallback = PurePosixPath("/sys/fs/cgroup") / controller, path
        outside = None
        for mounted, root, point in self._mounts:
            if mounted != controller:
                continue
            if path.is_relative_to(root):
                return point, path.relative_to(root)
            # A container may see its own group as the mount's root, yet its path from the host.
            outside = outside or (point, PurePosixPath())
        return outside or fallback


def _mounts(files: KernelFiles) -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """``(controller, group that is mounted, mount point)`` of each mounted group tree."""
    for line in (files.text("proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields, system = left.split(), right.split()
        if len(fields) < 5 or len(system) < 3:
            continue
        root, point = PurePosixPath(fields[3]), PurePosixPath(fields[4])
        if system[0] == "cgroup2":
            yield _UNIFIED, root, point
        elif system[0] == "cgroup":
            for option in system[2].split(","):
                yield option, root, point
