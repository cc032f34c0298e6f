"""Labelling as pure numbers: what a planner sees. No engine, no network, no names.

The cost of giving layer ``i`` the unit ``u[i]``, with layers run one after another in index order:

    sum over layers i of                 layer_cost[i][u[i]]
    + sum over i with u[i] != u[i-1] of  entry_cost[u[i]]          (the first layer always enters;
                                         units of one call enter once, see ``calls``)
    + sum over tensors t, over the distinct places v among the units of its consumers (and the
      host, when it is returned to the caller) with v != u[producer] of  moves[t][u[producer]][v]

A place is a unit's column, or ``HOST`` for the caller's memory. Consecutive layers of one unit form
one segment; a tensor is handed to each unit once, however many of its layers read it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from counterpoint.costs.table import CostTable, LinearCost
from counterpoint.errors import InternalError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Link

Costs = npt.NDArray[np.float64]

FORBIDDEN = np.inf
"""Cost of what cannot be done (only inside arrays; results say ``None``)."""


@dataclass(frozen=True, slots=True)
class TensorUse:
    """One tensor that crosses layers.

    Attributes:
        producer: Layer that makes it; ``None`` for an input of the network (made on the host).
        consumers: Layers that read it, ascending, all after the producer.
        returned: The caller wants it back.
        moves: ``(units + 1, units + 1)``: cost from place to place, at least 0; the last index is
            the host. The diagonal does not count.
    """

    producer: int | None
    consumers: tuple[int, ...]
    returned: bool
    moves: Costs

    def __post_init__(self) -> None:
        order = (-1 if self.producer is None else self.producer, *self.consumers)
        if any(later <= earlier for earlier, later in pairwise(order)):
            raise InternalError("labelling: a tensor's consumers must ascend, after its producer")
        if not (self.moves >= 0).all():
            raise InternalError("labelling: a move costs at least 0")


@dataclass(frozen=True, slots=True)
class LabellingProblem:
    """Give each layer a unit so that the sum of costs is least.

    Attributes:
        layer_cost: ``(layers, units)``, at least 0; ``FORBIDDEN`` where the unit cannot run the
            layer.
        entry_cost: ``(units,)``, at least 0; paid at the start of each segment.
        tensors: Every tensor that crosses layers, in any order.
        calls: ``(units,)``: units with the same number run in one call, so that going from one to
            the other is no entry; ``None``: each unit by itself.
    """

    layer_cost: Costs
    entry_cost: Costs
    tensors: tuple[TensorUse, ...]
    calls: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        places = self.unit_count + 1
        if self.entry_cost.shape != (self.unit_count,):
            raise InternalError("labelling: one entry cost for each unit expected")
        if self.calls is not None and len(self.calls) != self.unit_count:
            raise InternalError("labelling: one call for each unit expected")
        if any(tensor.moves.shape != (places, places) for tensor in self.tensors):
            raise InternalError("labelling: moves between all units and the host expected")
        if not ((self.layer_cost >= 0).all() and (self.entry_cost >= 0).all()):
            raise InternalError("labelling: layers and entries cost at least 0")

    @property
    def layer_count(self) -> int:
        """Number of layers."""
        return int(self.layer_cost.shape[0])

    @property
    def unit_count(self) -> int:
        """Number of units; also the index of the host in ``TensorUse.moves``."""
        return int(self.layer_cost.shape[1])


@dataclass(frozen=True, slots=True)
class Weights:
    """What a unit of each resource is worth; the objective is the sum of use times price.

    Attributes:
        time: Price of a nanosecond of the frame's own time, wherever it is spent.
        device: Price of a nanosecond of a device or of a resource that units share, by name; 0
            where it says nothing. A unit that occupies several pays for all.
        link: Price of a nanosecond of a link, by name. What a link occupies is paid as well.
        energy: Price of a picojoule above idle.
        error: Price of a part per billion of the layers' noise.
    """

    time: float = 0.0
    device: Mapping[str, float] = field(default_factory=dict)
    link: Mapping[str, float] = field(default_factory=dict)
    energy: float = 0.0
    error: float = 0.0


def latency_problem(network: Network, table: CostTable) -> LabellingProblem:
    """The labelling problem whose cost is the latency of one frame, in nanoseconds.

    Raises:
        UserInputError: The table was made for another network.
    """
    return weighted_problem(network, table, Weights(time=1.0))


def weighted_problem(network: Network, table: CostTable, weights: Weights) -> LabellingProblem:
    """The labelling problem whose cost is a weighted sum of what one frame uses.

    A tensor of unknown size counts as 0 bytes. Energy and error that nobody measured count as 0.

    Raises:
        UserInputError: The table was made for another network.
    """
    if table.network_hash != network.content_hash or len(table.layer_ns) != len(network.layers):
        raise UserInputError(
            f"the costs are those of another network: profile {network.name} again"
        )
    price = _unit_prices(table, weights)
    # Of a nanosecond that is no layer's: entering, reading and writing.
    overhead = price + weights.energy * np.array(
        [float(costs.overhead_power_mw or 0) for costs in table.units]
    )
    layer_cost = _matrix(table.layer_ns, len(table.units))
    forbidden = ~np.isfinite(layer_cost)
    layer_cost = np.where(forbidden, 0.0, layer_cost) * price
    for name, rows in table.shared_ns.items():
        layer_cost += weights.device.get(name, 0.0) * _matrix(rows, len(table.units))
    if weights.energy and table.layer_energy_pj is not None:
        energy_pj = _matrix(table.layer_energy_pj, len(table.units))
        layer_cost += weights.energy * np.where(np.isfinite(energy_pj), energy_pj, 0.0)
    if weights.error and table.layer_error_ppb is not None:
        error_ppb = _matrix(table.layer_error_ppb, len(table.units))
        layer_cost += weights.error * np.where(np.isfinite(error_ppb), error_ppb, 0.0)
    layer_cost[forbidden] = FORBIDDEN
    entry_cost = np.array([float(costs.entry_ns) for costs in table.units]) * overhead
    returned = {spec.name for spec in network.outputs}
    names = crossing_tensors(network)
    sizes = [network.tensors[name].size_bytes or 0 for name in names]
    tensors = (
        TensorUse(
            network.producer.get(name),
            tuple(dict.fromkeys(network.consumers.get(name, ()))),
            name in returned,
            moves,
        )
        for name, moves in zip(names, _moves(table, sizes, weights, overhead), strict=True)
    )
    calls = [costs.call for costs in table.units]
    return LabellingProblem(
        layer_cost, entry_cost, tuple(tensors), tuple(calls.index(call) for call in calls)
    )


def _matrix(rows: Sequence[Sequence[int | None]], units: int) -> Costs:
    cells = [[FORBIDDEN if cell is None else float(cell) for cell in row] for row in rows]
    return np.array(cells, dtype=np.float64).reshape(len(rows), units)


def _unit_prices(table: CostTable, weights: Weights) -> Costs:
    """``(units,)``: of a nanosecond on each unit, energy excepted."""
    return np.array(
        [
            weights.time + sum(weights.device.get(name, 0.0) for name in occupied)
            for occupied in table.occupied
        ],
        dtype=np.float64,
    )


def crossing_tensors(network: Network) -> tuple[str, ...]:
    """Names of the tensors of :func:`latency_problem`, in the same order."""
    returned = {spec.name for spec in network.outputs}
    names = [spec.name for spec in network.inputs] + list(network.producer)
    return tuple(name for name in names if name in network.consumers or name in returned)


def _moves(
    table: CostTable, sizes_bytes: Sequence[int], weights: Weights, overhead: Costs
) -> Costs:
    """``(sizes, units + 1, units + 1)``: price of ``table.hand_over`` from place to place.

    All sizes at once: a planner that asks under many prices spends its time here otherwise.
    """
    memories = [costs.unit.memory for costs in table.units] + ["host"]
    # Of two links between the same memories the first one counts.
    links = {(link.origin, link.target): link for link in reversed(table.links)}
    size = np.array(sizes_bytes, dtype=np.float64)
    moves = np.zeros((len(size), len(memories), len(memories)))
    for place, costs in enumerate(table.units):
        moves[:, place, :] += (_at(costs.write, size) * overhead[place])[:, None]
        moves[:, :, place] += (_at(costs.read, size) * overhead[place])[:, None]
    for origin, from_memory in enumerate(memories):
        for target, to_memory in enumerate(memories):
            link = links.get((from_memory, to_memory))
            if origin == target:
                moves[:, origin, target] = 0.0
            elif max(origin, target) < len(table.units) and _one_call(table, origin, target):
                convert = table.units[origin].convert, table.units[target].convert
                moves[:, origin, target] = (
                    _at(convert[0], size) * overhead[origin]
                    + _at(convert[1], size) * overhead[target]
                )
            elif from_memory == to_memory:
                continue
            elif link is None or link.bandwidth_bytes_per_s is None:
                moves[:, origin, target] = FORBIDDEN
            else:
                moved_ns = link.setup_ns + np.rint(size * 1e9 / link.bandwidth_bytes_per_s)
                moves[:, origin, target] += moved_ns * _link_price(link, weights)
    return moves


def _at(cost: LinearCost, size: Costs) -> Costs:
    return np.asarray(np.maximum(0.0, np.rint(cost.fixed_ns + cost.ns_per_byte * size)))


def _one_call(table: CostTable, origin: int, target: int) -> bool:
    return table.units[origin].call == table.units[target].call


def _link_price(link: Link, weights: Weights) -> float:
    devices = sum(weights.device.get(name, 0.0) for name in link.occupies)
    return weights.time + weights.link.get(link.name, 0.0) + devices
