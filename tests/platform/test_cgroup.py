from __future__ import annotations

from pathlib import Path

import pytest
from tests.platform.recorded_machines import cgroup_v1_machine, container_of_two, write_tree

from counterpoint.platform.cgroup import CgroupLimits, read_cgroup_limits
from counterpoint.platform.kernel_files import KernelFiles


def limits(root: Path, files: dict[str, str]) -> CgroupLimits:
    return read_cgroup_limits(KernelFiles(write_tree(root, files)))


def test_container_of_version_2(tmp_path: Path) -> None:
    found = limits(tmp_path, container_of_two())
    assert found.quota_cpus == 2.0
    assert found.processors == tuple(range(64))
    assert found.memory_bytes == 4 << 30


def test_container_of_version_1_sees_host_paths(tmp_path: Path) -> None:
    found = limits(tmp_path, cgroup_v1_machine())
    assert found.quota_cpus == 3.5  # the parent's; the group itself has none
    assert found.processors == (2, 3, 4, 5, 6, 7)
    assert found.memory_bytes == 8 << 30


def test_tightest_of_the_parents_binds(tmp_path: Path) -> None:
    group = "sys/fs/cgroup"
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a/b",
            f"{group}/a/b/cpu.max": "max 100000",
            f"{group}/a/cpu.max": "150000 100000",
            f"{group}/cpu.max": "400000 100000",
            f"{group}/a/b/memory.max": "max",
            f"{group}/a/memory.max": "1000",
            f"{group}/memory.max": "2000",
            f"{group}/a/cpuset.cpus.effective": "1",
            f"{group}/cpuset.cpus.effective": "0-7",
        },
    )
    assert found == CgroupLimits(quota_cpus=1.5, processors=(1,), memory_bytes=1000)


def test_both_versions_at_once(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": "2:cpu:/job\n0::/",
            "proc/self/mountinfo": (
                "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
            ),
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
        },
    )
    assert found == CgroupLimits(quota_cpus=0.5)


def test_path_out_of_the_namespace_stays_below_the_mount(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/../../other", "sys/cpu.max": "1 1"}
    assert limits(tmp_path, files) == CgroupLimits()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "garbage\n::\n0::relative"},
        {"proc/self/cgroup": "0::/", "proc/self/mountinfo": "1 - cgroup2\n - \nx y z a b - cgroup"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000 0"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "-5 100"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "9" * 5000 + " 1"},
        {"proc/self/cgroup": "4:cpu:/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "0"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpuset.cpus.effective": "some"},
    ],
)
def test_nothing_legible_is_no_limit(tmp_path: Path, files: dict[str, str]) -> None:
    assert limits(tmp_path, files) == CgroupLimits()
