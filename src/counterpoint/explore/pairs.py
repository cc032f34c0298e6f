"""The least interval of two cores without a solver, for many designs at once.

With a price ``m`` of the memory, and ``p`` of the first core out of the rest, a layer costs
``p * first + m * traffic`` or ``(1 - m - p) * second + m * traffic``: it changes sides at one value
of ``p``. Layers are sorted by it; the best ``p`` is where the cycles to its left and right balance,
and the layer there is shared (a fractional knapsack, Dantzig 1957). That is exact for a given
``m``.

Each ``m`` gives an assignment, whose busiest core and use of the memory make a line in ``m`` that
lies above the optimum everywhere. Where two such lines of opposite slopes meet is the next ``m`` to
ask for; when nothing lies below that point, it is the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.errors import InternalError
from counterpoint.explore.interval import Cells

_MOST_PRICES = 100
"""Of the memory, for one design. Each finds another corner of the front between busiest core and
memory; five are usual."""

_ROUNDING = 1e-11
"""Relative difference of two intervals that are the same."""

_NEVER = 1e9
"""A layer that a core cannot run costs so many times as much as all others."""

Rows = npt.NDArray[np.intp]


def pair_intervals(cycles: tuple[Cells, Cells], traffic: tuple[Cells, Cells]) -> Cells:
    """``(designs,)``: least intervals of designs of two cores, as ``least_interval`` has them.

    Args:
        cycles: Of the first and of the second core, each ``(designs, layers)``, at least 0; either
            may have one row for all designs.
        traffic: In the form of ``cycles``.
    """
    first, second, first_traffic, second_traffic = np.broadcast_arrays(*cycles, *traffic)
    pairs = _Pairs(first, second, first_traffic, second_traffic)
    found = pairs.intervals()
    found[~(np.isfinite(first) | np.isfinite(second)).all(axis=1)] = np.inf
    return found


@dataclass(frozen=True, slots=True)
class _Load:
    """What assignments keep busy: ``(designs,)`` each.

    Attributes:
        core: Cycles of the busier core.
        memory: Cycles of the memory.
    """

    core: Cells
    memory: Cells

    def rows(self, chosen: Rows) -> _Load:
        """Of some designs."""
        return _Load(self.core[chosen], self.memory[chosen])

    def put(self, rows: Rows, other: _Load, chosen: npt.NDArray[np.bool_]) -> None:
        """Takes over those that are chosen of ``rows``."""
        self.core[rows[chosen]] = other.core[chosen]
        self.memory[rows[chosen]] = other.memory[chosen]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Costs of designs of two cores: ``(designs, layers)`` each."""

    first: Cells
    second: Cells
    first_traffic: Cells
    second_traffic: Cells

    def rows(self, chosen: Rows) -> _Pairs:
        """Some of the designs."""
        return _Pairs(
            self.first[chosen],
            self.second[chosen],
            self.first_traffic[chosen],
            self.second_traffic[chosen],
        )

    def intervals(self) -> Cells:
        """Least interval of each design that runs all layers."""
        free = self._at(np.zeros(len(self.first)))
        found = free.core
        short: Rows = np.flatnonzero(free.memory > found)
        if len(short):
            found[short] = self.rows(short)._short_of_memory(free.rows(short))
        return found

    def _short_of_memory(self, free: _Load) -> Cells:
        """Of designs whose memory is the bottleneck when it costs nothing."""
        dear = self._least_traffic()
        found = np.maximum(dear.core, dear.memory)
        left: Rows = np.flatnonzero(dear.core > dear.memory)
        for _ in range(_MOST_PRICES):
            if not len(left):
                return found
            one, other = free.rows(left), dear.rows(left)
            span = (other.core - one.core) + (one.memory - other.memory)
            price = (other.core - one.core) / span
            meeting = (1 - price) * one.core + price * one.memory
            asked = self.rows(left)._at(price)
            value = (1 - price) * asked.core + price * asked.memory
            done = value >= meeting * (1 - _ROUNDING)
            found[left[done]] = meeting[done]
            free.put(left, asked, ~done & (asked.memory > asked.core))
            dear.put(left, asked, ~done & (asked.memory <= asked.core))
            left = left[~done]
        raise InternalError(f"the price of the memory of {len(left)} designs does not settle")

    def _least_traffic(self) -> _Load:
        """Each layer where it moves least; the memory's use is the least there is."""
        able = np.isfinite(self.first), np.isfinite(self.second)
        here = np.where(able[0], self.first_traffic, np.inf)
        there = np.where(able[1], self.second_traffic, np.inf)
        return self._load(np.where(here < there, 1.0, 0.0))

    def _at(self, price: Cells) -> _Load:
        """The best assignment at a price of the memory, ``(designs,)``, from 0 to 1."""
        price = price[:, None]
        rest = 1.0 - price
        sides = np.isfinite(self.first), np.isfinite(self.second)
        work = [
            np.where(able, side, 0.0)
            for able, side in zip(sides, (self.first, self.second), strict=True)
        ]
        never = _NEVER * (1.0 + (work[0] + work[1]).sum(axis=1, keepdims=True))
        one, other = (np.where(able, side, never) for able, side in zip(sides, work, strict=True))
        saved = np.where(sides[1], self.second_traffic, never) - np.where(
            sides[0], self.first_traffic, never
        )
        edge = (rest * other + price * saved) / np.maximum(one + other, np.finfo(np.float64).tiny)
        order = np.argsort(edge, axis=1, kind="stable")
        one, other = (np.take_along_axis(side, order, axis=1) for side in (one, other))
        # Layers before the edge run on the second core, those behind it on the first.
        behind = one[:, ::-1].cumsum(axis=1)[:, ::-1] - one
        before = other.cumsum(axis=1)
        at = np.argmax(behind <= before, axis=1)[:, None]
        shared = np.take_along_axis(order, at, axis=1)
        total = np.take_along_axis(one + other, at, axis=1)
        free = np.take_along_axis(before - behind, at, axis=1)
        part = np.clip(free / np.maximum(total, np.finfo(np.float64).tiny), 0.0, 1.0)
        edge_there = np.take_along_axis(edge, shared, axis=1)
        parts = np.empty_like(edge)
        position = np.arange(edge.shape[1])[None, :]
        np.put_along_axis(parts, order, np.where(position > at, 1.0, 0.0), axis=1)
        np.put_along_axis(parts, shared, part, axis=1)
        # Where a core is free of charge, its price cannot fall any more to balance the two.
        parts = np.where(edge_there > rest, edge > rest, parts)
        parts = np.where(edge_there < 0.0, edge > 0.0, parts)
        return self._load(parts)

    def _load(self, parts: Cells) -> _Load:
        """Of an assignment: the part of each layer that runs on the first core."""
        here = np.where(
            np.isfinite(self.second), np.where(np.isfinite(self.first), parts, 0.0), 1.0
        )
        there = 1.0 - here
        cores = (
            (np.where(np.isfinite(side), side, 0.0) * share).sum(axis=1)
            for side, share in ((self.first, here), (self.second, there))
        )
        memory = (self.first_traffic * here + self.second_traffic * there).sum(axis=1)
        return _Load(np.maximum(*cores), memory)
