"""The verb ``breakdown``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.cli.options import (
    Json,
    LayerLimit,
    MachineOptions,
    NetworkOptions,
    PlanOptions,
    Precision,
)
from counterpoint.cli.output import show
from counterpoint.errors import CounterpointError, UserInputError

if TYPE_CHECKING:
    from counterpoint.api import Machine
    from counterpoint.bench.result import MachineDescription
    from counterpoint.network.graph import Network
    from counterpoint.platform.model import ComputeUnit
    from counterpoint.report.breakdown import BreakdownReport
    from counterpoint.schedule.plan import Plan
    from counterpoint.tuning.progress import Progress

FEW_LAYERS = 8
"""Of each run, where several are shown."""


def breakdown(
    *,
    network: NetworkOptions,
    plan: PlanOptions,
    machine: MachineOptions,
    precision: Precision = None,
    unfused: Annotated[
        bool,
        Option(
            "--unfused",
            help="ONNX Runtime's CPU units also without any fusion, node by node; with "
            "--keep-batchnorm this shows what BatchNorm takes.",
        ),
    ] = False,
    roofline: Annotated[
        bool, Option("--roofline/--no-roofline", help="Measure peaks, and compare layers to them.")
    ] = True,
    layers: LayerLimit = None,
    json: Json = False,
) -> None:
    """Where the time of one run goes: by layer, by type of layer and by function.

    Without --plan, on each unit alone. Functions are computing, waiting for threads, waking them,
    re-layout, the engine's own executor, and Python; what no instrument saw is shown as such.

    Examples:
      counterpoint breakdown model.onnx -d onnxruntime,openvino:CPU@fp32
      counterpoint breakdown model.onnx --plan model.plan.json
      counterpoint breakdown zoo:resnet50 --keep-batchnorm --unfused -d onnxruntime:CPU@fp32
    """
    from counterpoint.bench.breakdown.unfused import BATCHNORM_KEPT
    from counterpoint.cli.progress import shown_progress
    from counterpoint.report.breakdown import breakdown_document, breakdown_tables

    if plan.plan is not None and (unfused or precision is not None):
        raise UserInputError("--plan has units of its own: leave out --unfused and --precision")
    variant = BATCHNORM_KEPT if network.keep_batchnorm else ""
    with shown_progress() as progress:
        if plan.plan is not None:
            chosen = plan.load()
            here = machine.machine(chosen)
            subject = network.load_for(chosen)
            plans = [chosen]
            left_out: dict[str, str] = {}
        else:
            subject = network.load()
            here, plans, left_out = _on_units(subject, machine.machine(), precision, unfused)
        report = _report(
            network.name, subject, here, plans, variant, left_out, progress, roofline=roofline
        )
    few = FEW_LAYERS if len(plans) > 1 else None
    limit = layers if layers is not None else few
    show(
        json,
        lambda: breakdown_document(report),
        lambda: breakdown_tables(report, limit),
    )


def _on_units(
    network: Network, machine: Machine, precision: str | None, unfused: bool
) -> tuple[Machine, list[Plan], dict[str, str]]:
    """The machine, a plan for each of its units, and why some units have none.

    Raises:
        CounterpointError: No unit is left.
    """
    from dataclasses import replace

    from counterpoint.api import precisions_of
    from counterpoint.bench.breakdown.unfused import unfused_units
    from counterpoint.tuning.planned import plan_on_unit

    platform = machine.platform
    own = ("fp32", "int8") if network.is_quantised else ("fp32",)
    wanted = precisions_of(precision) or own
    units = [
        unit
        for unit in platform.units
        if unit.precision in wanted
        and (unit.precision != "int8" or network.is_quantised)
        and unit.setting("streams") is None  # one frame at a time has no use for them
        and (platform.named or not any(device.is_software for device in unit.devices))
    ]
    if unfused:
        more = unfused_units(replace(platform, units=tuple(units)))
        if not more:
            raise UserInputError(
                "--unfused is for ONNX Runtime's CPU units, and none is chosen: add -d onnxruntime"
            )
        units += more
        platform = replace(platform, units=tuple(units))
        machine = replace(machine, platform=platform)
    plans: list[Plan] = []
    left_out: dict[str, str] = {}
    for unit in units:
        try:
            plans.append(plan_on_unit(network, platform, machine.engines, unit.name))
        except CounterpointError as error:
            left_out[unit.name] = str(error)
    if not plans:
        raise UserInputError(
            f"no unit can run all of {network.name}: {'; '.join(left_out.values())}"
        )
    return machine, plans, left_out


def _report(  # noqa: PLR0917 - as they come
    name: str,
    network: Network,
    machine: Machine,
    plans: list[Plan],
    variant: str,
    left_out: dict[str, str],
    progress: Progress,
    *,
    roofline: bool,
) -> BreakdownReport:
    """Measures every plan. One that fails is left out, unless all do."""
    from counterpoint.bench.breakdown.measuring import breakdown_of
    from counterpoint.bench.breakdown.roofline import node_overheads, roofline_points
    from counterpoint.bench.insights.computed import insights
    from counterpoint.bench.result import BenchResult, Breakdown, RooflinePoint
    from counterpoint.report.breakdown import BreakdownReport

    platform, engines = machine.platform, machine.engines
    names = dict.fromkeys(unit for plan in plans for unit in plan.units)
    units = [platform.unit(unit) for unit in names]
    here = _described(units, machine, progress, roofline=roofline)
    overheads_ns = node_overheads(units, engines) if roofline else {}
    breakdowns: list[Breakdown] = []
    points: list[RooflinePoint] = []
    progress.begin("breaking down", len(plans))
    for plan in plans:
        try:
            found = breakdown_of(network, plan, engines, platform, name=name, variant=variant)
        except CounterpointError as error:
            if len(plans) == 1:
                raise
            left_out[plan.units[0]] = str(error)
        else:
            breakdowns.append(found)
            points += roofline_points(
                network,
                found,
                plan,
                platform,
                peaks=here.peaks,
                copy_bytes_per_s=here.copy_bytes_per_s,
                overheads_ns=overheads_ns,
            )
        progress.step(plan.units[0])
    if not breakdowns:
        raise UserInputError(f"no unit can run {name}: {'; '.join(left_out.values())}")
    result = BenchResult(
        machine=here,
        settings={},
        started="",
        breakdowns=tuple(breakdowns),
        points=tuple(points),
    )
    return BreakdownReport(
        network=name,
        breakdowns=result.breakdowns,
        points=result.points,
        insights=insights(result),
        copy_bytes_per_s=here.copy_bytes_per_s,
        left_out=left_out,
    )


def _described(
    units: list[ComputeUnit], machine: Machine, progress: Progress, *, roofline: bool
) -> MachineDescription:
    """The machine, with the peaks of those units and of the memory if asked for."""
    from counterpoint.bench.breakdown.unfused import fused
    from counterpoint.bench.result import MachineDescription
    from counterpoint.measure.peak import UnitPeak, copy_bandwidth_bytes_per_s, unit_peaks
    from counterpoint.platform.host import read_host

    peaks: tuple[UnitPeak, ...] = ()
    bandwidth = None
    if roofline:
        host = read_host()
        last = max((cache.level for cache in host.caches), default=0)
        usual = list({fused(unit).name: fused(unit) for unit in units}.values())
        progress.begin("measuring peaks", len(usual) + 1)
        bandwidth = copy_bandwidth_bytes_per_s(
            last_cache_bytes=sum(c.size_bytes or 0 for c in host.caches if c.level == last),
            memory_bytes=host.memory_limit_bytes or host.memory_bytes,
            threads=host.usable_processor_count,
        )
        progress.step("memory")
        peaks = unit_peaks(usual, machine.engines, progress.step)
    return MachineDescription(
        machine.platform.name,
        machine.platform.fingerprint,
        machine.platform.facts,
        {name: engine.version() for name, engine in machine.engines.items()},
        tuple(unit.name for unit in units),
        peaks,
        bandwidth,
    )
