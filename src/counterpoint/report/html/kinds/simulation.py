"""The report of what ``simulate`` printed."""

from __future__ import annotations

from counterpoint.report.html.content import Block, Column, Facts, Report, Section, Table
from counterpoint.report.html.figures.bars import Bar, ranked_bars
from counterpoint.report.html.inputs.documents import SimulationDocument
from counterpoint.report.quantities import count, duration, percent


def simulation_report(found: SimulationDocument) -> Report:
    """Rate, latency, and how busy each device is."""
    latency = found.latency_ns
    rows = (
        ("network", found.network),
        ("machine", found.platform),
        ("frames", f"{found.frames}, {found.frames_in_flight} in flight"),
        ("virtual time", duration(found.makespan_ns)),
        (
            "throughput",
            "unlimited" if found.frames_per_s is None else f"{count(found.frames_per_s)} frames/s",
        ),
        (
            "latency",
            f"{duration(latency.mean)} ({duration(latency.low)} to {duration(latency.high)})",
        ),
    )
    return Report(
        title=f"{found.network} in virtual time",
        subtitle=f"on {found.platform}",
        sections=(Section("Simulation", (Facts(rows),)), Section("Devices", _devices(found))),
    )


def _devices(found: SimulationDocument) -> tuple[Block, ...]:
    if not found.devices:
        return ()
    names = [device.name for device in found.devices]
    bars = [
        Bar(
            index,
            100 * (device.busy_share or 0.0),
            told=(device.name, f"busy {duration(device.busy_ns)}", percent(device.busy_share)),
        )
        for index, device in enumerate(found.devices)
    ]
    table = Table(
        name="devices",
        title="Devices",
        columns=(
            Column("device", "device"),
            Column("busy_ns", "busy", duration),
            Column("busy_share", "of the time", percent),
        ),
        rows=tuple((one.name, one.busy_ns, one.busy_share) for one in found.devices),
    )
    return (ranked_bars("How busy devices are", names, bars, "% of the time"), table)
