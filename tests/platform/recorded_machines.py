"""Small trees of the kernel's files, in the shapes that real machines show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

CPU = "sys/devices/system/cpu"
GIB_KB = 1 << 20

AVX512_FLAGS = "fpu sse avx avx2 fma avx512f avx512_vnni avx512_bf16"


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    return root


def x86_cpuinfo(count: int, model: str, flags: str) -> str:
    block = (
        "processor\t: {0}\nvendor_id\t: X\nmodel name\t: {1}\ncpu MHz\t\t: 1.5\nflags\t\t: {2}\n"
    )
    return "\n".join(block.format(number, model, flags) for number in range(count))


def arm_cpuinfo(parts: Sequence[int], features: str) -> str:
    block = (
        "processor\t: {0}\nBogoMIPS\t: 48.00\nFeatures\t: {1}\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {2:#x}\nCPU revision\t: 4\n"
    )
    return "\n".join(block.format(n, features, part) for n, part in enumerate(parts))


def processor(number: int, package: int, siblings: str) -> dict[str, str]:
    folder = f"{CPU}/cpu{number}/topology"
    return {
        f"{folder}/physical_package_id": str(package),
        f"{folder}/core_cpus_list": siblings,
    }


def cache(
    number: int, index: int, level_kind: tuple[int, str], size: str, shared: str
) -> dict[str, str]:
    folder = f"{CPU}/cpu{number}/cache/index{index}"
    return {
        f"{folder}/level": str(level_kind[0]),
        f"{folder}/type": level_kind[1],
        f"{folder}/size": size,
        f"{folder}/shared_cpu_list": shared,
    }


def status(allowed: str) -> dict[str, str]:
    return {"proc/self/status": f"Name:\tpython\nCpus_allowed:\tff\nCpus_allowed_list:\t{allowed}"}


def khadas_vim3() -> dict[str, str]:
    """Amlogic A311D on a mainline kernel: processors 0-1 are A53, 2-5 are A73; no cache files."""
    files = {
        "proc/cpuinfo": arm_cpuinfo(
            [0xD03, 0xD03, 0xD09, 0xD09, 0xD09, 0xD09], "fp asimd evtstrm aes crc32 cpuid"
        ),
        "proc/meminfo": f"MemTotal:        {4 * GIB_KB - 250_000} kB\nMemFree:  9 kB",
        "proc/device-tree/model": "Khadas VIM3\0",
        "proc/sys/kernel/osrelease": "6.1.0-vim3",
        f"{CPU}/online": "0-5",
        f"{CPU}/cpufreq/boost": "0",
    }
    files |= status("0-5")
    for number in range(6):
        little = number < 2
        files |= processor(number, 0, str(number))
        files |= {
            f"{CPU}/cpu{number}/topology/cluster_cpus_list": "0-1" if little else "2-5",
            f"{CPU}/cpu{number}/cpu_capacity": "475" if little else "1024",
            f"{CPU}/cpu{number}/cpufreq/cpuinfo_max_freq": "1800000" if little else "2208000",
            f"{CPU}/cpu{number}/cpufreq/scaling_governor": "schedutil",
        }
    return files


def alder_lake() -> dict[str, str]:
    """2 P cores of 2 threads (processors 0-3), 4 E cores in one module (4-7)."""
    files = {
        "proc/cpuinfo": x86_cpuinfo(
            8, "12th Gen Intel(R) Core(TM) i5-1230U", "avx2 fma avx_vnni sme"
        ),
        "proc/meminfo": f"MemTotal:  {16 * GIB_KB - 300_000} kB",
        "sys/devices/cpu_core/cpus": "0-3",
        "sys/devices/cpu_atom/cpus": "4-7",
        f"{CPU}/online": "0-7",
        f"{CPU}/intel_pstate/no_turbo": "0",
    }
    files |= status("0-7")
    for number in range(8):
        pair = f"{number // 2 * 2}-{number // 2 * 2 + 1}"
        own = pair if number < 4 else str(number)
        files |= processor(number, 0, own)
        # Two favoured cores clock higher: no kind of their own.
        frequency = 4_400_000 if number < 2 else 4_200_000 if number < 4 else 3_300_000
        files[f"{CPU}/cpu{number}/cpufreq/cpuinfo_max_freq"] = str(frequency)
        files |= cache(number, 0, (1, "Data"), "48K" if number < 4 else "32K", own)
        files |= cache(
            number,
            1,
            (2, "Unified"),
            "1280K" if number < 4 else "2048K",
            pair if number < 4 else "4-7",
        )
        files |= cache(number, 2, (3, "Unified"), "12288K", "0-7")
    return files


def two_socket_xeon() -> dict[str, str]:
    """2 packages of 4 cores of 2 threads, numbered as Linux does: second threads come last."""
    files = {
        "proc/cpuinfo": x86_cpuinfo(
            16,
            "Intel(R) Xeon(R) Platinum 8480+",
            AVX512_FLAGS + " avx512_fp16 amx_tile amx_int8 amx_bf16",
        ),
        "proc/meminfo": f"MemTotal:  {256 * GIB_KB - 900_000} kB",
        f"{CPU}/online": "0-15",
        "sys/devices/system/node/node0/cpulist": "0-3,8-11",
        "sys/devices/system/node/node1/cpulist": "4-7,12-15",
    }
    files |= status("0-15")
    for number in range(16):
        core = number % 8
        files |= processor(number, core // 4, f"{core},{core + 8}")
        files |= cache(number, 0, (1, "Data"), "48K", f"{core},{core + 8}")
        files |= cache(number, 1, (1, "Instruction"), "32K", f"{core},{core + 8}")
        files |= cache(number, 2, (2, "Unified"), "2048K", f"{core},{core + 8}")
        files |= cache(
            number, 3, (3, "Unified"), "107520K", "0-3,8-11" if core < 4 else "4-7,12-15"
        )
    return files


def epyc_guest() -> dict[str, str]:
    """A guest of 4 processors without SMT; no cpufreq."""
    files = {
        "proc/cpuinfo": x86_cpuinfo(4, "AMD EPYC", AVX512_FLAGS + " hypervisor"),
        "proc/meminfo": f"MemTotal:  {16 * GIB_KB - 400_000} kB",
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpuset.cpus.effective": "0-3",
        f"{CPU}/online": "0-3",
    }
    files |= status("0-3")
    for number in range(4):
        files |= processor(number, 0, str(number))
        files[f"{CPU}/cpu{number}/topology/cluster_cpus_list"] = str(number)
        files |= cache(number, 0, (2, "Unified"), "1024K", str(number))
        files |= cache(number, 1, (3, "Unified"), "32768K", "0-3")
    return files


def container_of_two() -> dict[str, str]:
    """A container with a quota of 2 of 64 processors; it sees its own group as the root."""
    files = {
        "proc/cpuinfo": x86_cpuinfo(64, "AMD EPYC 7763 64-Core Processor", "avx2 fma"),
        "proc/meminfo": f"MemTotal:  {256 * GIB_KB - 900_000} kB",
        "proc/self/cgroup": "0::/",
        "proc/self/mountinfo": (
            "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate"
        ),
        "sys/fs/cgroup/cpu.max": "200000 100000",
        "sys/fs/cgroup/memory.max": str(4 << 30),
        "sys/fs/cgroup/cpuset.cpus.effective": "0-63",
        f"{CPU}/online": "0-63",
    }
    files |= status("0-63")
    for number in range(64):
        first = number // 8 * 8
        files |= processor(number, 0, str(number))
        files |= cache(number, 0, (3, "Unified"), "32768K", f"{first}-{first + 7}")
    return files


def cgroup_v1_machine() -> dict[str, str]:
    """Version 1 under Docker without a group namespace: paths are the host's, mounts its own."""
    group = "/docker/abc"
    mounts = "\n".join(
        f"{number} 23 0:2 {group} /sys/fs/cgroup/{point} ro - cgroup cgroup rw,{options}"
        for number, point, options in (
            (31, "cpu,cpuacct", "cpu,cpuacct"),
            (32, "cpuset", "cpuset"),
            (33, "memory", "memory"),
        )
    )
    return {
        "proc/cpuinfo": x86_cpuinfo(8, "Intel(R) Xeon(R) CPU", "avx2 fma hypervisor"),
        "proc/meminfo": f"MemTotal:  {32 * GIB_KB} kB",
        "proc/self/cgroup": (
            f"9:name=systemd:{group}\n6:memory:{group}/job\n5:cpuset:{group}\n"
            f"4:cpu,cpuacct:{group}/job\n0::/"
        ),
        "proc/self/mountinfo": mounts,
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "350000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpuset/cpuset.cpus": "2-7",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(8 << 30),
        f"{CPU}/online": "0-7",
        **status("0-7"),
    }


MACHINES = {
    machine.__name__: machine
    for machine in (
        khadas_vim3,
        alder_lake,
        two_socket_xeon,
        epyc_guest,
        container_of_two,
        cgroup_v1_machine,
    )
}
