"""What verbs need of a platform that is not here: units that are left, and costs for a plan."""

from __future__ import annotations

from counterpoint.api import precisions_of
from counterpoint.cli.options import MachineOptions, StoreOptions, split_names
from counterpoint.costs.lifting import Lift, lifts
from counterpoint.costs.modelled import unit_models
from counterpoint.costs.platform_costs import cost_table
from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.schedule.plan import Plan, check_plan


def chosen_elsewhere(
    platform: PlatformFile, machine: MachineOptions, store: StoreOptions, precision: str | None
) -> tuple[str, ...]:
    """Names, without clock steps, of the units that ``--device`` and ``--precision`` leave.

    Raises:
        UserInputError: Nothing is left, or an option is for this machine alone.
    """
    if machine.cpu_groups is not None:
        raise UserInputError("--cpu-groups is for this machine: a platform has its own devices")
    if store.store is not None or store.no_store:
        raise UserInputError("--store is for what is measured here: a platform has its own costs")
    precisions = precisions_of(precision)
    units = [unit for unit in platform.units if not precisions or unit.precision in precisions]
    if not units:
        known = ", ".join(sorted({unit.precision for unit in platform.units}))
        raise UserInputError(f"no unit of {platform.name} computes in {precision}; known: {known}")
    names = [unit.name for unit in units]
    wanted = split_names(machine.device or ())
    if not wanted:
        return tuple(names)
    kept = tuple(
        name
        for name in names
        if any(word == name or (word not in names and word in name) for word in wanted)
    )
    if not kept:
        raise UserInputError(f"no unit matches {', '.join(wanted)}; there are: {', '.join(names)}")
    return kept


def refused_elsewhere(
    platform: PlatformFile, network: Network, costs: CostTable
) -> tuple[Lift, ...]:
    """What units of the platform refuse, at what their models say of it.

    Nothing of a recorded network: its times are those of whole stages, not of layers.

    Raises:
        PlatformFileError: The parameters of a unit's cost model are wrong.
    """
    if platform.recorded(network.name) is not None:
        return ()
    return lifts(network, costs, unit_models(platform, network.name))


def costs_of_plan(
    platform: PlatformFile, network: Network, plan: Plan, units: tuple[str, ...]
) -> CostTable:
    """Costs of the network at the clocks of a plan for that platform.

    Args:
        platform: Where.
        network: What is run.
        plan: How.
        units: Names of the units to tell about, besides the plan's.

    Raises:
        UserInputError: The plan is for another platform or network, or the costs do not fit.
    """
    check_plan(plan, network, platform.platform)
    return cost_table(
        platform, network, platform.clocks_of(plan.units), units=(*units, *plan.units)
    )
