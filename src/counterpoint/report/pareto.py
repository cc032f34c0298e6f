"""Plans among which only the user can choose: latency, throughput and energy of each."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.planning.pareto import ParetoFront, ParetoPoint
from counterpoint.report.document import Document, document
from counterpoint.report.quantities import duration, energy, number
from counterpoint.report.tables import add_row, table


def pareto_document(network: Network, front: ParetoFront) -> Document:
    """For programs."""
    return document(
        "pareto-report",
        {
            "network": network.name,
            "network_hash": network.content_hash,
            "reason": front.reason,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in front.settings.items()
            },
            "points": [
                {
                    "latency_ns": point.latency_ns,
                    "interval_ns": point.interval_ns,
                    "energy_pj": point.energy_pj,
                    "lanes": [
                        {
                            "share": lane.share,
                            "segments": [
                                {"layers": list(layers), "unit": unit}
                                for layers, unit in lane.segments
                            ],
                        }
                        for lane in point.lanes
                    ],
                }
                for point in front.points
            ],
            "planning_ns": front.time_spent_ns,
        },
    )


def pareto_tables(network: Network, front: ParetoFront) -> list[RenderableType]:
    """For people."""
    if front.reason is not None:
        return [f"no plan: {front.reason}"]
    rows = table(
        f"{network.name}: plans of which none is better in everything",
        ["#", "units"],
        ["latency", "frames/s", "energy a frame"],
    )
    for index, point in enumerate(front.points):
        frames_per_s = 1e9 / point.interval_ns if point.interval_ns else None
        add_row(
            rows,
            index,
            units_text(point),
            duration(point.latency_ns),
            number(frames_per_s),
            energy(point.energy_pj),
        )
    return [rows, "", f"frames/s and energy: many frames under way; {_idle(front)}"]


def units_text(point: ParetoPoint) -> str:
    """The units of each lane in order of their first use, and how often it is taken."""
    frames = sum(lane.share for lane in point.lanes)
    lanes = []
    for lane in point.lanes:
        units = " > ".join(dict.fromkeys(unit for _, unit in lane.segments))
        lanes.append(units if len(point.lanes) == 1 else f"{lane.share}/{frames} {units}")
    return "; ".join(lanes)


def _idle(front: ParetoFront) -> str:
    idle_power_mw = front.settings.get("idle_power_mw")
    if idle_power_mw is None:
        return "the idle machine's power is not known and counts as 0"
    return f"the idle machine takes {idle_power_mw} mW"
