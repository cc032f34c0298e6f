"""What is here: the machine, its units, how fast they are, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import RenderableType

from counterpoint.measure.peak import UnitPeak
from counterpoint.measure.transfers import TransferCost
from counterpoint.platform.model import Platform
from counterpoint.report.document import Document, document
from counterpoint.report.quantities import bytes_rate, duration, operations_rate
from counterpoint.report.tables import add_row, facts, table

_FACT_NAMES: Mapping[str, str] = {
    "cpu_model": "processor",
    "numa_nodes": "NUMA nodes",
    "core_kinds": "kinds of core",
    "cgroup_cpus": "processors granted",
    "isa": "instruction sets",
    "l1d": "L1 data caches",
    "l2": "L2 caches",
    "l3": "L3 caches",
    "max_frequency": "highest clock",
    "memory_limit": "memory granted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """What ``devices`` tells.

    Attributes:
        platform: Devices and units.
        engine_versions: By engine.
        missing: Engines that are not here, and how to get them.
        peaks: Best rate of each unit; empty when not measured.
        copy_bytes_per_s: Of the memory; ``None`` when not measured.
        transfers: Between host and devices; empty when not measured.
        absent: What engines could use here and do not find, a line each.
    """

    platform: Platform
    engine_versions: Mapping[str, str]
    missing: Mapping[str, str]
    peaks: tuple[UnitPeak, ...] = ()
    copy_bytes_per_s: float | None = None
    transfers: tuple[TransferCost, ...] = ()
    absent: tuple[str, ...] = ()


def machine_document(report: MachineReport) -> Document:
    """For programs."""
    platform = report.platform
    peaks = {peak.unit: peak for peak in report.peaks}
    return document(
        "devices",
        {
            "name": platform.name,
            "fingerprint": platform.fingerprint,
            "facts": dict(platform.facts),
            "devices": [
                {
                    "name": device.name,
                    "kind": str(device.kind),
                    "memory": device.memory,
                    "cores": list(device.cores),
                    "description": device.description,
                    "software": device.is_software,
                }
                for device in platform.devices
            ],
            "units": [
                {
                    "name": unit.name,
                    "engine": unit.engine,
                    "engine_version": report.engine_versions.get(unit.engine),
                    "devices": [device.name for device in unit.devices],
                    "precision": unit.precision,
                    "settings": dict(unit.settings),
                    "peak_operations_per_s": _rate(peaks.get(unit.name)),
                    "peak_unknown_because": _reason(peaks.get(unit.name)),
                }
                for unit in platform.units
            ],
            "copy_bytes_per_s": report.copy_bytes_per_s,
            "transfers": [
                {
                    "engine": cost.engine,
                    "origin": cost.origin,
                    "target": cost.target,
                    "host_memory": cost.host_memory,
                    "setup_ns": cost.setup_ns,
                    "bandwidth_bytes_per_s": cost.bandwidth_bytes_per_s,
                    "unknown_because": cost.reason,
                }
                for cost in report.transfers
            ],
            "missing_engines": dict(report.missing),
            "absent": list(report.absent),
        },
    )


def machine_tables(report: MachineReport) -> list[RenderableType]:
    """For people."""
    platform = report.platform
    rows: list[tuple[str, object]] = [
        (_FACT_NAMES.get(name, name.replace("_", " ")), value)
        for name, value in platform.facts.items()
    ]
    if report.copy_bytes_per_s is not None:
        rows.append(("memory copy", f"{bytes_rate(report.copy_bytes_per_s)} (read + written)"))
    devices = table("Devices", ["device", "what", "processors"])
    for device in platform.devices:
        cores = ", ".join(str(core) for core in device.cores) or "-"
        add_row(devices, device.name, device.description or device.kind, cores)
    shown: list[RenderableType] = ["", facts(rows), "", devices, "", _units(report)]
    return [*shown, *_transfers(report), *_missing(report)]


def _units(report: MachineReport) -> RenderableType:
    peaks = {peak.unit: peak for peak in report.peaks}
    units = table("Compute units", ["unit", "engine's version"], ["peak"] if peaks else [])
    for unit in report.platform.units:
        cells = [unit.name, report.engine_versions.get(unit.engine, "?")]
        if peaks:
            peak = peaks.get(unit.name)
            reason = _reason(peak)
            cells.append(f"not measured: {reason}" if reason else operations_rate(_rate(peak)))
        add_row(units, *cells)
    return units


def _transfers(report: MachineReport) -> list[RenderableType]:
    if not report.transfers:
        return []
    shown = table("Transfers", ["from", "to", "engine", "host memory"], ["setup", "rate"])
    for cost in report.transfers:
        rate = cost.reason or (
            "not to be told from the setup"
            if cost.bandwidth_bytes_per_s is None
            else bytes_rate(cost.bandwidth_bytes_per_s)
        )
        setup = duration(cost.setup_ns)
        add_row(shown, cost.origin, cost.target, cost.engine, cost.host_memory, setup, rate)
    return ["", shown]


def _missing(report: MachineReport) -> list[RenderableType]:
    lines = [f"{name} is {reason}" for name, reason in report.missing.items()]
    lines += report.absent
    return ["", *lines] if lines else []


def _rate(peak: UnitPeak | None) -> float | None:
    return peak.operations_per_s if peak else None


def _reason(peak: UnitPeak | None) -> str | None:
    return peak.reason if peak else None
