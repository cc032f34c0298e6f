"""Plans that keep to an error: each layer on a unit and in a precision, within a noise budget.

A layer in a coarse precision adds noise to the network's outputs. Noises of layers are nearly
independent, so their powers add up, and a budget of noise is a limit on a sum like one of time or
energy. A layer's precision is a column of the cost table: a unit of its own, or a variant of a
unit, whose layers run in that unit's calls (:attr:`UnitCosts.variant_of`).

* Latency and energy: the budget gets a price in the labelling
  (:mod:`counterpoint.planning.limited`); the bound holds for all lanes that keep to it.
* Throughput: the budget is a row of a linear program (:mod:`counterpoint.planning.error_row`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from time import perf_counter_ns

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.column_generation import EXACT
from counterpoint.planning.error_row import mixed_lanes
from counterpoint.planning.evaluator import Evaluation, evaluate, interval_ns
from counterpoint.planning.labelling import label
from counterpoint.planning.latency import merged, why_blocked
from counterpoint.planning.limited import (
    MAX_BRANCHES,
    Cheapest,
    Columns,
    TwoCosts,
    cheapest_within,
)
from counterpoint.planning.problem import LabellingProblem, Weights, weighted_problem
from counterpoint.planning.restriction import (
    Fixed,
    allowed_columns,
    restricted,
    restriction_settings,
)
from counterpoint.planning.result import PlannedLane, PlanResult, Setting, Status
from counterpoint.planning.trade_off import measured_energy


def plan_under_error(
    network: Network,
    table: CostTable,
    max_error_ppb: int,
    *,
    objective: Objective = Objective.LATENCY,
    fixed: Fixed | None = None,
    max_branches: int = MAX_BRANCHES,
) -> PlanResult:
    """The best plan whose layers make at most that noise, proven best unless the status says less.

    Args:
        network: What is run.
        table: What it costs, with errors; a unit refuses every layer whose error is not known.
        max_error_ppb: Noise power over the outputs' power, in parts per billion, at least 0; of
            the mean frame for ``THROUGHPUT``.
        objective: ``LATENCY``, ``ENERGY`` (of the work, without the idle machine) or
            ``THROUGHPUT``.
        fixed: Unit or units of some layers, by layer index.
        max_branches: See :func:`cheapest_within`.

    Raises:
        UserInputError: An unknown unit or layer, the costs of another network, no errors, energy
            that nobody measured, or another objective.
    """
    began_ns = perf_counter_ns()
    known = _known_errors(network, table)
    settings: dict[str, Setting] = {
        **restriction_settings(None, fixed),
        "max_error_ppb": max_error_ppb,
    }
    if objective is Objective.ENERGY:
        known = measured_energy(network, known)
    elif objective not in (Objective.LATENCY, Objective.THROUGHPUT):
        raise UserInputError(f"an error budget is for latency, throughput or energy: {objective}")
    allowed = allowed_columns(network, known, None, fixed)
    lanes = _ByError(network, known, energy=objective is Objective.ENERGY)
    found = cheapest_within(lanes, allowed, max_error_ppb, max_branches=max_branches)
    best, bound = found.best, found.bound
    if best is None:
        return PlanResult(
            planner="error-budget",
            status=Status.INFEASIBLE,
            objective=objective,
            reason=lanes.why_none(allowed),
            settings=settings,
            time_spent_ns=perf_counter_ns() - began_ns,
        )
    planned: tuple[PlannedLane, ...] = (PlannedLane(best.segments),)
    value = best.cost
    if objective is Objective.THROUGHPUT:
        planned, bound = mixed_lanes(network, known, allowed, max_error_ppb, best.segments)
        value = ceil(
            interval_ns([(evaluate(network, known, x.segments), x.share) for x in planned])
        )
    return PlanResult(
        planner="error-budget",
        status=Status.OPTIMAL if value == bound else Status.FEASIBLE,
        lanes=planned,
        objective=objective,
        value=value,
        lower_bound=bound,
        settings=settings,
        time_spent_ns=perf_counter_ns() - began_ns,
    )


@dataclass(frozen=True, slots=True)
class _ByError:
    """Latency (or energy) as the cost, noise as what is limited."""

    network: Network
    table: CostTable
    energy: bool = False

    def cheapest(self, allowed: Columns, cost: int, limited: int) -> Cheapest | None:
        """See :class:`counterpoint.planning.limited.Priced`."""
        found = label(self._problem(allowed, cost, limited))
        if found.labels is None or found.cost is None or found.lower_bound is None:
            return None
        segments = merged(self.table, found.labels)
        evaluation = _evaluated(self.network, self.table, segments)
        spent = evaluation.energy_pj if self.energy else evaluation.latency_ns
        if spent is None or evaluation.error_ppb is None:
            raise InternalError(f"labelling of {self.network.name}: {evaluation.violations}")
        point = TwoCosts(found.labels, segments, spent, evaluation.error_ppb)
        total = point.priced(cost, limited)
        if max(total, found.cost) < EXACT:
            if total != found.cost:
                raise InternalError(f"labelling of {self.network.name}: {found.cost}, but {total}")
            return Cheapest(point, ceil(found.lower_bound))
        # Rounded sums: each of at most 8 terms a layer is off by 2**-53 of the total.
        slack = ceil(Fraction(16 * len(self.network.layers) + 16, EXACT) * max(total, 1))
        return Cheapest(point, max(0, min(total, ceil(found.lower_bound)) - slack))

    def layer_cost(self, layer: int, column: int) -> int:
        """See :class:`counterpoint.planning.limited.Priced`."""
        rows = self.table.layer_energy_pj if self.energy else self.table.layer_ns
        return (rows or ())[layer][column] or 0

    def why_none(self, allowed: Columns) -> str:
        """The reason for an infeasible plan, in one line."""
        found = label(self._problem(allowed, 0, 1))
        if found.labels is None:
            return why_blocked(self.network, self.table, found, allowed)
        least = _evaluated(self.network, self.table, merged(self.table, found.labels)).error_ppb
        return f"no plan of {self.network.name} makes so little noise; the least is {least} ppb"

    def _problem(self, allowed: Columns, cost: int, limited: int) -> LabellingProblem:
        price = {"energy" if self.energy else "time": float(cost)}
        weights = Weights(**price, error=float(limited))  # type: ignore[arg-type]
        return restricted(weighted_problem(self.network, self.table, weights), allowed)


def _evaluated(
    network: Network, table: CostTable, segments: Sequence[tuple[tuple[int, ...], str]]
) -> Evaluation:
    found = evaluate(network, table, segments)
    if found.violations:
        raise InternalError(f"{network.name}: {'; '.join(found.violations)}")
    return found


def _known_errors(network: Network, table: CostTable) -> CostTable:
    """The table in which a unit refuses every layer whose error on it is not known."""
    errors = table.layer_error_ppb
    if errors is None:
        raise UserInputError(
            f"the error of {network.name}'s layers was not measured in these costs: tune it with "
            "--calibration"
        )
    return table.refusing_unknown(errors, "its error is not known")
