"""Another plan when units have failed: by what was measured before, as nobody can measure now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from counterpoint.costs.objective import Objective
from counterpoint.costs.sample import Sample
from counterpoint.costs.store import Store
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.engines.protocol import Engine
from counterpoint.errors import CounterpointError, EngineError, StoreError, UserInputError
from counterpoint.measure.sampling import Samples
from counterpoint.network.graph import Network
from counterpoint.planning.choose import Question
from counterpoint.planning.latency import plan_latency
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.tuning.in_flight import frames_in_flight
from counterpoint.tuning.planned import plan_of, plan_of_lanes
from counterpoint.tuning.profiler import Profiler

_LAYER_NS = 1
_ENTRY_NS = 1_000_000
"""Where nothing is measured every layer counts the same on every unit, and entering a unit much
more: of such plans the one with the fewest segments comes out. The numbers stay here."""


@dataclass(frozen=True, slots=True)
class Replanner:
    """Makes a plan for the units that are left.

    They compute in the precisions of the plan that failed, or in the network's own. Costs are those
    that are in the store; where the store has none, as few segments as possible.

    Attributes:
        network: What runs.
        plan: What failed.
        platform: Where, with all its units.
        engines: By name.
        open_store: Opens the measurements in the thread that asks; ``None``: there are none.
    """

    network: Network
    plan: Plan
    platform: Platform
    engines: Mapping[str, Engine]
    open_store: Callable[[], Store] | None = None

    def __call__(self, lost: frozenset[str]) -> Plan | str:
        """A plan without the units of those names, or why there is none."""
        units = [unit for unit in self._candidates() if unit.name not in lost]
        if not units:
            return "no other unit computes in the plan's precision"
        made = self._by_measurements(units)
        if made is not None:
            return self._instead(made)
        hardware = [unit for unit in units if not any(d.is_software for d in unit.devices)]
        answer = self._by_few_segments(hardware) if hardware else "no hardware is left"
        if isinstance(answer, str) and len(hardware) < len(units):
            answer = self._by_few_segments(units)
        return answer if isinstance(answer, str) else self._instead(answer)

    def _candidates(self) -> list[ComputeUnit]:
        own = {"fp32", "int8"} if self.network.is_quantised else {"fp32"}
        wanted = own | {self.platform.unit(name).precision for name in self.plan.units}
        # A unit of other threads or streams is the same hardware once more, set another way.
        return [
            unit
            for unit in self.platform.units
            if unit.precision in wanted and (not unit.settings or unit.name in self.plan.units)
        ]

    def _by_measurements(self, units: list[ComputeUnit]) -> Plan | None:
        """``None`` where no measured unit is left, or those that are left do not suffice."""
        if self.open_store is None:
            return None
        try:
            store = self.open_store()
        except StoreError:
            return None  # locked or damaged: frames wait, and there is a plan without it
        try:
            profiler = _StoredProfiler(self.network, self.platform, self.engines, store)
            known = [unit for unit in units if profiler.knows(unit)]
            if not known:
                return None
            return self._planned(profiler.table(known))
        except (StoreError, EngineError, UserInputError):
            return None
        finally:
            store.close()

    def _planned(self, table: CostTable) -> Plan | None:
        throughput = self.plan.objective is Objective.THROUGHPUT
        question = (
            Question(objective=Objective.THROUGHPUT) if throughput else Question(method="switch")
        )
        answer = question.answer(self.network, table)
        if answer.value is None:
            return None
        made = plan_of(self.network, self.platform, self.engines, table, answer)
        if throughput:
            made = frames_in_flight(self.network, made, self.platform)
        return made

    def _by_few_segments(self, units: list[ComputeUnit]) -> Plan | str:
        reasons = {
            (layer.index, column): self.engines[unit.engine].unsupported_reason(layer, unit)
            for layer in self.network.layers
            for column, unit in enumerate(units)
        }
        refusals = {cell: reason for cell, reason in reasons.items() if reason is not None}
        table = CostTable(
            network_hash=self.network.content_hash,
            platform_fingerprint=self.platform.fingerprint,
            layer_names=tuple(layer.name for layer in self.network.layers),
            units=tuple(UnitCosts(_in_host_memory(unit), _ENTRY_NS) for unit in units),
            layer_ns=tuple(
                tuple(
                    None if (layer.index, column) in refusals else _LAYER_NS
                    for column in range(len(units))
                )
                for layer in self.network.layers
            ),
            refusals=refusals,
        )
        answer = plan_latency(self.network, table)
        if answer.value is None:
            return answer.reason or "no plan"
        lanes = tuple(
            Lane(tuple(Segment(layers, unit) for layers, unit in lane.segments))
            for lane in answer.lanes
        )
        made = plan_of_lanes(
            self.network, self.platform, self.engines, lanes=lanes, prediction=Prediction(0)
        )
        return replace(made, frames_in_flight=self.plan.frames_in_flight)

    def _instead(self, made: Plan) -> Plan:
        """The plan that failed with another plan's lanes: whatever it says of the network holds."""
        return replace(
            self.plan,
            lanes=made.lanes,
            frames_in_flight=made.frames_in_flight,
            engines=made.engines,
            cpu_parts=made.cpu_parts,
            prediction=made.prediction,
            measured_latency=None,
            measured_interval=None,
            notes=(),
        )


def _in_host_memory(unit: ComputeUnit) -> ComputeUnit:
    """As if it computed there: links, which may not have been measured either, do not matter."""
    return replace(unit, devices=tuple(replace(device, memory="host") for device in unit.devices))


class _NotStoredError(CounterpointError):
    """Nobody has measured that."""


class _StoredProfiler(Profiler):
    """Takes everything from the store, and measures nothing."""

    def knows(self, unit: ComputeUnit) -> bool:
        """Whether everything about a unit is in the store."""
        try:
            self.unit_profile(unit)
        except _NotStoredError:
            return False
        return True

    def measured(
        self,
        subject: str,
        unit: ComputeUnit,
        measure: Callable[[], tuple[Samples, dict[str, int]]],
        *,
        again: bool = False,
    ) -> Sample:
        """See the base."""

        def refuse() -> tuple[Samples, dict[str, int]]:
            raise _NotStoredError(f"{unit.name}: not measured")

        return super().measured(subject, unit, refuse)
