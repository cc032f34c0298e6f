"""Recorded costs in a platform file: a network's stages, and their times on units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from counterpoint.platform.basis import FROM_FILE, Basis, check_number, check_word, plain_name
from counterpoint.platform.file_entries import OVERHEADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Layers whose time was recorded together. Stages form a chain.

    Attributes:
        name: For people, and as a layer of ``recorded:NETWORK``.
        layers: Which layers of the network: ``conv1..pool1`` (both included, in run order),
            ``conv1``, or by position ``#0..#2``; ``None`` where the network is only known as
            stages.
        output_bytes: Of what the next stage reads; ``None`` where nobody knows.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    name: str
    layers: str | None = None
    output_bytes: int | None = None

    def __post_init__(self) -> None:
        check_word("name", self.name)
        check_number("output_bytes", self.output_bytes, most=2**40)


_MOST_APART = 10
"""Times that a whole run and the sum of its stages may differ by. Measured ones differ by a few
percent, tiny stages by some times, for what each measurement takes; more is a mistaken unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """One run over all stages on one unit, at one setting of the clocks.

    Attributes:
        unit: Name of the unit, without clock steps.
        clocks: Step of each device that the unit names in ``clock_devices``.
        task_ms: For each stage its time, or the reason why the unit does not run it.
        power_mw: For each stage the power, as far as it was measured; idle power included where
            the file's ``idle_power_mw`` is given.
        whole_ms: Of all stages in one run; ``None`` where nobody measured it.
        input_ms: Bringing the frame in; counts where the first stage runs on this unit.
        output_ms: Handing the result back.
        overheads: The unit's entry, read and write costs in this network, under the unit's keys
            (``entry_ms`` ...); those that are left out are as the unit has them.

    Raises:
        ValueError: A value is out of range, lists differ in length, or an overhead is none.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    unit: str
    task_ms: tuple[float | str, ...]
    clocks: Mapping[str, int] = field(default_factory=dict)
    power_mw: tuple[float, ...] = ()
    whole_ms: float | None = None
    input_ms: float | None = None
    output_ms: float | None = None
    overheads: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.overheads.items():
            if key not in OVERHEADS:
                raise ValueError(
                    f"overheads.{key[:40]} is unknown; there are: {', '.join(OVERHEADS)}"
                )
            check_number(f"overheads.{key}", value)
        for time_ms in self.task_ms:
            if not isinstance(time_ms, str):
                check_number("task_ms", time_ms)
            elif not time_ms:
                raise ValueError("task_ms has an empty text: a refusal has a reason")
        for power_mw in self.power_mw:
            check_number("power_mw", power_mw)
        check_number("whole_ms", self.whole_ms)
        stages_ms = sum(one for one in self.task_ms if not isinstance(one, str))
        whole_ms = stages_ms if self.whole_ms is None or not self.is_complete else self.whole_ms
        if not stages_ms / _MOST_APART <= whole_ms <= stages_ms * _MOST_APART:
            raise ValueError(
                f"whole_ms = {whole_ms} contradicts task_ms, which adds up to {stages_ms:g}"
            )
        check_number("input_ms", self.input_ms)
        check_number("output_ms", self.output_ms)
        if self.power_mw and len(self.power_mw) != len(self.task_ms):
            raise ValueError(f"{len(self.power_mw)} of power_mw for {len(self.task_ms)} of task_ms")

    @property
    def is_complete(self) -> bool:
        """The unit runs every stage."""
        return not any(isinstance(time_ms, str) for time_ms in self.task_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNetwork:
    """What was recorded of one network.

    Attributes:
        name: The network's; others of that name are taken for it.
        aliases: Further names.
        stages: In run order.
        times: On units.
        scale_to_whole: Stage times are scaled so that they sum up to ``whole_ms``: measuring each
            stage costs a little time itself, which is in their sum and not in the whole.
        remark: For people: what is odd about the numbers.
        basis: Of all of it.

    Raises:
        ValueError: A stage or a column of times is there twice, or has not one time a stage.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = FROM_FILE

    name: str
    stages: tuple[Stage, ...]
    times: tuple[StageTimes, ...]
    aliases: tuple[str, ...] = ()
    scale_to_whole: bool = True
    remark: str = ""
    basis: Basis = ""

    def __post_init__(self) -> None:
        for name in (self.name, *self.aliases):
            check_word("name", name)
        if not self.stages or not self.times:
            raise ValueError(f"network {self.name!r} has no stages or no times")
        names = [stage.name for stage in self.stages]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"network {self.name!r} has two stages {name!r}")
        if len({stage.layers is None for stage in self.stages}) > 1:
            raise ValueError(f"network {self.name!r}: some stages have layers and some have none")
        seen: set[tuple[str, tuple[tuple[str, int], ...]]] = set()
        for times in self.times:
            if len(times.task_ms) != len(self.stages):
                raise ValueError(
                    f"network {self.name!r}: task_ms of {times.unit[:60]!r} has "
                    f"{len(times.task_ms)} values for {len(self.stages)} stages"
                )
            key = times.unit, tuple(sorted(times.clocks.items()))
            if key in seen:
                raise ValueError(f"network {self.name!r} has two times of {times.unit[:60]!r}")
            seen.add(key)

    @property
    def valued(self) -> tuple[str, ...]:
        """Keys that hold values."""
        sized = any(stage.output_bytes is not None for stage in self.stages)
        return ("times", "stages") if sized else ("times",)

    def answers_to(self, name: str) -> bool:
        """A network of that name is this one; case, blanks and punctuation do not count."""
        return plain_name(name) in {plain_name(known) for known in (self.name, *self.aliases)}
