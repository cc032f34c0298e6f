"""The cost table that planning verbs need: from the store, or measured now."""

from __future__ import annotations

from counterpoint.api import Machine, precisions_of
from counterpoint.cli.options import StoreOptions
from counterpoint.cli.progress import shown_progress
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.tune import chosen_units


def cost_table(
    network: Network,
    machine: Machine,
    store: StoreOptions,
    precision: str | None,
    also: tuple[str, ...] = (),
) -> CostTable:
    """Costs of the network on the units that are worth measuring.

    Args:
        network: What is measured.
        machine: Where.
        store: Where measurements are kept.
        precision: As the user wrote it.
        also: Names of units to measure in any case.

    Raises:
        CounterpointError: No unit is left, an engine failed, or the store cannot be used.
    """
    wanted = chosen_units(network, machine.platform.units, precisions_of(precision))
    units = [unit for unit in machine.platform.units if unit in wanted or unit.name in also]
    with store.open() as opened, shown_progress() as progress:
        profiler = Profiler(network, machine.platform, machine.engines, opened, progress=progress)
        return profiler.table(units)
