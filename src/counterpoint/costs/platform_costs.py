"""The cost table of a network on a platform file: recorded where it was, else modelled."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from counterpoint.costs.column import Column
from counterpoint.costs.modelled import modelled_column
from counterpoint.costs.recorded import StageLayers, recorded_column, stage_layers
from counterpoint.costs.stage_network import NoModel
from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.errors import PlatformFileError
from counterpoint.network.graph import ITEM_BYTES, Network
from counterpoint.platform.file_content import HOST, Clocks, PlatformFile
from counterpoint.platform.file_entries import UnitEntry
from counterpoint.platform.model import Link, Provenance
from counterpoint.platform.recorded_network import RecordedNetwork, StageTimes


def cost_table(
    platform: PlatformFile,
    network: Network,
    clocks: Clocks | None = None,
    *,
    units: Collection[str] | None = None,
) -> CostTable:
    """What a network costs on the units of a platform, at one setting of the clocks.

    Args:
        platform: The machine.
        network: What is run; its name decides whether it was recorded.
        clocks: Steps of devices; the highest where it says nothing.
        units: Names of the units (with or without clock steps) that may be used; ``None``: all.

    Raises:
        PlatformFileError: A record does not fit the network, a model's parameters are wrong, or
            no unit has any cost for the network.
        UserInputError: A device or clock step that is not, or no unit is left.
    """
    setting = platform.clocks(clocks or {})
    recorded = platform.recorded(network.name)
    stages: StageLayers | None = None
    if recorded is not None:
        stages = stage_layers(platform, recorded, network)
    costs: list[UnitCosts] = []
    columns: list[Column] = []
    for entry in platform.units:
        unit = platform.unit_at(entry, setting)
        if units is not None and not {unit.name, entry.name} & set(units):
            continue
        times = None if recorded is None else _recorded_times(recorded, entry, setting)
        column = _column(platform, entry, network, recorded=recorded, stages=stages, times=times)
        if column is not None:
            overheads = entry if times is None else entry.with_overheads(times.overheads)
            power = overheads.overhead_power_mw
            # What an int8 unit reads and makes is int8 where the network says so.
            in_int8 = network.is_quantised and entry.precision == "int8"
            item_bytes = ITEM_BYTES["int8" if in_int8 else "float32"]
            costs.append(
                UnitCosts(
                    unit,
                    round(overheads.entry_ms * 1e6),
                    LinearCost(
                        overheads.read_ms * 1e6,
                        overheads.read_ns_per_byte + overheads.read_ns_per_item / item_bytes,
                    ),
                    LinearCost(
                        overheads.write_ms * 1e6,
                        overheads.write_ns_per_byte + overheads.write_ns_per_item / item_bytes,
                    ),
                    None if power is None else round(power),
                )
            )
            columns.append(column)
    if not columns:
        known = ", ".join(item.name for item in platform.networks) or "none"
        raise PlatformFileError(
            f"{platform.where} has no costs for {network.name}: recorded networks are "
            f"{known} (recorded:NAME plans their stages), and no unit here has a cost model"
        )
    rows = range(len(network.layers))
    energies = tuple(tuple(column.energy_pj[row] for column in columns) for row in rows)
    has_energy = any(cell is not None for row in energies for cell in row)
    idle = platform.idle_power_mw
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint=platform.fingerprint,
        layer_names=tuple(layer.name for layer in network.layers),
        units=tuple(costs),
        layer_ns=tuple(tuple(column.layer_ns[row] for column in columns) for row in rows),
        refusals={
            (row, place): reason
            for place, column in enumerate(columns)
            for row, reason in column.refusals.items()
        },
        links=(*_frame_links(costs, columns), *platform.links_at(setting)),
        layer_energy_pj=energies if has_energy else None,
        idle_power_mw=None if idle is None else round(idle),
        shared_ns=_memory_use(costs, columns, len(network.layers)),
    )


def _recorded_times(
    recorded: RecordedNetwork, entry: UnitEntry, setting: Mapping[str, int]
) -> StageTimes | None:
    steps = {name: setting[name] for name in entry.clock_devices}
    for times in recorded.times:
        if times.unit == entry.name and dict(times.clocks) == steps:
            return times
    return None


def _column(
    platform: PlatformFile,
    entry: UnitEntry,
    network: Network,
    *,
    recorded: RecordedNetwork | None,
    stages: StageLayers | None,
    times: StageTimes | None,
) -> Column | None:
    """Costs on one unit; ``None`` where there are none."""
    if recorded is not None and stages is not None and times is not None:
        return recorded_column(
            network,
            stages,
            times,
            scale_to_whole=recorded.scale_to_whole,
            idle_power_mw=platform.idle_power_mw,
        )
    if entry.model is None or isinstance(network.source, NoModel):
        return None
    return modelled_column(platform, entry, network)


def _memory_use(
    costs: list[UnitCosts], columns: list[Column], layers: int
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Bandwidth of each memory by which a model says that its units are bound together."""
    told = {
        unit_costs.unit.memory
        for unit_costs, column in zip(costs, columns, strict=True)
        if any(time_ns is not None for time_ns in column.memory_ns)
    }
    return {
        f"bandwidth of {memory}": tuple(
            tuple(
                (column.memory_ns[row] or 0)
                if column.memory_ns and unit_costs.unit.memory == memory
                else 0
                for unit_costs, column in zip(costs, columns, strict=True)
            )
            for row in range(layers)
        )
        for memory in sorted(told)
    }


def _frame_links(costs: list[UnitCosts], columns: list[Column]) -> list[Link]:
    """How a frame comes in and its result goes out, where that was recorded with the network.

    It is done by the unit's own devices, and takes as long whatever the size: these links stand
    before the platform's, so that they count.
    """
    links = []
    for unit_costs, column in zip(costs, columns, strict=True):
        unit = unit_costs.unit
        occupied = tuple(device.name for device in unit.devices)
        for origin, target, time_ns in (
            (HOST, unit.memory, column.input_ns),
            (unit.memory, HOST, column.output_ns),
        ):
            if time_ns is not None:
                links.append(
                    Link(origin, target, time_ns, float("inf"), Provenance.MEASURED, occupied)
                )
    return links
