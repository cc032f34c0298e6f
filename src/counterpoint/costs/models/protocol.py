"""The seam of the cost models: a layer in, its cost or the reason of a refusal out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from counterpoint.errors import InternalError
from counterpoint.network.graph import Layer, Network

FLOAT32_BYTES = 4


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
        memory_ns: For how long of it the unit's memory is busy, where units that share the memory
            have to share its bandwidth; ``None``: the model does not tell.
    """

    time_ns: int
    energy_pj: int | None
    bound: Bound
    memory_ns: int | None = None

    def __post_init__(self) -> None:
        if self.time_ns < 0 or (self.energy_pj is not None and self.energy_pj < 0):
            raise InternalError(f"a modelled layer of {self.time_ns} ns, {self.energy_pj} pJ")


class LayerModel(Protocol):
    """What each model is: its parameters, frozen, and one pure function of them and a layer."""

    def cost(self, layer: Layer) -> Cost | str:
        """The cost of one run of the layer; a text is the reason why the unit refuses it."""
        ...


@runtime_checkable
class BestCase(Protocol):
    """A model that can tell what a layer would cost at best, refused or not."""

    def at_best(self, layer: Layer) -> Cost | None:
        """The roofline of the unit: its peak, its memory, nothing else. ``None``: shapes are not
        known.
        """
        ...


@runtime_checkable
class NetworkModel(LayerModel, Protocol):
    """A model in which a layer's cost depends on its neighbours, as with fused pooling."""

    def network_costs(self, network: Network) -> tuple[Cost | str, ...]:
        """As :meth:`LayerModel.cost`, of each layer of the network as part of the whole."""
        ...


def layer_costs(model: LayerModel, network: Network) -> tuple[Cost | str, ...]:
    """Cost or refusal of each layer, neighbours taken into account where the model does that."""
    if isinstance(model, NetworkModel):
        return model.network_costs(network)
    return tuple(model.cost(layer) for layer in network.layers)


def energy_pj(time_ns: int, power_mw: int | None) -> int | None:
    """A milliwatt for a nanosecond is a picojoule; unknown power is unknown energy."""
    return None if power_mw is None else time_ns * power_mw


def item_scale(layer: Layer, item_bytes: int) -> float:
    """By what the layer's bytes are to be multiplied when a unit keeps items in ``item_bytes``.

    A layer's bytes are those of the network's file: float32, or already int8 where the network
    itself quantises.
    """
    return 1.0 if layer.quantised else item_bytes / FLOAT32_BYTES
