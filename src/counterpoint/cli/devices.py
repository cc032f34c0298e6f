"""The verb ``devices``."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from counterpoint.cli.options import Json, MachineOptions
from counterpoint.cli.output import show


def devices(
    *,
    machine: MachineOptions,
    peaks: Annotated[
        bool, Option("--peaks/--no-peaks", help="Measure how fast units and memory are.")
    ] = True,
    json: Json = False,
) -> None:
    """What is here, how fast it is, and what is missing.

    Example:
      counterpoint devices --no-peaks
    """
    from counterpoint.cli.progress import shown_progress
    from counterpoint.engines.registry import all_engines, what_is_absent
    from counterpoint.measure.peak import UnitPeak, copy_bandwidth_bytes_per_s, unit_peaks
    from counterpoint.measure.transfers import TransferCost, transfer_costs
    from counterpoint.platform.host import read_host
    from counterpoint.report.machine import MachineReport, machine_document, machine_tables

    here = machine.machine()
    measured: tuple[UnitPeak, ...] = ()
    transfers: tuple[TransferCost, ...] = ()
    bandwidth = None
    if peaks:
        host = read_host()
        last = max((cache.level for cache in host.caches), default=0)
        with shown_progress() as progress:
            progress.begin("measuring", len(here.platform.units) + 2)
            bandwidth = copy_bandwidth_bytes_per_s(
                last_cache_bytes=sum(c.size_bytes or 0 for c in host.caches if c.level == last),
                memory_bytes=host.memory_limit_bytes or host.memory_bytes,
                threads=host.usable_processor_count,
            )
            progress.step("memory")
            measured = unit_peaks(here.platform.units, here.engines, progress.step)
            transfers = transfer_costs(here.platform.units, here.engines)
            progress.step("transfers")
    reasons = {name: engine.missing_reason() for name, engine in all_engines().items()}
    report = MachineReport(
        platform=here.platform,
        engine_versions={name: engine.version() for name, engine in here.engines.items()},
        missing={name: reason for name, reason in reasons.items() if reason is not None},
        peaks=measured,
        copy_bytes_per_s=bandwidth,
        transfers=transfers,
        absent=what_is_absent(),
    )
    show(json, lambda: machine_document(report), lambda: machine_tables(report))
