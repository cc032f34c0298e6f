"""The seam of the cost models: a layer in, its cost or the reason of a refusal out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from counterpoint.errors import InternalError
from counterpoint.network.graph import Layer


class Bound(StrEnum):
    """What a layer's time is spent on, mostly."""

    COMPUTE = "compute"
    MEMORY = "memory"
    OVERHEAD = "overhead"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model says of one layer.

    Attributes:
        time_ns: One run of it inside a larger segment, at least 0.
        energy_pj: Above idle; ``None`` where the model knows no power.
        bound: What takes the time.
    """

    time_ns: int
    energy_pj: int | None
    bound: Bound

    def __post_init__(self) -> None:
        if self.time_ns < 0 or (self.energy_pj is not None and self.energy_pj < 0):
            raise InternalError(f"a modelled layer of {self.time_ns} ns, {self.energy_pj} pJ")


class LayerModel(Protocol):
    """What each model is: its parameters, frozen, and one pure function of them and a layer."""

    def cost(self, layer: Layer) -> Cost | str:
        """The cost of one run of the layer; a text is the reason why the unit refuses it."""
        ...


def energy_pj(time_ns: int, power_mw: int | None) -> int | None:
    """A milliwatt for a nanosecond is a picojoule; unknown power is unknown energy."""
    return None if power_mw is None else time_ns * power_mw
