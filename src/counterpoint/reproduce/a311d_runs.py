"""Whole runs of CNNs on a Khadas VIM3 (Amlogic A311D), as published, beside their stages' times.

The stages are those of the shipped platform ``khadas_vim3``. The runs are from the same source:
Ehsan-aghapour/CO-UP-Profiling, ``Profiling/ParaPipe/Profiling2/Data``: ARM-CL's graph API, fp32,
all clocks at their highest, the mean of two runs. Same group and board as Aghapour et al., "CPU-GPU
Layer-Switched Low Latency CNN Inference", DSD 2022, but later. Milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from counterpoint.errors import InternalError
from counterpoint.platform.platform_file import load_platform
from counterpoint.platform.recorded_network import RecordedNetwork

PLATFORM = "khadas_vim3"

UNITS = {"B": "armcl:CPU.0@fp32", "G": "armcl:GPU@fp32", "L": "armcl:CPU.1@fp32"}
"""The platform's unit of each component: 4 x Cortex-A73, Mali-G52, 2 x Cortex-A53."""

_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class Run:
    """A whole network, measured.

    Attributes:
        order: The component of each stage, a letter of :data:`UNITS`.
        task_ms: The stages alone.
        total_ms: With loading the image and reading the result.
        slowest_stage_ms: When runs of equal letters are the stages of a pipeline.
    """

    order: str
    task_ms: float
    total_ms: float
    slowest_stage_ms: float

    @property
    def is_switched(self) -> bool:
        """More than one component."""
        return len(set(self.order)) > 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """A network.

    Attributes:
        name: As in the source.
        stage_ms: Time of each stage by itself, by component.
        runs: Whole networks; empty where none was published.
        outside_ms: Loading the image and reading the result, by component, where no whole run
            tells it.
        border_bytes: What each stage but the last hands over; ``None`` where it is not known.
    """

    name: str
    stage_ms: Mapping[str, tuple[float, ...]]
    runs: tuple[Run, ...] = ()
    outside_ms: Mapping[str, float] = field(default_factory=dict)
    border_bytes: tuple[int, ...] | None = None

    def whole(self, component: str) -> Run | None:
        """The run on that component alone."""
        alone = component * len(self.stage_ms[component])
        return next((run for run in self.runs if run.order == alone), None)

    def stages_ms(self, order: str) -> float:
        """Sum of the stages, each as it was measured by itself on its component."""
        return sum(self.stage_ms[letter][stage] for stage, letter in enumerate(order))

    def border_items(self) -> tuple[int, ...] | None:
        """:attr:`border_bytes` as float32 items."""
        if self.border_bytes is None:
            return None
        return tuple(size // _FLOAT32_BYTES for size in self.border_bytes)


SWITCHED: Mapping[str, tuple[Run, ...]] = {
    "alexnet": (
        Run("BBBBBBGB", 101.268, 112.1207, 95.0828),
        Run("GGBBBGGG", 88.7203, 100.844, 48.4004),
        Run("GGBBBGGB", 94.8474, 106.2018, 47.4712),
    ),
    "mobilenet_v1": (Run("GGGGGGBBBBBBBB", 54.2555, 64.8637, 36.0414),),
    "resnet50_v1": (Run("GGGGGGGBBBBBBBBBBB", 222.9549, 234.8414, 137.758),),
    "googlenet": (
        Run("GGGGBBBBBBG", 99.4137, 112.8717, 58.1341),
        Run("GGGGBBBBBBB", 100.2987, 112.6618, 56.7124),
    ),
}
"""Orders of more than one component. Three networks of the seven were not run as a whole."""

WHOLE_TOTAL_MS: Mapping[str, Mapping[str, float]] = {
    "alexnet": {"B": 118.334, "G": 104.117, "L": 244.703},
    "mobilenet_v1": {"B": 69.5329, "G": 78.0611, "L": 183.39},
    "resnet50_v1": {"B": 256.488, "G": 306.959, "L": 635.425},
    "googlenet": {"B": 139.583, "G": 112.676},
}
"""Whole networks on one component, image and result included; without them as the platform's
``whole_ms`` says."""


@cache
def recorded_networks() -> tuple[Recorded, ...]:
    """All seven, in the platform's order."""
    return tuple(_recorded(network) for network in load_platform(PLATFORM).networks)


def _recorded(network: RecordedNetwork) -> Recorded:
    times = {row.unit: row for row in network.times}
    stage_ms = {
        letter: tuple(_time_ms(time_ms) for time_ms in times[unit].task_ms)
        for letter, unit in UNITS.items()
    }
    totals_ms = WHOLE_TOTAL_MS.get(network.name, {})
    wholes = []
    for letter, total_ms in totals_ms.items():
        task_ms = times[UNITS[letter]].whole_ms
        if task_ms is None:
            raise InternalError(f"{PLATFORM} has no whole run of {network.name} on {letter}")
        wholes.append(Run(letter * len(network.stages), task_ms, total_ms, total_ms))
    sizes = [stage.output_bytes for stage in network.stages[:-1]]
    known = [size for size in sizes if size is not None]
    return Recorded(
        network.name,
        stage_ms,
        (*SWITCHED.get(network.name, ()), *wholes),
        {
            letter: (times[unit].input_ms or 0.0) + (times[unit].output_ms or 0.0)
            for letter, unit in UNITS.items()
            if letter not in totals_ms
        },
        tuple(known) if len(known) == len(sizes) else None,
    )


def _time_ms(value: float | str) -> float:
    if isinstance(value, str):
        raise InternalError(f"{PLATFORM}: a stage without a time: {value}")
    return value
