"""A network's stages on the components of a Khadas VIM3, under a model of what a switch costs.

A stage that is measured by itself ends with a synchronisation, which a stage inside a longer run
does not have. So where the stages of a component add up to more than its whole network, the excess
belongs to the borders between them: ``entry = (sum - whole) / (stages - 1)``. A run of stages on
one component pays it once, and each stage takes that much less. Where they add up to less, the
stages are scaled to the whole. Nothing here is fitted to a switched run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import Literal

from counterpoint.errors import InternalError, UserInputError
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import Segment
from counterpoint.platform.model import ComputeUnit, Link
from counterpoint.platform.platform_file import load_platform
from counterpoint.reproduce.a311d_runs import PLATFORM, UNITS, Recorded
from counterpoint.reproduce.stage_chain import Staged, chain

Model = Literal["borders", "sums", "moved"]

OTHER_BOARD = "rk3399pro"
"""A platform of the same make whose hand-overs were published."""

_MEMORIES = {"B": "big", "G": "gpu"}
"""Of the components, on both boards."""


@dataclass(frozen=True, slots=True)
class SwitchedBoard:
    """One network on the components of the board, under one model of what a switch costs.

    Attributes:
        staged: Stages as layers.
        letters: Of the components, by the name of their unit.
        outside_ns: Loading the image and reading the result, by the component that begins.
    """

    staged: Staged
    letters: Mapping[str, str]
    outside_ns: Mapping[str, int] = field(default_factory=dict)

    def segments(self, order: str) -> tuple[Segment, ...]:
        """An order as a lane."""
        units = {letter: unit for unit, letter in self.letters.items()}
        runs = groupby(enumerate(order), key=lambda place: place[1])
        return tuple(
            (tuple(stage for stage, _ in members), units[letter]) for letter, members in runs
        )

    def order(self, segments: tuple[Segment, ...]) -> str:
        """A lane as an order."""
        return "".join(self.letters[unit] * len(stages) for stages, unit in segments)

    def task_ns(self, order: str) -> int:
        """Predicted time of the stages in that order."""
        told = evaluate(self.staged.network, self.staged.table, self.segments(order))
        if told.latency_ns is None:
            raise InternalError(f"{self.staged.name} as {order}: {told.violations[0]}")
        return told.latency_ns

    def total_ns(self, order: str) -> int:
        """With what is outside of the stages."""
        return self.task_ns(order) + self.outside_ns.get(order[0], 0)

    def best_order(self) -> str:
        """Of least latency, by the planner."""
        return self.order(plan_latency(self.staged.network, self.staged.table).segments)


def board(recorded: Recorded, components: str = "BG", *, model: Model = "borders") -> SwitchedBoard:
    """A network under one of three models.

    Args:
        recorded: What was measured.
        components: Those that there are, by letter.
        model: ``borders``, as this module's docstring tells; ``sums``: each component's stages
            scaled to its whole, switches free; ``moved``: as ``sums``, and a hand-over takes what
            it takes on :data:`OTHER_BOARD`.

    Raises:
        UserInputError: The stages and the whole run contradict the model.
    """
    units = {letter: _unit(letter, own_memory=model == "moved") for letter in components}
    times: dict[str, tuple[int, ...]] = {}
    entry: dict[str, int] = {}
    outside: dict[str, int] = {}
    for letter, unit in units.items():
        stages_ns = tuple(round(time_ms * 1e6) for time_ms in recorded.stage_ms[letter])
        whole = recorded.whole(letter)
        if whole is None:
            times[unit.name] = stages_ns
            outside[letter] = round(recorded.outside_ms.get(letter, 0.0) * 1e6)
            continue
        outside[letter] = round((whole.total_ms - whole.task_ms) * 1e6)
        whole_ns = round(whole.task_ms * 1e6)
        if model == "borders" and sum(stages_ns) > whole_ns:
            entry[unit.name] = (sum(stages_ns) - whole_ns) // (len(stages_ns) - 1)
            times[unit.name] = tuple(time_ns - entry[unit.name] for time_ns in stages_ns)
            if min(times[unit.name]) < 0:
                raise UserInputError(
                    f"{recorded.name} on {letter}: stages exceed the whole by so much that one "
                    "would take less than no time; use the model sums"
                )
        else:
            scale = whole_ns / sum(stages_ns)
            times[unit.name] = tuple(round(scale * time_ns) for time_ns in stages_ns)
    staged = Staged(
        name=recorded.name,
        stages=chain(times, recorded.border_items()),
        units=tuple(units.values()),
        entry_ns=entry,
        links=other_boards_links() if model == "moved" else (),
    )
    return SwitchedBoard(staged, {unit.name: letter for letter, unit in units.items()}, outside)


@cache
def other_boards_links() -> tuple[Link, ...]:
    """Hand-overs between big cores and GPU of :data:`OTHER_BOARD`, at its highest clocks."""
    wanted = set(_MEMORIES.values())
    links = load_platform(OTHER_BOARD).platform.links
    return tuple(link for link in links if {link.origin, link.target} == wanted)


@cache
def _unit(letter: str, *, own_memory: bool) -> ComputeUnit:
    """The platform's unit; its tensors are in the host's memory unless it has one of its own."""
    unit = load_platform(PLATFORM).platform.unit(UNITS[letter])
    memory = _MEMORIES[letter] if own_memory else "host"
    return replace(unit, devices=tuple(replace(one, memory=memory) for one in unit.devices))
