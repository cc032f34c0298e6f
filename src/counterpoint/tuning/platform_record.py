"""What was measured on this machine, as a platform file for elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_entries import DeviceEntry, UnitEntry
from counterpoint.platform.model import Device, Platform
from counterpoint.platform.recorded_network import RecordedNetwork, Stage, StageTimes

SOURCE = "profile"
_MEASURED = f"measured {SOURCE}"


def platform_record(
    name: str, platform: Platform, profiles: Sequence[tuple[Network, CostTable]]
) -> PlatformFile:
    """A platform file of this machine's devices, units and layer costs.

    Each layer is a stage of its own, so that plans can be made for the networks themselves. A
    unit's overheads are the medians over the networks.

    Args:
        name: Of the recorded platform.
        platform: This machine.
        profiles: Networks and what was measured of them here.

    Raises:
        UserInputError: Two networks have one name, or a name cannot be written down.
    """
    described = ", ".join(f"{key} {value}" for key, value in sorted(platform.facts.items()))
    used = {device.name: device for _, table in profiles for device in table.devices}
    columns: dict[str, list[UnitCosts]] = {}
    for _, table in profiles:
        for costs in table.units:
            columns.setdefault(costs.unit.name, []).append(costs)
    try:
        return PlatformFile(
            name=name,
            description=platform.facts.get("cpu_model", ""),
            sources={SOURCE: f"measured with Counterpoint on {platform.name}: {described}"},
            devices=tuple(_device(device) for device in used.values()),
            units=tuple(_unit(costs) for costs in columns.values()),
            networks=tuple(_network(network, table) for network, table in profiles),
        )
    except ValueError as error:
        raise UserInputError(f"this machine cannot be recorded as {name!r}: {error}") from None


def _device(device: Device) -> DeviceEntry:
    return DeviceEntry(
        name=device.name,
        kind=device.kind,
        memory=device.memory,
        cores=device.cores if device.is_part else (),
        description=device.description,
    )


def _unit(costs: Sequence[UnitCosts]) -> UnitEntry:
    unit = costs[0].unit
    return UnitEntry(
        engine=unit.engine,
        devices=tuple(device.name for device in unit.devices),
        precision=unit.precision,
        settings=dict(unit.settings),
        entry_ms=median(item.entry_ns for item in costs) / 1e6,
        read_ms=median(item.read.fixed_ns for item in costs) / 1e6,
        read_ns_per_byte=median(item.read.ns_per_byte for item in costs),
        write_ms=median(item.write.fixed_ns for item in costs) / 1e6,
        write_ns_per_byte=median(item.write.ns_per_byte for item in costs),
        basis=_MEASURED,
    )


def _network(network: Network, table: CostTable) -> RecordedNetwork:
    stages = tuple(
        Stage(
            name=f"layer{layer.index}",
            layers=f"#{layer.index}",
            output_bytes=layer.output_bytes,
        )
        for layer in network.layers
    )
    times = tuple(
        StageTimes(
            unit=costs.unit.name,
            task_ms=tuple(
                table.refusals.get((layer, column), "not measured")
                if row[column] is None
                else (row[column] or 0) / 1e6
                for layer, row in enumerate(table.layer_ns)
            ),
        )
        for column, costs in enumerate(table.units)
    )
    return RecordedNetwork(name=network.name, stages=stages, times=times, basis=_MEASURED)
