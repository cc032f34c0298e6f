"""Cores and caches of the processors, as the kernel sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from counterpoint.platform.cpuinfo import CpuInfo
from counterpoint.platform.kernel_files import KernelFiles

_CPU = "sys/devices/system/cpu"

_INTEL_KINDS = (("P", "cpu_core"), ("E", "cpu_atom"), ("LP-E", "cpu_lowpower"))
"""Kinds of a hybrid Intel processor, fastest first, and the performance counters that tell."""

_SAME_KIND_RATIO = 1.03
"""Capacities nearer than this are one kind of core: firmware rates single cores a little apart
(preferred cores), while the kinds of known boards lie 5 % and more apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A physical core. ``None`` where the kernel does not say.

    Attributes:
        threads: Its logical processors, ascending, never empty.
        package: Socket.
        node: NUMA node.
        cache_group: Lowest processor among those that share its last cache level.
        cluster: Lowest processor of the smallest group of cores that it belongs to (Arm cluster,
            Intel's module of E cores).
        kind: ``P``, ``E``, ``LP-E``, ``big``, ``middle``, ``little``; ``None`` where all are alike.
        rank: 0 for the fastest kind, then 1 and so on.
        part: Arm core name, e.g. ``Cortex-A73``.
        capacity: Speed relative to the machine's fastest core, which has 1024.
        max_frequency_hz: Highest clock rate, boost included where it is on.
    """

    threads: tuple[int, ...]
    package: int | None = None
    node: int | None = None
    cache_group: int | None = None
    cluster: int | None = None
    kind: str | None = None
    rank: int = 0
    part: str | None = None
    capacity: int | None = None
    max_frequency_hz: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One cache.

    Attributes:
        level: 1 is next to the core.
        kind: ``Data``, ``Instruction`` or ``Unified``.
        size_bytes: Capacity; ``None`` when not known.
        processors: Logical processors that share it, ascending.
    """

    level: int
    kind: str
    size_bytes: int | None
    processors: tuple[int, ...]


def read_caches(files: KernelFiles, online: Iterable[int]) -> tuple[Cache, ...]:
    """Every cache of those processors once, by level, kind and first processor."""
    caches: dict[tuple[int, str, tuple[int, ...]], Cache] = {}
    for processor in online:
        folder = f"{_CPU}/cpu{processor}/cache"
        for index in files.numbered(folder, "index"):
            level = files.count(f"{folder}/index{index}/level")
            kind = files.text(f"{folder}/index{index}/type")
            if not level or kind not in ("Data", "Instruction", "Unified"):
                continue
            shared = files.processors(f"{folder}/index{index}/shared_cpu_list") or (processor,)
            size_bytes = _size_bytes(files.text(f"{folder}/index{index}/size"))
            cache = Cache(level=level, kind=kind, size_bytes=size_bytes, processors=shared)
            caches.setdefault((level, kind, shared), cache)
    return tuple(caches[key] for key in sorted(caches))


def _size_bytes(text: str | None) -> int | None:
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get((text or "")[-1:])
    digits = (text or "")[: -1 if factor else None]
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 12:
        return None
    return int(digits) * (factor or 1) or None


def read_cores(
    files: KernelFiles, online: Sequence[int], info: CpuInfo, caches: Sequence[Cache]
) -> tuple[Core, ...]:
    """Physical cores of those processors, by first processor.

    Args:
        files: Where to read.
        online: Logical processors, ascending.
        info: Gives the parts, and whether capacities may be taken for kinds of core.
        caches: Tell which cores sit together.
    """
    nodes = {
        processor: node
        for node in files.numbered("sys/devices/system/node", "node")
        for processor in files.processors(f"sys/devices/system/node/node{node}/cpulist") or ()
    }
    last_level = max((cache.level for cache in caches), default=0)
    cores = []
    left = set(online)
    for processor in online:
        if processor not in left:
            continue
        threads = _siblings(files, processor) & left | {processor}
        left -= threads
        folder = f"{_CPU}/cpu{processor}"
        frequency_khz = files.count(f"{folder}/cpufreq/cpuinfo_max_freq")
        core = Core(
            threads=tuple(sorted(threads)),
            package=files.count(f"{folder}/topology/physical_package_id"),
            node=nodes.get(processor),
            cache_group=_first_sharer(caches, last_level, processor),
            cluster=_cluster(files, caches, processor, threads),
            part=info.parts.get(processor),
            capacity=files.count(f"{folder}/cpu_capacity"),
            max_frequency_hz=frequency_khz * 1000 if frequency_khz else None,
        )
        cores.append(core)
    return _with_kinds(cores, _intel_kinds(files) if info.is_x86 else _rated_kinds(cores))


def _siblings(files: KernelFiles, processor: int) -> set[int]:
    folder = f"{_CPU}/cpu{processor}/topology"
    siblings = files.processors(f"{folder}/core_cpus_list")
    return set(siblings or files.processors(f"{folder}/thread_siblings_list") or ())


def _first_sharer(caches: Iterable[Cache], level: int, processor: int) -> int | None:
    for cache in caches:
        if cache.level == level and processor in cache.processors and cache.kind != "Instruction":
            return cache.processors[0]
    return None


def _cluster(
    files: KernelFiles, caches: Sequence[Cache], processor: int, threads: set[int]
) -> int | None:
    cluster = files.processors(f"{_CPU}/cpu{processor}/topology/cluster_cpus_list")
    if cluster is not None and processor in cluster and not threads.issuperset(cluster):
        return cluster[0]
    return _first_sharer(caches, 2, processor)


def _intel_kinds(files: KernelFiles) -> dict[int, tuple[int, str]]:
    """Rank and name of the kind of each processor; empty where all are alike."""
    kinds: dict[int, tuple[int, str]] = {}
    for rank, (name, counters) in enumerate(_INTEL_KINDS):
        for processor in files.processors(f"sys/devices/{counters}/cpus") or ():
            kinds[processor] = (rank, name)
    return kinds if len(set(kinds.values())) > 1 else {}


def _rated_kinds(cores: Sequence[Core]) -> dict[int, tuple[int, str]]:
    """Kinds by rated speed and part: capacity where all cores have one, else frequency."""
    by_capacity = all(core.capacity for core in cores)

    def speed(core: Core) -> int:
        return (core.capacity if by_capacity else core.max_frequency_hz) or 0

    speeds = [speed(core) for core in cores]
    if not cores or max(speeds) <= min(speeds) * _SAME_KIND_RATIO:
        return {}  # alike, or not rated: parts may differ still, but nothing says which is faster
    ranks: dict[int, int] = {}
    previous: Core | None = None
    rank = -1
    for core in sorted(cores, key=lambda core: (-speed(core), core.part or "", core.threads)):
        if (
            previous is None
            or previous.part != core.part
            or speed(previous) > speed(core) * _SAME_KIND_RATIO
        ):
            rank += 1
        ranks[core.threads[0]] = rank
        previous = core
    middle = ["middle"] if rank == 2 else [f"middle{number}" for number in range(1, rank)]
    names = ["big", *middle, "little"]
    return {processor: (rank, names[rank]) for processor, rank in ranks.items()}


def _with_kinds(cores: Iterable[Core], kinds: Mapping[int, tuple[int, str]]) -> tuple[Core, ...]:
    if not kinds:
        return tuple(cores)
    slowest = max(rank for rank, _ in kinds.values()) + 1
    ranked = []
    for core in cores:
        rank, kind = kinds.get(core.threads[0], (slowest, None))
        ranked.append(replace(core, rank=rank, kind=kind))
    return tuple(ranked)
