"""Platform files: which there are, and what one says."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.platform.file_content import PlatformFile
from counterpoint.report.document import Document, document
from counterpoint.report.quantities import bytes_rate, milliseconds
from counterpoint.report.tables import add_row, facts, table


def platforms_document(platforms: Sequence[PlatformFile]) -> Document:
    """All of them, for programs."""
    return document("platforms", {"platforms": [_summary(item) for item in platforms]})


def platforms_tables(platforms: Sequence[PlatformFile]) -> list[RenderableType]:
    """All of them, for people."""
    listed = table("Platforms", ["platform", "what", "units", "recorded", "sources"])
    for item in platforms:
        add_row(
            listed,
            item.name,
            item.description,
            ", ".join(unit.name for unit in item.units),
            ", ".join(network.name for network in item.networks) or "modelled",
            ", ".join(item.sources),
        )
    return [
        listed,
        "",
        "'counterpoint platforms show NAME' tells one; 'counterpoint plan MODEL -p NAME' plans for "
        "it.",
    ]


def platform_document(platform: PlatformFile) -> Document:
    """One, for programs: without its tables of times, which are in the file."""
    return document(
        "platform",
        {
            **_summary(platform),
            "fingerprint": platform.fingerprint,
            "idle_power_mw": platform.idle_power_mw,
            "source_texts": dict(platform.sources),
            "links": [
                {
                    "origin": link.origin,
                    "target": link.target,
                    "setup_ns": round(link.setup_ms * 1e6),
                    "bandwidth_bytes_per_s": None
                    if link.bandwidth_bytes_per_s == float("inf")
                    else link.bandwidth_bytes_per_s,
                    "occupies": list(link.occupies),
                }
                for link in platform.links
            ],
            "remarks": {item.name: item.remark for item in platform.networks if item.remark},
        },
    )


def platform_tables(platform: PlatformFile) -> list[RenderableType]:
    """One, for people."""
    devices = table("Devices", ["device", "what", "memory"], ["clock steps"])
    for device in platform.devices:
        add_row(devices, device.name, device.description or "-", device.memory, device.clock_steps)
    units = table("Compute units", ["unit", "costs", "refuses"])
    for unit in platform.units:
        recorded = sum(
            any(times.unit == unit.name for times in item.times) for item in platform.networks
        )
        costs = [f"{recorded} recorded"] if recorded else []
        costs += [f"model {unit.model}"] if unit.model else []
        reasons = "; ".join(rule.reason for rule in unit.refuses)
        add_row(units, unit.name, ", ".join(costs) or "none", reasons or "-")
    shown: list[RenderableType] = [
        facts([("platform", platform.name), ("what", platform.description)]),
        "",
        devices,
        "",
        units,
    ]
    if platform.links:
        links = table("Links", ["from", "to", "keeps busy"], ["set-up ms", "bandwidth"])
        for link in platform.links:
            endless = link.bandwidth_bytes_per_s == float("inf")
            add_row(
                links,
                link.origin,
                link.target,
                ", ".join(link.occupies) or "-",
                milliseconds(link.setup_ms * 1e6),
                "-" if endless else bytes_rate(link.bandwidth_bytes_per_s),
            )
        shown += ["", links]
    if platform.networks:
        networks = table("Recorded networks", ["network", "remark"], ["stages", "tables"])
        for item in platform.networks:
            add_row(networks, item.name, item.remark or "-", len(item.stages), len(item.times))
        shown += ["", networks]
    return [*shown, "", facts(platform.sources.items())]


def _summary(platform: PlatformFile) -> Document:
    return {
        "name": platform.name,
        "description": platform.description,
        "devices": [
            {
                "name": device.name,
                "kind": str(device.kind),
                "memory": device.memory,
                "description": device.description,
                "clock_steps": device.clock_steps,
            }
            for device in platform.devices
        ],
        "units": [unit.name for unit in platform.units],
        "recorded": [network.name for network in platform.networks],
        "sources": list(platform.sources),
    }
