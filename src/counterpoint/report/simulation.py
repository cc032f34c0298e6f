"""What a plan does in virtual time."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.report.document import Document, document
from counterpoint.report.quantities import count, duration, percent
from counterpoint.report.tables import add_row, facts, table
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.simulate import Simulation


def frames_per_s(simulation: Simulation) -> float | None:
    """Sustained rate; that of the latency for a single frame; ``None`` if no time passes."""
    interval_ns = simulation.interval_ns
    if interval_ns is None:
        interval_ns = float(simulation.makespan_ns)
    return 1e9 / interval_ns if interval_ns else None


def busy_shares(simulation: Simulation) -> dict[str, float | None]:
    """Part of the makespan in which each device ran something."""
    whole = simulation.makespan_ns
    return {
        device: busy_ns / whole if whole else None for device, busy_ns in simulation.busy_ns.items()
    }


def simulation_document(plan: Plan, simulation: Simulation) -> Document:
    """For programs."""
    latency = simulation.latency
    shares = busy_shares(simulation)
    return document(
        "simulation",
        {
            "network": plan.network_name,
            "platform": plan.platform_name,
            "frames": simulation.frames,
            "frames_in_flight": plan.frames_in_flight,
            "makespan_ns": simulation.makespan_ns,
            "frames_per_s": frames_per_s(simulation),
            "latency_ns": {
                "low": latency.low_ns,
                "mean": latency.mean_ns,
                "high": latency.high_ns,
            },
            "devices": [
                {"name": device, "busy_ns": busy_ns, "busy_share": shares[device]}
                for device, busy_ns in simulation.busy_ns.items()
            ],
        },
    )


def simulation_tables(plan: Plan, simulation: Simulation) -> list[RenderableType]:
    """For people."""
    latency = simulation.latency
    rate = frames_per_s(simulation)
    rows: list[tuple[str, object]] = [
        ("frames", f"{simulation.frames}, {plan.frames_in_flight} in flight"),
        ("virtual time", duration(simulation.makespan_ns)),
        ("throughput", "unlimited" if rate is None else f"{count(rate)} frames/s"),
        (
            "latency",
            f"{duration(latency.mean_ns)} "
            f"({duration(latency.low_ns)} .. {duration(latency.high_ns)})",
        ),
    ]
    devices = table("Devices", ["device"], ["busy", "share"])
    shares = busy_shares(simulation)
    for device, busy_ns in simulation.busy_ns.items():
        add_row(devices, device, duration(busy_ns), percent(shares[device]))
    return [f"{plan.network_name} as planned for {plan.platform_name}", facts(rows), "", devices]
