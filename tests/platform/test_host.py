from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.platform.recorded_machines import (
    CPU,
    GIB_KB,
    MACHINES,
    alder_lake,
    container_of_two,
    epyc_guest,
    khadas_vim3,
    status,
    two_socket_xeon,
    write_tree,
)

from counterpoint.errors import UserInputError
from counterpoint.platform.host import host_platform, read_host
from counterpoint.platform.model import ComputeUnit, Platform


def platform_of(
    root: Path, files: dict[str, str], groups: tuple[int | str, ...] | None = None
) -> Platform:
    return host_platform(read_host(write_tree(root, files)), cpu_groups=groups)


def test_one_device_without_groups(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, khadas_vim3())
    (device,) = platform.devices
    assert (device.name, device.cores, device.memory) == ("CPU", (0, 1, 2, 3, 4, 5), "host")
    assert device.description == "4 x Cortex-A73 (big) + 2 x Cortex-A53 (little)"
    assert platform.name == "Khadas VIM3"
    assert platform.units == ()
    assert platform.links == ()


def test_devices_of_groups_keep_their_order(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, khadas_vim3(), ("little", "big"))
    assert [(device.name, device.cores) for device in platform.devices] == [
        ("CPU", (0, 1, 2, 3, 4, 5)),
        ("CPU.0", (0, 1)),
        ("CPU.1", (2, 3, 4, 5)),
    ]
    assert platform.devices[1].description == "2 x Cortex-A53 (little)"


def test_descriptions_without_parts_name_the_model(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, alder_lake(), ("P",))
    assert platform.devices[1].description == "2 x P core, 12th Gen Intel(R) Core(TM) i5-1230U"


def test_facts_hold_what_is_known(tmp_path: Path) -> None:
    facts = platform_of(tmp_path / "xeon", two_socket_xeon()).facts
    assert facts["sockets"] == facts["numa_nodes"] == "2"
    assert facts["cores"] == "8 of 8 (16 threads)"
    assert facts["l1d"] == "8 x 48 KiB"
    assert facts["l3"] == "2 x 105 MiB"
    assert facts["virtualised"] == "no"
    assert "AMX_TILE" in facts["isa"].split()
    assert not {"governor", "boost", "board", "cgroup_cpus", "max_frequency"} & set(facts)
    facts = platform_of(tmp_path / "container", container_of_two()).facts
    assert (facts["cgroup_cpus"], facts["memory_limit"]) == ("2", "4 GiB")
    facts = platform_of(tmp_path / "hybrid", alder_lake()).facts
    assert (facts["core_kinds"], facts["max_frequency"]) == ("2 x P core + 4 x E core", "4.40 GHz")


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_every_machine_has_text_facts_and_a_fingerprint(tmp_path: Path, machine: str) -> None:
    platform = platform_of(tmp_path, MACHINES[machine]())
    assert all(type(value) is str and value for value in platform.facts.values())
    assert len(platform.fingerprint) == 64
    assert int(platform.fingerprint, 16)


def test_bare_machine_is_still_a_platform(tmp_path: Path) -> None:
    platform = host_platform(read_host(tmp_path))
    assert platform.devices[0].cores == (0,)
    assert platform.facts == {"cores": "1 of 1 (1 threads)"}


def test_live_machine_is_the_default() -> None:
    assert host_platform() == host_platform(read_host())


def test_fingerprint_is_stable_over_what_changes_by_itself(tmp_path: Path) -> None:
    before = platform_of(tmp_path / "before", epyc_guest()).fingerprint
    after = epyc_guest() | {
        "proc/meminfo": f"MemTotal:  {16 * GIB_KB - 450_000} kB\nMemFree: 5 kB",
        "proc/sys/kernel/osrelease": "7.0",
        f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
        f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "800000",
        f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "3000000",
    }
    assert platform_of(tmp_path / "after", after).fingerprint == before


def test_fingerprint_counts_cores_by_kind_not_by_number(tmp_path: Path) -> None:
    first = platform_of(tmp_path / "first", container_of_two() | status("0-3"))
    other = platform_of(tmp_path / "other", container_of_two() | status("16-19"))
    assert first.devices[0].cores != other.devices[0].cores
    assert first.fingerprint == other.fingerprint


def test_parts_of_equal_cores_are_alike(tmp_path: Path) -> None:
    host = read_host(write_tree(tmp_path, epyc_guest()))
    cut = [host_platform(host, cpu_groups=groups) for groups in ((1, 1, 2), (4,))]
    assert cut[0].fingerprint == cut[1].fingerprint == host_platform(host).fingerprint
    whole, first, second, third = (device.likeness for device in cut[0].devices)
    assert first == second
    assert len({whole, first, third, cut[1].devices[1].likeness}) == 4
    unit = ComputeUnit("onnxruntime", (cut[0].devices[2],), "fp32")
    assert unit.measured_as == f"onnxruntime:CPU({first})@fp32"


def test_parts_as_a_plan_has_them(tmp_path: Path) -> None:
    host = read_host(write_tree(tmp_path, khadas_vim3()))
    cut = host_platform(host, cpu_groups=("little", "big"))
    parts = {device.name: device.cores for device in cut.devices[1:]}
    assert host_platform(host, cpu_parts=parts) == cut
    with pytest.raises(UserInputError, match=r"may not use \[77\]"):
        host_platform(host, cpu_parts={"CPU.0": (0, 77)})
    with pytest.raises(UserInputError, match="one way at a time"):
        host_platform(host, cpu_parts=parts, cpu_groups=(1,))


def test_fingerprint_tells_machines_apart(tmp_path: Path) -> None:
    host = read_host(write_tree(tmp_path, two_socket_xeon()))
    fingerprints = [
        host_platform(host).fingerprint,
        host_platform(replace(host, allowed=host.allowed[:4])).fingerprint,
        host_platform(replace(host, quota_cpus=4.0)).fingerprint,
        host_platform(replace(host, cpu_model="Another")).fingerprint,
        host_platform(replace(host, board="Another")).fingerprint,
        host_platform(replace(host, instruction_sets=("AVX2",))).fingerprint,
        host_platform(replace(host, caches=host.caches[:-1])).fingerprint,
        host_platform(replace(host, memory_bytes=1 << 30)).fingerprint,
    ]
    assert len(set(fingerprints)) == len(fingerprints)


def test_fingerprint_tells_one_cache_from_two(tmp_path: Path) -> None:
    together = platform_of(tmp_path / "one", container_of_two() | status("0-1"))
    apart = platform_of(tmp_path / "two", container_of_two() | status("0,8"))
    assert together.fingerprint != apart.fingerprint


def test_groups_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="ask for 4 at most"):
        platform_of(tmp_path, epyc_guest(), (5,))
