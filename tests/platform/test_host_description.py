from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.platform.recorded_machines import (
    CPU,
    MACHINES,
    alder_lake,
    arm_cpuinfo,
    cgroup_v1_machine,
    container_of_two,
    epyc_guest,
    khadas_vim3,
    status,
    two_socket_xeon,
    write_tree,
    x86_cpuinfo,
)

from counterpoint.platform.cpu import Core
from counterpoint.platform.host_description import HostDescription, read_host


def read(root: Path, files: dict[str, str]) -> HostDescription:
    return read_host(write_tree(root, files))


def test_khadas_vim3(tmp_path: Path) -> None:
    host = read(tmp_path, khadas_vim3())
    assert host.board == "Khadas VIM3"
    assert host.cpu_model == "Cortex-A73 + Cortex-A53"
    assert host.instruction_sets == ("NEON",)
    assert [(core.kind, core.rank, core.part) for core in host.cores] == [
        ("little", 1, "Cortex-A53")
    ] * 2 + [("big", 0, "Cortex-A73")] * 4
    assert {core.cluster for core in host.cores} == {0, 2}
    assert host.cores[2].max_frequency_hz == 2_208_000_000
    assert host.caches == ()
    assert (host.governor, host.boost, host.virtualised) == ("schedutil", False, None)
    assert host.kernel == "6.1.0-vim3"


def test_alder_lake(tmp_path: Path) -> None:
    host = read(tmp_path, alder_lake())
    assert [core.threads for core in host.cores] == [(0, 1), (2, 3), (4,), (5,), (6,), (7,)]
    assert [core.kind for core in host.cores] == ["P"] * 2 + ["E"] * 4
    assert [core.cluster for core in host.cores] == [0, 2, 4, 4, 4, 4]
    # "sme" of x86 is memory encryption, not Arm's matrix unit.
    assert host.instruction_sets == ("AVX2", "FMA", "AVX_VNNI")
    assert (host.boost, host.virtualised) == (True, False)
    assert sorted((cache.level, cache.size_bytes) for cache in host.caches) == (
        [(1, 32 << 10)] * 4
        + [(1, 48 << 10)] * 2
        + [(2, 1280 << 10)] * 2
        + [(2, 2 << 20), (3, 12 << 20)]
    )


def test_two_socket_xeon(tmp_path: Path) -> None:
    host = read(tmp_path, two_socket_xeon())
    assert len(host.cores) == 8
    assert host.cores[5] == Core(
        threads=(5, 13), package=1, node=1, cache_group=4, cluster=5, kind=None, rank=0
    )
    assert "AMX_BF16" in host.instruction_sets
    assert "AVX512_FP16" in host.instruction_sets
    assert host.virtualised is False


def test_epyc_guest(tmp_path: Path) -> None:
    host = read(tmp_path, epyc_guest())
    assert host.virtualised is True
    assert host.usable_processor_count == 4
    assert all(core.max_frequency_hz is None for core in host.cores)


def test_container_with_a_quota(tmp_path: Path) -> None:
    host = read(tmp_path, container_of_two())
    assert len(host.allowed) == 64
    assert host.usable_processor_count == 2
    assert host.memory_limit_bytes == 4 << 30


def test_cgroup_version_1(tmp_path: Path) -> None:
    host = read(tmp_path, cgroup_v1_machine())
    assert host.allowed == (2, 3, 4, 5, 6, 7)
    assert host.usable_processor_count == 3


def test_affinity_leaves_half_a_core(tmp_path: Path) -> None:
    host = read(tmp_path, alder_lake() | status("1,4"))
    assert [core.threads for core in host.usable_cores] == [(1,), (4,)]


def test_limits_that_contradict_each_other_do_not_leave_nothing(tmp_path: Path) -> None:
    files = epyc_guest() | status("0-1") | {"sys/fs/cgroup/cpuset.cpus.effective": "2-3"}
    assert read(tmp_path, files).allowed == (0, 1)


def test_less_than_one_processor_is_one(tmp_path: Path) -> None:
    files = container_of_two() | {"sys/fs/cgroup/cpu.max": "20000 100000"}
    assert read(tmp_path, files).usable_processor_count == 1


def test_limit_above_the_memory_is_none(tmp_path: Path) -> None:
    files = container_of_two() | {"sys/fs/cgroup/memory.max": str(1 << 50)}
    assert read(tmp_path, files).memory_limit_bytes is None


def arm_board(parts: list[int], speeds: list[int], what: str) -> dict[str, str]:
    files = {"proc/cpuinfo": arm_cpuinfo(parts, "asimd"), f"{CPU}/online": f"0-{len(parts) - 1}"}
    return files | {f"{CPU}/cpu{n}/{what}": str(speed) for n, speed in enumerate(speeds)}


@pytest.mark.parametrize("what", ["cpu_capacity", "cpufreq/cpuinfo_max_freq"])
def test_one_part_at_two_clock_rates_is_two_kinds(tmp_path: Path, what: str) -> None:
    """Snapdragon 888: one X1, three A78, four A55."""
    parts = [0xD05] * 4 + [0xD41] * 3 + [0xD44]
    host = read(tmp_path, arm_board(parts, [300] * 4 + [900] * 3 + [1024], what))
    assert [core.kind for core in host.cores] == ["little"] * 4 + ["middle"] * 3 + ["big"]


def test_slightly_favoured_cores_are_no_kind_of_their_own(tmp_path: Path) -> None:
    host = read(tmp_path, arm_board([0xD4F] * 4, [1024, 1020, 1015, 1010], "cpu_capacity"))
    assert {(core.kind, core.rank) for core in host.cores} == {(None, 0)}


def test_parts_come_from_midr_where_cpuinfo_has_none(tmp_path: Path) -> None:
    files = {f"{CPU}/online": "0", "proc/cpuinfo": "processor : 0\nFeatures : asimd asimddp i8mm"}
    files[f"{CPU}/cpu0/regs/identification/midr_el1"] = "0x00000000413fd0b1"
    host = read(tmp_path, files)
    assert host.cores[0].part == "Cortex-A76"
    assert host.instruction_sets == ("NEON", "DOTPROD", "I8MM")


def test_unknown_arm_part_is_named_by_number(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": arm_cpuinfo([0xFFF], "asimd"), f"{CPU}/online": "0"}
    assert read(tmp_path, files).cores[0].part == "Arm-41:fff"


def test_instruction_set_counts_only_where_every_processor_has_it(tmp_path: Path) -> None:
    text = x86_cpuinfo(1, "X", "avx2 fma avx512f") + "\n" + x86_cpuinfo(1, "X", "avx2 fma")
    assert read(tmp_path, {"proc/cpuinfo": text}).instruction_sets == ("AVX2", "FMA")


def test_empty_tree_has_one_core_and_nothing_known(tmp_path: Path) -> None:
    assert read_host(tmp_path) == HostDescription(cores=(Core(threads=(0,)),), allowed=(0,))
    assert read_host(tmp_path / "missing") == read_host(tmp_path)


def check_invariants(host: HostDescription) -> None:
    threads = [thread for core in host.cores for thread in core.threads]
    assert len(threads) == len(set(threads)) == host.processor_count
    assert host.allowed
    assert set(host.allowed) <= set(threads)
    assert 1 <= host.usable_processor_count <= len(host.allowed)
    assert sum(len(core.threads) for core in host.usable_cores) == len(host.allowed)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), machine=st.sampled_from(sorted(MACHINES)))
def test_missing_files_and_garbage_never_raise(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, machine: str
) -> None:
    garbage = st.sampled_from(
        ["", "\0", "-1", "0-99999999", "7,3,1-2", "ä" * 9, "0x", "9" * 400, "a: b: c", "max 0"]
    )
    files = MACHINES[machine]()
    paths = st.sampled_from(sorted(files))
    for path in data.draw(st.sets(paths, max_size=25)):
        del files[path]
    if files:
        files |= data.draw(st.dictionaries(st.sampled_from(sorted(files)), garbage, max_size=25))
    check_invariants(read(tmp_path_factory.mktemp("root"), files))


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_recorded_machines_hold_the_invariants(tmp_path: Path, machine: str) -> None:
    check_invariants(read(tmp_path, MACHINES[machine]()))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_this_machine() -> None:
    host = read_host()
    check_invariants(host)
    assert set(host.allowed) <= os.sched_getaffinity(0)
    assert host.memory_bytes
    assert host.kernel == os.uname().release
