"""Goes on without the units that failed: another plan, compiled, for the frames that are left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from counterpoint.engines.protocol import CompiledSegment, Engine
from counterpoint.errors import EngineError, NoUnitLeftError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.assembly import Assembly, SegmentKey
from counterpoint.schedule.checked_assembly import (
    Checking,
    assemble_with_checks,
    refuse_unchecked,
)
from counterpoint.schedule.faults import Fault, casualties
from counterpoint.schedule.plan import Plan, check_plan
from counterpoint.schedule.trace import Incident
from counterpoint.schedule.watchdog import HangLimits

Replan = Callable[[frozenset[str]], Plan | str]
"""Given the names of the units that are lost: a plan of the same network for the same machine
without them, or why there is none. Called in a thread of the session's, while frames wait."""

Report = Callable[[Incident], None]
"""Told at once of what happened, in a thread of the session's; times are of ``perf_counter_ns``."""

MOST_FAULTS_TOLD = 4


def log_incident(incident: Incident) -> None:
    """A warning of the logger ``counterpoint``, which Python prints unless told otherwise."""
    logging.getLogger("counterpoint").warning("%s", incident.message)


@dataclass(frozen=True, slots=True)
class Fallback:
    """What to do when a unit fails.

    Attributes:
        replan: Asked for another plan.
        limits: When a segment counts as hung.
        report: Told what happened.
    """

    replan: Replan
    limits: HangLimits = field(default_factory=HangLimits)
    report: Report = log_incident


class Recovers(Protocol):
    """What device threads ask when a unit has failed."""

    @property
    def incidents(self) -> Sequence[Incident]:
        """What happened so far, in order."""
        ...

    def strand(self, key: SegmentKey) -> None:
        """A segment is given up in mid-call: it is used no more, and must not be closed."""
        ...

    def after(self, faults: Sequence[Fault], frames: int) -> Assembly:
        """What the frames go on by, now that these happened; nothing runs at this time.

        Args:
            faults: At least one.
            frames: How many start again.

        Raises:
            CounterpointError: There is no way to go on.
        """
        ...


class Recovery:
    """A plan made ready, and made ready again without what failed. Used by one thread at a time.

    Attributes:
        plan: What is followed now.
        lost: Names of the units that are not used any more.
        incidents: See :class:`Recovers`.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        engines: Mapping[str, Engine],
        platform: Platform,
        *,
        fallback: Fallback,
        checking: Checking | None = None,
    ) -> None:
        self.plan = plan
        self.lost: frozenset[str] = frozenset()
        self.incidents: list[Incident] = []
        self._network = network
        self._engines = engines
        self._platform = platform
        self._fallback = fallback
        self._checking = checking
        self._faults: list[Fault] = []
        self._stranded: set[SegmentKey] = set()
        self._compiled: dict[SegmentKey, CompiledSegment] = {}
        self._told_unchecked = False

    def begin(self) -> Assembly:
        """The plan made ready; another one where a unit refuses its segments.

        Raises:
            NoUnitLeftError: No plan can be made ready.
        """
        return self._go_on()

    def after(self, faults: Sequence[Fault], frames: int) -> Assembly:
        """See :class:`Recovers`.

        Raises:
            NoUnitLeftError: The units that are left cannot run the network.
        """
        begin_ns = time.perf_counter_ns()
        for fault in faults:
            if fault.unit not in self.lost:  # two of its runs may have failed before all was quiet
                self._lose(fault)
        made = self._go_on()
        taken_ms = (time.perf_counter_ns() - begin_ns) / 1e6
        again = f"{frames} frame{'s' if frames != 1 else ''} started again"
        self._tell(
            "replanned", f"going on with {' + '.join(self.plan.units)}: {again}, {taken_ms:.3g} ms"
        )
        return made

    def strand(self, key: SegmentKey) -> None:
        """See :class:`Recovers`."""
        self._stranded.add(key)

    def close(self) -> None:
        """Closes what is compiled, except for what hangs."""
        for key in [*self._compiled]:
            if key not in self._stranded:
                self._compiled.pop(key).close()

    def _go_on(self) -> Assembly:
        while True:
            self._replan()
            wanted = {
                (frozenset(segment.layers), segment.unit)
                for lane in self.plan.lanes
                for segment in lane.segments
            }
            self._drop_all_but(wanted)
            try:
                assembly, unchecked = assemble_with_checks(
                    self._network,
                    self.plan,
                    self._engines,
                    self._platform,
                    self._checking,
                    lost=self.lost,
                    limits=self._fallback.limits,
                    spare=self._compiled,
                )
            except EngineError as error:
                if error.unit not in self.plan.units:
                    raise  # nobody knows what to do without
                self._lose(Fault("compile", error.unit, error))
                continue
            self._compiled = dict(assembly.compiled)
            if not self._faults:
                refuse_unchecked(unchecked)
            if unchecked and not self._told_unchecked:
                self._told_unchecked = True
                self._tell("unchecked", f"no unit is left to check {', '.join(unchecked)}")
            return assembly

    def _replan(self) -> None:
        if self.lost.isdisjoint(self.plan.units):
            return
        answer = self._fallback.replan(self.lost)
        if isinstance(answer, str):
            self._drop_all_but(set())
            told = [str(fault.error) for fault in self._faults[:MOST_FAULTS_TOLD]]
            if len(self._faults) > len(told):
                told.append(f"{len(self._faults) - len(told)} more")
            raise NoUnitLeftError(
                f"nothing is left to run {self._network.name}: {'; '.join(told)}; {answer}",
                layer=self._faults[-1].error.layer,
                unit=self._faults[-1].unit,
            ) from self._faults[0].error
        check_plan(answer, self._network, self._platform, allow_other_machine=True)
        if not self.lost.isdisjoint(answer.units):
            raise EngineError(
                f"the new plan uses {', '.join(sorted(self.lost & set(answer.units)))}, which "
                "failed: give a replan that leaves them out"
            )
        self.plan = answer

    def _drop_all_but(self, wanted: set[SegmentKey]) -> None:
        """Before anything is compiled: what is not needed any more gives its memory back."""
        for key in [*self._compiled]:
            if key in self._stranded:
                del self._compiled[key]  # its own thread closes it, should it ever come back
            elif key not in wanted or key[1] in self.lost:
                with suppress(Exception):  # a device that is gone may say so once more
                    self._compiled[key].close()
                del self._compiled[key]
        # What is made anew under the same name hangs no more.
        self._stranded.clear()

    def _lose(self, fault: Fault) -> None:
        self._faults.append(fault)
        self.lost |= casualties(fault.unit, self._platform)
        self._tell(fault.kind, str(fault.error), fault.unit, fault.frame)

    def _tell(
        self, kind: str, message: str, unit: str | None = None, frame: int | None = None
    ) -> None:
        incident = Incident(time.perf_counter_ns(), kind, message, unit, frame)
        self.incidents.append(incident)
        with suppress(Exception):  # whoever listens must not end the frames
            self._fallback.report(incident)
