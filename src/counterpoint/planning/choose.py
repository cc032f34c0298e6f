"""Which planner answers for which objective and way of sharing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.branches import plan_branches
from counterpoint.planning.energy import plan_energy
from counterpoint.planning.energy_delay import plan_energy_delay
from counterpoint.planning.latency import plan_latency, single_unit_plan
from counterpoint.planning.restriction import Fixed
from counterpoint.planning.result import PlanResult
from counterpoint.planning.throughput import plan_throughput
from counterpoint.planning.within_latency import Judge, plan_within_latency

METHODS: Mapping[Objective, tuple[str, ...]] = {
    Objective.LATENCY: ("auto", "single", "switch", "branch"),
    Objective.THROUGHPUT: ("auto", "single", "switch", "replicate", "pipeline"),
    Objective.ENERGY: ("auto", "switch"),
    Objective.ENERGY_DELAY: ("auto", "switch"),
}
"""Ways of sharing a network, for each objective. ``auto`` is the best of all of them. Splitting
layers makes another network: :mod:`counterpoint.tuning.split_plan`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a planner is asked.

    Attributes:
        objective: What shall be least.
        method: One of :data:`METHODS` for it.
        max_latency_ns: No frame may take longer; for throughput and energy.
        time_limit_s: For searches that could go on: parallel branches.
        seed: Of their random choices.
        judge: What a mix of lanes reaches when frames wait for each other; for throughput under a
            latency limit. ``None``: the mix of most frames, whatever it reaches within the limit.
    """

    objective: Objective = Objective.LATENCY
    method: str = "auto"
    max_latency_ns: int | None = None
    time_limit_s: float = 10.0
    seed: int = 0
    judge: Judge | None = None

    def __post_init__(self) -> None:
        known = METHODS[self.objective]
        if self.method not in known:
            raise UserInputError(
                f"unknown method {self.method!r} for {self.objective}; known are: "
                + ", ".join(known)
            )
        limited = self.objective in (Objective.THROUGHPUT, Objective.ENERGY)
        if self.max_latency_ns is not None and not limited:
            raise UserInputError(
                f"a latency limit is for throughput or energy: {self.objective} has none"
            )

    def answer(
        self, network: Network, table: CostTable, *, fixed: Fixed | None = None
    ) -> PlanResult:
        """The plan.

        Args:
            network: What is run.
            table: What it costs.
            fixed: Unit or units of some layers, by layer index.

        Raises:
            UserInputError: An unknown unit or layer, the costs of another network, or energy
                where nobody measured any.
        """
        if self.objective is Objective.THROUGHPUT:
            limit_ns = self.max_latency_ns
            if self.judge is not None and limit_ns is not None and self.method == "auto":
                return plan_within_latency(
                    network, table, self.judge, max_latency_ns=limit_ns, fixed=fixed
                )
            return plan_throughput(
                network,
                table,
                fixed=fixed,
                method=self.method,
                max_latency_ns=self.max_latency_ns,
            )
        if self.objective is Objective.ENERGY:
            return plan_energy(network, table, fixed=fixed, max_latency_ns=self.max_latency_ns)
        if self.objective is Objective.ENERGY_DELAY:
            return plan_energy_delay(network, table, fixed=fixed)
        if self.method == "single":
            return _best_single(network, table)
        if self.method == "switch" or not (self.method == "branch" or can_overlap(network, table)):
            return plan_latency(network, table, fixed=fixed)
        return plan_branches(
            network, table, fixed=fixed, time_limit_s=self.time_limit_s, seed=self.seed
        )


def can_overlap(network: Network, table: CostTable) -> bool:
    """Two layers of one frame could run at the same time: neither waits for the other, and there
    are two units that share no device.
    """
    apart = any(set(one).isdisjoint(other) for one, other in combinations(table.occupied, 2))
    return apart and any(
        not set(later.inputs) & set(earlier.outputs)
        for earlier, later in zip(network.layers, network.layers[1:], strict=False)
    )


def _best_single(network: Network, table: CostTable) -> PlanResult:
    plans = [single_unit_plan(network, table, unit) for unit in table.unit_names]
    running = [plan for plan in plans if plan.value is not None]
    return min(running or plans, key=lambda plan: plan.value or 0)
