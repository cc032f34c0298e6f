"""The cost table that planning verbs need: from the store, or measured now."""

from __future__ import annotations

from counterpoint.api import Machine, precisions_of
from counterpoint.cli.options import StoreOptions
from counterpoint.cli.progress import shown_progress
from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.result import PlanResult
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.in_flight import frames_in_flight
from counterpoint.tuning.planned import plan_of
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.tune import chosen_units


def with_frames_in_flight(
    network: Network,
    machine: Machine,
    costs: CostTable,
    planned: PlanResult,
    max_latency_ns: int | None,
) -> Plan:
    """A planner's answer as a plan; for throughput with the frames in flight that it needs.

    Raises:
        UserInputError: The answer is that there is no plan.
    """
    plan = plan_of(network, machine.platform, machine.engines, costs, planned)
    if planned.objective is not Objective.THROUGHPUT:
        return plan
    return frames_in_flight(network, plan, machine.platform, max_latency_ns=max_latency_ns)


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
    platform = machine.platform
    wanted = chosen_units(
        network, platform.units, precisions_of(precision), software=platform.named
    )
    units = [unit for unit in machine.platform.units if unit in wanted or unit.name in also]
    with store.open() as opened, shown_progress() as progress:
        profiler = Profiler(network, machine.platform, machine.engines, opened, progress=progress)
        return profiler.table(units)
