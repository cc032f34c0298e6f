"""Labelling by trying everything, written from the definition in ``planning.problem`` alone."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import numpy.typing as npt

from counterpoint.planning.problem import FORBIDDEN, LabellingProblem, TensorUse


def all_costs(problem: LabellingProblem, labels: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Cost of each row of ``labels``, ``(labellings, layers)``; infinite when forbidden."""
    host = problem.unit_count
    total = np.zeros(len(labels))
    for layer in range(problem.layer_count):
        unit = labels[:, layer]
        total += problem.layer_cost[layer, unit]
        enters = np.ones(len(labels), dtype=bool) if layer == 0 else unit != labels[:, layer - 1]
        total += np.where(enters, problem.entry_cost[unit], 0.0)
    for tensor in problem.tensors:
        origin = np.full(len(labels), host)
        if tensor.producer is not None:
            origin = labels[:, tensor.producer]
        for place in range(host + 1):
            wanted = np.zeros(len(labels), dtype=bool)
            for consumer in tensor.consumers:
                wanted |= labels[:, consumer] == place
            if place == host and tensor.returned:
                wanted[:] = True
            total += np.where(wanted & (origin != place), tensor.moves[origin, place], 0.0)
    return total


def best_labelling(problem: LabellingProblem) -> tuple[float, tuple[int, ...]]:
    """The least cost (infinite: there is none) and the first labelling that has it."""
    units = range(problem.unit_count)
    everything = list(product(units, repeat=problem.layer_count))
    labels = np.array(everything, dtype=np.intp).reshape(len(everything), problem.layer_count)
    costs = all_costs(problem, labels)
    best = int(costs.argmin())
    return float(costs[best]), everything[best]


def random_problem(
    rng: Random,
    *,
    layers: int,
    units: int,
    forbidden: float = 0.0,
    most_readers: int = 4,
    span: int | None = None,
) -> LabellingProblem:
    """Small whole costs, so that ties are frequent.

    Args:
        rng: Decides everything.
        layers: Number of layers.
        units: Number of units.
        forbidden: Chance of a cell or a move to be forbidden.
        most_readers: Of one tensor.
        span: Readers come at most so many layers after the producer; ``None``: anywhere.
    """

    def cost(most: int) -> float:
        return FORBIDDEN if rng.random() < forbidden else float(rng.randint(0, most))

    def matrix(rows: int, columns: int, most: int) -> npt.NDArray[np.float64]:
        cells = [[cost(most) for _ in range(columns)] for _ in range(rows)]
        return np.array(cells, dtype=np.float64).reshape(rows, columns)

    most_move = rng.choice((0, 3, 12, 40))
    most_layer = rng.choice((0, 2, 20))
    tensors = []
    for producer in [None, *range(layers)]:
        for _ in range(rng.choice((1, 1, 2))):
            first = 0 if producer is None else producer + 1
            later = range(first, layers if span is None else min(layers, first + span))
            count = min(rng.randint(0, most_readers), len(later))
            consumers = tuple(sorted(rng.sample(later, count)))
            moves = matrix(units + 1, units + 1, most_move)
            returned = rng.random() < 0.2
            if forbidden and rng.random() < 0.5:  # else hardly any problem could be solved
                moves[np.isinf(moves)] = 1.0
            tensors.append(TensorUse(producer, consumers, returned, moves))
    rng.shuffle(tensors)
    entry = matrix(1, units, rng.choice((0, 6)))[0]
    return LabellingProblem(matrix(layers, units, most_layer), entry, tuple(tensors))
