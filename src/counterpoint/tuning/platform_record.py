"""What was measured on this machine, as a platform file for elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from counterpoint.costs.recorded import BETWEEN
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.basis import is_word
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_entries import DeviceEntry, LinkEntry, UnitEntry
from counterpoint.platform.model import ComputeUnit, Device, Link, Platform
from counterpoint.platform.recorded_network import RecordedNetwork, Stage, StageTimes

SOURCE = "profile"
_MEASURED = f"measured {SOURCE}"


def platform_record(
    name: str, platform: Platform, profiles: Sequence[tuple[Network, CostTable]]
) -> PlatformFile:
    """A platform file of this machine's devices, units, links and layer costs.

    Each layer is a stage of its own, so that plans can be made for the networks themselves; they
    come out as they would here. Units that are variants of others inside one call are left out:
    a platform file has no form for them.

    Args:
        name: Of the recorded platform.
        platform: This machine.
        profiles: Networks and what was measured of them here.

    Raises:
        UserInputError: Two networks have one name, or a name cannot be written down.
    """
    described = ", ".join(f"{key} {value}" for key, value in sorted(platform.facts.items()))
    used = {device.name: device for _, table in profiles for device in table.devices}
    units = {one.unit.name: one.unit for _, table in profiles for one in _whole_units(table)}
    links = {link.name: link for _, table in profiles for link in reversed(table.links)}
    try:
        return PlatformFile(
            name=name,
            description=platform.facts.get("cpu_model", ""),
            sources={SOURCE: f"measured with Counterpoint on {platform.name}: {described}"},
            devices=tuple(_device(device) for device in used.values()),
            units=tuple(_unit(unit) for unit in units.values()),
            links=tuple(
                _link(link, link.bandwidth_bytes_per_s)
                for link in links.values()
                if link.bandwidth_bytes_per_s is not None
            ),
            networks=tuple(_network(network, table) for network, table in profiles),
        )
    except ValueError as error:
        raise UserInputError(f"this machine cannot be recorded as {name!r}: {error}") from None


def _whole_units(table: CostTable) -> tuple[UnitCosts, ...]:
    return tuple(costs for costs in table.units if costs.variant_of is None)


def _device(device: Device) -> DeviceEntry:
    return DeviceEntry(
        name=device.name,
        kind=device.kind,
        memory=device.memory,
        cores=device.cores if device.is_part else (),
        description=device.description,
    )


def _unit(unit: ComputeUnit) -> UnitEntry:
    return UnitEntry(
        engine=unit.engine,
        devices=tuple(device.name for device in unit.devices),
        precision=unit.precision,
        settings=dict(unit.settings),
    )


def _link(link: Link, bandwidth_bytes_per_s: float) -> LinkEntry:
    return LinkEntry(
        origin=link.origin,
        target=link.target,
        setup_ms=link.setup_ns / 1e6,
        bandwidth_bytes_per_s=bandwidth_bytes_per_s,
        occupies=link.occupies,
        basis=f"{link.source} {SOURCE}",
    )


def _network(network: Network, table: CostTable) -> RecordedNetwork:
    counts = Counter(layer.name for layer in network.layers)
    stages = []
    for layer in network.layers:
        known = counts[layer.name] == 1 and is_word(layer.name) and BETWEEN not in layer.name
        position = f"#{layer.index}"
        stages.append(
            Stage(
                name=layer.name if known else position.replace("#", "layer "),
                layers=layer.name if known else position,
                output_bytes=layer.output_bytes,
            )
        )
    times = tuple(
        _times(table, column, costs)
        for column, costs in enumerate(table.units)
        if costs.variant_of is None
    )
    return RecordedNetwork(name=network.name, stages=tuple(stages), times=times, basis=_MEASURED)


def _times(table: CostTable, column: int, costs: UnitCosts) -> StageTimes:
    return StageTimes(
        unit=costs.unit.name,
        task_ms=tuple(
            table.refusals.get((layer, column), "not measured") if cell is None else cell / 1e6
            for layer, cell in enumerate(row[column] for row in table.layer_ns)
        ),
        overheads={
            "entry_ms": costs.entry_ns / 1e6,
            "read_ms": costs.read.fixed_ns / 1e6,
            "read_ns_per_byte": costs.read.ns_per_byte,
            "write_ms": costs.write.fixed_ns / 1e6,
            "write_ns_per_byte": costs.write.ns_per_byte,
        },
    )
