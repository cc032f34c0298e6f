"""The library's front door: the pieces put together for this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack, overload

from counterpoint.costs.store import Store
from counterpoint.engines.emulated import emulated_engines
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.engines.registry import all_engines, planning_engines, with_units
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.restriction import Fixed
from counterpoint.platform.host import host_platform, parse_cpu_groups
from counterpoint.platform.model import Platform
from counterpoint.schedule.checked_assembly import Checking
from counterpoint.schedule.pace import Pace, Punctuality
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.recovery import Fallback, Report, log_incident
from counterpoint.schedule.session import Session as _Session
from counterpoint.schedule.spot_check import SpotCheck
from counterpoint.schedule.watchdog import HangLimits
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.tune import TuneResult
from counterpoint.tuning.tune import tune as _tune

if TYPE_CHECKING:
    from counterpoint.platform.file_content import PlatformFile
    from counterpoint.tuning.accuracy import LabelledFrames
    from counterpoint.tuning.precision_tuning import Goal, PrecisionResult
    from counterpoint.tuning.throughput import ThroughputResult

MAX_PARTS = 16
"""More lanes side by side than this are not tried unless asked for: each takes time to measure."""

Frames: TypeAlias = "Sequence[Mapping[str, Tensor] | Tensor] | LabelledFrames"
"""Of one image each: inputs by name, or the only input's array."""

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
        platform = replace(platform, units=kept, named=True)
    return Machine(platform, engines)


def emulated_machine(
    platform: Platform | PlatformFile, *, time_scale: float = 1.0, compute: bool = True
) -> Machine:
    """A machine that is not here: sessions take the time there, by the plan, and compute here.

    Args:
        platform: Recorded or modelled. Of a file, units with a model of a neural processor compute
            as that processor does, bit by bit; all others as ONNX Runtime does here.
        time_scale: Wall-clock time over its time; more where this host is too slow.
        compute: The true numbers, by ONNX Runtime. Otherwise all outputs are zeros, for networks
            without weights and for machines much faster than this host.

    Raises:
        EngineError: ONNX Runtime is not installed.
    """
    base = all_engines()["onnxruntime"] if compute else None
    if base is not None and (reason := base.missing_reason()) is not None:
        raise EngineError(f"{platform.name} is emulated by ONNX Runtime, which is {reason}")
    if isinstance(platform, Platform):
        return Machine(platform, emulated_engines(platform, base), time_scale)
    from counterpoint.engines.npu.units import arithmetics

    there = platform.platform
    return Machine(there, emulated_engines(there, base, arithmetics(platform)), time_scale)


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


class BudgetOptions(TypedDict, total=False):
    """What accuracy a plan may cost; one of the first two has to be there.

    Attributes:
        max_drop: Percentage points of top-1: by the labels, or without labels of images whose best
            class is another than the network's in its own precision.
        min_sqnr_db: Least ratio of the outputs' power to that of the noise in them.
        labels: Class of each calibration image.
        held_back: Part of the images to verify with, and not to calibrate; half if not given.
    """

    max_drop: float | None
    min_sqnr_db: float | None
    labels: Sequence[int] | None
    held_back: float


class _BudgetedOptions(TuneOptions, BudgetOptions, total=False):
    pass


@overload
def tune(network: Network, **options: Unpack[TuneOptions]) -> TuneResult: ...
@overload
def tune(
    network: Network, *, calibration: Frames, **options: Unpack[_BudgetedOptions]
) -> PrecisionResult: ...
def tune(
    network: Network, *, calibration: Frames | None = None, **options: Unpack[_BudgetedOptions]
) -> TuneResult | PrecisionResult:
    """Finds the plan of least latency of a network on this machine.

    Args:
        network: From :func:`counterpoint.load`.
        calibration: Frames of one image each, or the same with labels. Units may then compute in
            whatever precision keeps the budget, int8 included.
        options: See :class:`TuneOptions`, and :class:`BudgetOptions` with ``calibration``.

    Raises:
        CounterpointError: See :func:`counterpoint.tuning.tune.tune`; or images, labels or budget
            do not fit.
    """
    here = options.get("machine") or devices()
    if calibration is not None:
        from counterpoint.tuning.precision_tuning import Latency

        installed = options.get("compare_installed", True)
        return _within_budget(network, calibration, options, here, Latency(installed))
    _check_no_budget(options)
    with _store_of(options.get("store")) as store:
        return _tune(network, **_tuning(options, here, store))


@overload
def tune_throughput(
    network: Network,
    *,
    batches: Sequence[int] | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    **options: Unpack[TuneOptions],
) -> ThroughputResult: ...
@overload
def tune_throughput(
    network: Network,
    *,
    batches: Sequence[int] | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    calibration: Frames,
    **options: Unpack[_BudgetedOptions],
) -> PrecisionResult: ...
def tune_throughput(
    network: Network,
    *,
    batches: Sequence[int] | None = None,
    method: str = "auto",
    max_latency_ns: int | None = None,
    calibration: Frames | None = None,
    **options: Unpack[_BudgetedOptions],
) -> ThroughputResult | PrecisionResult:
    """Finds the plan with the most images a second of a network on this machine.

    Args:
        network: From :func:`counterpoint.load`.
        batches: Images in a frame to try; ``None`` for 1, 4, 16 ... while they pay.
        method: ``auto``, ``single``, ``replicate``, ``pipeline`` or ``switch``.
        max_latency_ns: No frame may take longer.
        calibration: See :func:`tune`.
        options: See :class:`TuneOptions`, and :class:`BudgetOptions` with ``calibration``; a
            machine that is not given has each core as a part.

    Raises:
        CounterpointError: See :func:`counterpoint.tuning.throughput.tune_throughput`; or images,
            labels or budget do not fit.
    """
    from counterpoint.tuning.throughput import tune_throughput as search

    here = options.get("machine") or devices(cpu_groups=one_core_each())
    if calibration is not None:
        from counterpoint.tuning.precision_tuning import Throughput

        installed = options.get("compare_installed", True)
        goal = Throughput(batches, method, max_latency_ns, installed)
        return _within_budget(network, calibration, options, here, goal)
    _check_no_budget(options)
    with _store_of(options.get("store")) as store:
        return search(
            network,
            batches=batches,
            method=method,
            max_latency_ns=max_latency_ns,
            **_tuning(options, here, store),
        )


def _within_budget(
    network: Network, calibration: Frames, options: _BudgetedOptions, machine: Machine, goal: Goal
) -> PrecisionResult:
    from counterpoint.tuning.accuracy import LabelledFrames
    from counterpoint.tuning.budget import HELD_BACK, AccuracyBudget
    from counterpoint.tuning.mixed_precision import PrecisionSearch
    from counterpoint.tuning.precision_tuning import tune_precision

    if options.get("fixed"):
        raise UserInputError("layers fixed to units and an accuracy budget exclude each other")
    budget = AccuracyBudget(
        max_drop=options.get("max_drop"), min_sqnr_db=options.get("min_sqnr_db")
    )
    labels = options.get("labels")
    images = calibration
    if not isinstance(images, LabelledFrames):
        images = LabelledFrames.of(network, images, labels)
    with _store_of(options.get("store")) as store:
        common = _tuning(options, machine, store)
        search = PrecisionSearch(
            network,
            images,
            budget,
            held_back=options.get("held_back", HELD_BACK),
            platform=common["platform"],
            engines=common["engines"],
            store=store,
            precisions=common["precisions"],
            progress=common["progress"],
        )
        return tune_precision(search, goal)


def _check_no_budget(options: _BudgetedOptions) -> None:
    given = [name for name in BudgetOptions.__annotations__ if options.get(name) is not None]
    if given:
        raise UserInputError(
            f"{given[0]} needs images to calibrate and to verify with: give calibration frames"
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
    """The network with as many images in a frame as the plan is for, its layers in the precision
    that it chooses, and split.

    Raises:
        UserInputError: It cannot be run at that batch, a layer cannot be int8 or split so, or a
            layer or tensor that the plan names is not there.
    """
    if network.content_hash == plan.network_hash:
        return network
    from counterpoint.network.batching import with_batch
    from counterpoint.network.precision.quantise import as_chosen
    from counterpoint.network.splitting import split

    batched = network if plan.batch is None else with_batch(network, plan.batch)
    chosen = batched if plan.precision is None else as_chosen(batched, plan.precision)
    return split(chosen, plan.splits) if plan.splits else chosen


class Session(_Session):
    """A network that runs by a plan on this machine.

    Args:
        network: What runs; the session takes it at the plan's batch and splits.
        plan: How; its units must be here.
        machine: From :func:`devices` or :func:`emulated_machine`; ``None`` for this one, cut as
            the plan needs it.
        allow_other_machine: Accept a plan that was made elsewhere if its units are here.
        trace: Record who ran what when.
        allow_fallback: When a unit fails, go on without it: the frames under way start again by
            another plan, and :attr:`incidents` and a warning tell. Without, that is an error.
        spot_check: Part of the frames that are computed on other units as well, to compare; or how
            closely, too. ``None``: none.
        hang_limits: With ``allow_fallback``: when a segment counts as hung.
        store: With ``allow_fallback``: measurements to make other plans by; ``None`` for the
            user's own.
        report: With ``allow_fallback``: told at once of what happened, in a thread of the
            session's; ``None``: it is logged as a warning of ``counterpoint``.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        *,
        machine: Machine | None = None,
        allow_other_machine: bool = False,
        trace: bool = False,
        allow_fallback: bool = False,
        spot_check: float | SpotCheck | None = None,
        hang_limits: HangLimits | None = None,
        store: Path | None = None,
        report: Report | None = None,
    ) -> None:
        here = machine or devices(cpu_parts=plan.cpu_parts)
        self._pace = None if here.time_scale is None else Pace(here.time_scale)
        subject = as_planned(network, plan)
        fallback = checking = None
        if allow_fallback:
            from counterpoint.tuning.replanning import Replanner

            replan = Replanner(
                subject, plan, here.platform, here.engines, partial(Store.open, store)
            )
            fallback = Fallback(replan, hang_limits or HangLimits(), report or log_incident)
        if spot_check is not None:
            settings = spot_check if isinstance(spot_check, SpotCheck) else SpotCheck(spot_check)
            checking = Checking(settings, ReferenceEngine())
        super().__init__(
            subject,
            plan,
            engines=here.engines,
            platform=here.platform,
            allow_other_machine=allow_other_machine,
            trace=trace,
            pace=self._pace,
            fallback=fallback,
            checking=checking,
        )

    def punctuality(self) -> Punctuality | None:
        """How well this host kept up with an emulated machine; ``None`` where it is this one."""
        return None if self._pace is None else self._pace.punctuality()
