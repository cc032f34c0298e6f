"""The library's front door: the pieces put together for this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from counterpoint.costs.store import Store
from counterpoint.engines.emulated import emulated_engines
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.engines.registry import all_engines, planning_engines, with_units
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.restriction import Fixed
from counterpoint.platform.host import host_platform, parse_cpu_groups
from counterpoint.platform.model import Platform
from counterpoint.schedule.pace import Pace, Punctuality
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session as _Session
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.tune import TuneResult
from counterpoint.tuning.tune import tune as _tune

if TYPE_CHECKING:
    from counterpoint.tuning.throughput import ThroughputResult

MAX_PARTS = 16
"""More lanes side by side than this are not tried unless asked for: each takes time to measure."""

PRECISIONS = ("fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine: its platform and the engines that run here; or one that is emulated.

    Attributes:
        platform: Devices and units.
        engines: By name.
        time_scale: Wall-clock time over the time that an emulated machine would take; ``None``:
            the machine is here.
    """

    platform: Platform
    engines: Mapping[str, Engine]
    time_scale: float | None = None


def devices(
    *,
    cpu_groups: str | None = None,
    cpu_parts: Mapping[str, tuple[int, ...]] | None = None,
    only: Sequence[str] | None = None,
) -> Machine:
    """What is here.

    Args:
        cpu_groups: Also cut the CPU into groups of cores, e.g. ``"1,1"`` or ``"P,E"``.
        cpu_parts: The same as a plan writes it down: :attr:`Plan.cpu_parts`.
        only: Keep the units of these names, or whose names contain them (``CPU``, ``openvino``,
            ``GPU.0``).

    Raises:
        UserInputError: The groups do not fit, or nothing is left.
    """
    groups = parse_cpu_groups(cpu_groups) if cpu_groups else None
    engines = planning_engines()
    platform = with_units(host_platform(cpu_groups=groups, cpu_parts=cpu_parts), engines)
    if only:
        names = {unit.name for unit in platform.units}
        kept = tuple(
            unit
            for unit in platform.units
            if any(word == unit.name or (word not in names and word in unit.name) for word in only)
        )
        if not kept:
            known = ", ".join(unit.name for unit in platform.units) or "none"
            raise UserInputError(f"no unit matches {', '.join(only)}; there are: {known}")
        platform = Platform(
            platform.name,
            platform.fingerprint,
            platform.devices,
            kept,
            platform.links,
            platform.facts,
        )
    return Machine(platform, engines)


def emulated_machine(
    platform: Platform, *, time_scale: float = 1.0, compute: bool = True
) -> Machine:
    """A machine that is not here: sessions take the time there, by the plan, and compute here.

    Args:
        platform: Recorded or modelled.
        time_scale: Wall-clock time over its time; more where this host is too slow.
        compute: The true numbers, by ONNX Runtime. Otherwise all outputs are zeros, for networks
            without weights and for machines much faster than this host.

    Raises:
        EngineError: ONNX Runtime is not installed.
    """
    base = all_engines()["onnxruntime"] if compute else None
    if base is not None and (reason := base.missing_reason()) is not None:
        raise EngineError(f"{platform.name} is emulated by ONNX Runtime, which is {reason}")
    return Machine(platform, emulated_engines(platform, base), time_scale)


def precisions_of(text: str | None) -> tuple[str, ...] | None:
    """``fp32,bf16`` or ``any`` as a tuple; ``None`` (the network's own) for ``None``.

    Raises:
        UserInputError: An unknown precision.
    """
    if text is None:
        return None
    if text == "any":
        return PRECISIONS
    wanted = tuple(word.strip() for word in text.split(","))
    for word in wanted:
        if word not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise UserInputError(f"unknown precision {word!r}; known: {known}, any")
    return wanted


class TuneOptions(TypedDict, total=False):
    """What tuning for latency and for throughput have in common.

    Attributes:
        precision: ``None``: the network's own; ``any``; or a list like ``fp32,bf16``.
        machine: From :func:`devices`; ``None`` for all of this one.
        store: An open store, or its file; ``None`` for the user's own.
        frames: Real frames to verify with, inputs by name.
        fixed: Layers (by index) that have to run on a unit, or on one of several (by name).
        progress: Told how far it is.
        compare_installed: Also time what the engines do as installed; so if not given.
    """

    precision: str | None
    machine: Machine | None
    store: Store | Path | None
    frames: Sequence[Mapping[str, Tensor]] | None
    fixed: Fixed | None
    progress: Progress | None
    compare_installed: bool


def tune(network: Network, **options: Unpack[TuneOptions]) -> TuneResult:
    """Finds the plan of least latency of a network on this machine.

    Args:
        network: From :func:`counterpoint.load`.
        options: See :class:`TuneOptions`.

    Raises:
        CounterpointError: See :func:`counterpoint.tuning.tune.tune`.
    """
    here = options.get("machine") or devices()
    with _store_of(options.get("store")) as store:
        return _tune(network, **_tuning(options, here, store))


def tune_throughput(
    network: Network,
    *,
    batches: Sequence[int] | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    **options: Unpack[TuneOptions],
) -> ThroughputResult:
    """Finds the plan with the most images a second of a network on this machine.

    Args:
        network: From :func:`counterpoint.load`.
        batches: Images in a frame to try; ``None`` for 1, 4, 16 ... while they pay.
        method: ``auto``, ``single``, ``replicate``, ``pipeline`` or ``switch``.
        max_latency_ns: No frame may take longer.
        options: See :class:`TuneOptions`; a machine that is not given has each core as a part.

    Raises:
        CounterpointError: See :func:`counterpoint.tuning.throughput.tune_throughput`.
    """
    from counterpoint.tuning.throughput import tune_throughput as search

    here = options.get("machine") or devices(cpu_groups=one_core_each())
    with _store_of(options.get("store")) as store:
        return search(
            network,
            batches=batches,
            method=method,
            max_latency_ns=max_latency_ns,
            **_tuning(options, here, store),
        )


def one_core_each() -> str | None:
    """CPU groups for lanes side by side: every usable core by itself, at most ``MAX_PARTS``.

    ``None`` where there is one core.
    """
    cores = len(host_platform().devices[0].cores)
    parts = min(cores, MAX_PARTS)
    return ",".join([str(cores // parts)] * parts) if parts > 1 else None


@contextmanager
def _store_of(store: Store | Path | None) -> Iterator[Store]:
    """The store itself, or one that is closed afterwards."""
    if isinstance(store, Store):
        yield store
        return
    opened = Store.open(store)
    try:
        yield opened
    finally:
        opened.close()


class _Tuning(TypedDict):
    platform: Platform
    engines: Mapping[str, Engine]
    store: Store
    precisions: tuple[str, ...] | None
    frames: Sequence[Mapping[str, Tensor]] | None
    fixed: Fixed | None
    progress: Progress | None
    compare_installed: bool


def _tuning(options: TuneOptions, machine: Machine, store: Store) -> _Tuning:
    if machine.time_scale is not None:
        raise UserInputError(
            f"{machine.platform.name} is emulated, so that nothing can be measured on it: make a "
            "plan by its recorded or modelled costs with `counterpoint plan`"
        )
    return {
        "platform": machine.platform,
        "engines": machine.engines,
        "store": store,
        "precisions": precisions_of(options.get("precision")),
        "frames": options.get("frames"),
        "fixed": options.get("fixed"),
        "progress": options.get("progress"),
        "compare_installed": options.get("compare_installed", True),
    }


def as_planned(network: Network, plan: Plan) -> Network:
    """The network with as many images in a frame as the plan is for, and its layers split.

    Raises:
        UserInputError: It cannot be run at that batch, or a layer cannot be split so.
    """
    if network.content_hash == plan.network_hash:
        return network
    from counterpoint.network.batching import with_batch
    from counterpoint.network.splitting import split

    batched = network if plan.batch is None else with_batch(network, plan.batch)
    return split(batched, plan.splits) if plan.splits else batched


class Session(_Session):
    """A network that runs by a plan on this machine.

    Args:
        network: What runs; the session takes it at the plan's batch and splits.
        plan: How; its units must be here.
        machine: From :func:`devices` or :func:`emulated_machine`; ``None`` for this one, cut as
            the plan needs it.
        allow_other_machine: Accept a plan that was made elsewhere if its units are here.
        trace: Record who ran what when.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        *,
        machine: Machine | None = None,
        allow_other_machine: bool = False,
        trace: bool = False,
    ) -> None:
        here = machine or devices(cpu_parts=plan.cpu_parts)
        self._pace = None if here.time_scale is None else Pace(here.time_scale)
        super().__init__(
            as_planned(network, plan),
            plan,
            engines=here.engines,
            platform=here.platform,
            allow_other_machine=allow_other_machine,
            trace=trace,
            pace=self._pace,
        )

    def punctuality(self) -> Punctuality | None:
        """How well this host kept up with an emulated machine; ``None`` where it is this one."""
        return None if self._pace is None else self._pace.punctuality()
