"""What ``run -p`` runs: a network by a plan, or on one unit, of a machine that is emulated."""

from __future__ import annotations

from counterpoint.api import Machine, emulated_machine
from counterpoint.cli.options import NetworkOptions, PlanOptions
from counterpoint.costs.platform_costs import cost_table
from counterpoint.costs.stage_network import NoModel
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.latency import single_unit_plan
from counterpoint.platform.file_content import Clocks, PlatformFile
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.planned import plan_of


def emulated_run(
    network: NetworkOptions,
    plan: PlanOptions,
    unit: str | None,
    platform: PlatformFile,
    *,
    clocks: Clocks,
    time_scale: float,
) -> tuple[Network, Machine, Plan]:
    """What runs, where and how.

    Args:
        network: The user's; a platform's record has no numbers, so that its outputs are zeros.
        plan: The user's, where no unit is given.
        unit: Run everything there; with its clock steps, or without.
        platform: The machine.
        clocks: Steps of its devices, for ``unit``.
        time_scale: Wall-clock time over its time.

    Raises:
        CounterpointError: An option does not fit, or the unit is unknown or refuses a layer.
    """
    if unit is None:
        if clocks:
            raise UserInputError("--clock excludes --plan: a plan has its own clocks")
        chosen = plan.load()
        subject = network.load_for(chosen, platform)
    else:
        subject = network.load(platform)
        chosen = _on_unit(subject, platform, unit, clocks)
    has_numbers = not isinstance(subject.source, NoModel)
    machine = emulated_machine(platform, time_scale=time_scale, compute=has_numbers)
    return subject, machine, chosen


def _on_unit(network: Network, platform: PlatformFile, unit: str, clocks: Clocks) -> Plan:
    if unit not in {entry.name for entry in platform.units}:
        platform.platform.unit(unit)  # raises where it is not known
    steps = {**clocks, **platform.clocks_of([unit])}
    table = cost_table(platform, network, steps, units=[unit])
    answer = single_unit_plan(network, table, table.unit_names[0])
    return plan_of(network, platform.platform, {}, table, answer)
