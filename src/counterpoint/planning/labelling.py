"""Labelling: give each layer a unit so that the sum of costs is least.

Exact dynamic programming over the frontier of live tensors. Layer by layer, all partial labellings
are continued by each unit (``frontier``), and those that no best labelling needs are dropped
(``dominance``). Convolutional networks have a narrow frontier, so few remain at any layer.

The principle is the elimination of variables along an order (Bertelè and Brioschi, *Nonserial
Dynamic Programming*, 1972), with states told apart by what they owe, not by their labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.planning.dominance import prune
from counterpoint.planning.frontier import (
    Due,
    Frontier,
    Indices,
    Mask,
    Step,
    advance,
    reach,
    start,
)
from counterpoint.planning.problem import FORBIDDEN, Costs, LabellingProblem, TensorUse
from counterpoint.planning.result import Status

MAX_STATES = 20_000
"""Partial labellings kept at a layer; GoogLeNet and DenseNet need about a thousand on 8 units."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """The answer to a labelling problem.

    Attributes:
        labels: Unit of each layer; ``None`` when there is no labelling of finite cost.
        cost: Of :attr:`labels`.
        lower_bound: No labelling costs less; equal to :attr:`cost` when optimal.
        status: ``FEASIBLE`` where the number of states was limited.
        blocked_layer: When infeasible, the first layer that gets no unit, whatever those before
            it get; the other attributes are ``None`` then.
        blocked_tensor: Index in ``problem.tensors`` of what cannot be moved; ``None`` when no unit
            runs :attr:`blocked_layer` at all, or no single tensor is to blame.
    """

    labels: tuple[int, ...] | None
    cost: float | None
    lower_bound: float | None
    status: Status
    blocked_layer: int | None = None
    blocked_tensor: int | None = None


def label(problem: LabellingProblem, *, max_states: int = MAX_STATES) -> Labelling:
    """A labelling of least cost; of several, the lexicographically smallest.

    Costs are exact as long as sums of whole numbers stay below 2**53.

    Args:
        problem: What to label.
        max_states: So many partial labellings are kept at a layer, the most promising ones; at
            least 1. Where more are needed, the answer has status ``FEASIBLE`` and a lower bound,
            unless the bound proves it best. Where all kept ones come to a dead end, the limit is
            doubled and the search starts again.
    """
    feasible: Mask = problem.layer_cost < FORBIDDEN
    stuck = np.flatnonzero(~feasible.any(axis=1))
    if len(stuck):
        return Labelling(None, None, None, Status.INFEASIBLE, blocked_layer=int(stuck[0]))
    cheapest = problem.layer_cost.min(axis=1, initial=FORBIDDEN)
    cheapest_rest = np.append(np.cumsum(cheapest[::-1])[::-1][1:], 0.0)
    frontier = start(_first_dues(problem, feasible))
    history: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]] = []
    dropped_bound = np.inf
    for step in _steps(problem, feasible):
        frontier = advance(frontier, step, feasible)
        if not frontier.size:
            if dropped_bound < np.inf:
                return label(problem, max_states=2 * max_states)
            blocked = _blocked_tensor(problem, feasible, step.layer)
            return Labelling(None, None, None, Status.INFEASIBLE, step.layer, blocked)
        frontier = prune(frontier, feasible)
        if frontier.size > max_states:
            frontier, bound = _most_promising(frontier, feasible, max_states)
            dropped_bound = min(dropped_bound, bound + float(cheapest_rest[step.layer]))
        history.append((frontier.parent.astype(np.int32), frontier.label.astype(np.int16)))
    best = int(frontier.cost.argmin())
    cost = float(frontier.cost[best])
    status = Status.OPTIMAL if cost <= dropped_bound else Status.FEASIBLE
    labels = _trace(history, best)
    return Labelling(labels, cost, min(cost, dropped_bound), status)


def _first_dues(problem: LabellingProblem, feasible: Mask) -> tuple[Due, ...]:
    """The entry of the first layer, and the network's inputs."""
    if not problem.layer_count:
        return ()
    host = problem.unit_count
    dues: list[tuple[tuple[int, ...], Costs]] = [((0,), problem.entry_cost[None, :])]
    for tensor in problem.tensors:
        if tensor.producer is None and tensor.consumers:
            dues.append((tensor.consumers, tensor.moves[[host], :host]))
    return _joined(dues, feasible)


def _steps(problem: LabellingProblem, feasible: Mask) -> Iterator[Step]:
    host = problem.unit_count
    made_by: dict[int, list[TensorUse]] = {}
    for tensor in problem.tensors:
        if tensor.producer is not None:
            made_by.setdefault(tensor.producer, []).append(tensor)
    calls = np.arange(host) if problem.calls is None else np.array(problem.calls)
    entry = np.where(calls[:, None] == calls, 0.0, problem.entry_cost)
    for layer in range(problem.layer_count):
        units: Indices = np.flatnonzero(feasible[layer])
        price = problem.layer_cost[layer, units]
        dues: list[tuple[tuple[int, ...], Costs]] = []
        if layer + 1 < problem.layer_count:
            dues.append(((layer + 1,), entry[units]))
        for tensor in made_by.get(layer, ()):
            if tensor.returned:
                price += tensor.moves[units, host]
            if tensor.consumers:
                rows = tensor.moves[units, :host]
                rows[np.arange(len(units)), units] = 0.0
                dues.append((tensor.consumers, rows))
        yield Step(layer, units, price, _joined(dues, feasible))


def _joined(dues: list[tuple[tuple[int, ...], Costs]], feasible: Mask) -> tuple[Due, ...]:
    """One due for each set of readers: sums of the rows, 0 where no reader can run."""
    sums: dict[tuple[int, ...], Costs] = {}
    for readers, rows in dues:
        relevant = np.where(reach(readers, feasible), rows, 0.0)
        sums[readers] = sums[readers] + relevant if readers in sums else relevant
    return tuple(Due(readers, rows, np.arange(len(rows))) for readers, rows in sums.items())


def _most_promising(frontier: Frontier, feasible: Mask, max_states: int) -> tuple[Frontier, float]:
    """The states of least optimistic cost, and the least of the others."""
    bound = frontier.optimistic(feasible)
    order = np.argsort(bound, kind="stable")
    return frontier.only(np.sort(order[:max_states])), float(bound[order[max_states]])


def _trace(
    history: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]], last: int
) -> tuple[int, ...]:
    labels: list[int] = []
    for parent, units in reversed(history):
        labels.append(int(units[last]))
        last = int(parent[last])
    return tuple(reversed(labels))


def _blocked_tensor(problem: LabellingProblem, feasible: Mask, layer: int) -> int | None:
    """The tensor that keeps a layer from getting a unit.

    One that cannot be moved at all, or else the first that cannot be moved everywhere.
    """
    host = problem.unit_count
    suspect: int | None = None
    for index, tensor in enumerate(problem.tensors):
        if layer in tensor.consumers:
            targets = np.flatnonzero(feasible[layer])
        elif layer == tensor.producer and tensor.returned:
            targets = np.array([host])
        else:
            continue
        makers = [host] if tensor.producer is None else np.flatnonzero(feasible[tensor.producer])
        moves = np.where(np.eye(host + 1, dtype=np.bool_), 0.0, tensor.moves)[makers][:, targets]
        if np.isinf(moves).all():
            return index
        if suspect is None and np.isinf(moves).any():
            suspect = index
    return suspect
