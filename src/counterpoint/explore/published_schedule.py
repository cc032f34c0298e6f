"""The schedule of the dual-core paper: groups of one kind of layer, two images, split by rows.

Only the abstract is public: layers of different images run on both cores at once, and a scheduler
balances the load. What follows is our reading of it.

1. Neighbouring layers of one kind (depthwise or not) form a group, so that groups alternate in kind
   and so between the cores: one kind's groups are at home on one core, the other's on the other.
2. Two images are under way, one a group behind the other. In a *slot*, group ``g`` of the one and
   group ``g - 1`` of the other run, each at home; the next slot begins when both are done.
3. In a slot the busier core gives work to the other one until both are equally busy: whole layers,
   and rows of one, those first that the other core does at the smallest loss.

Two images take all slots once, so the mean interval is half of their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.shapes import Ints, LayerKind, LayerShapes
from counterpoint.explore.row_splits import Options

IMAGES = 2
"""Under way at a time."""

Group = tuple[int, ...]
"""Indices of layers in run order."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What runs between two synchronisations.

    Attributes:
        layers: Of both images.
        options: Index of the option that each takes.
        busy: Cycles of the first core, the second one and the memory.
    """

    layers: tuple[int, ...]
    options: tuple[int, ...]
    busy: tuple[int, int, int]

    @property
    def cycles(self) -> int:
        """How long it takes: no core and not the memory has more to do."""
        return max(self.busy)


@dataclass(frozen=True, slots=True)
class AlternatingSchedule:
    """Slots that repeat every :data:`IMAGES` images.

    Attributes:
        home: The core of the groups that are not depthwise: 0 or 1.
        slots: In order.
    """

    home: int
    slots: tuple[Slot, ...]

    @property
    def interval(self) -> float:
        """Mean cycles between images."""
        return sum(slot.cycles for slot in self.slots) / IMAGES


def groups_of(shapes: LayerShapes) -> tuple[Group, ...]:
    """Neighbouring layers of one kind."""
    depthwise = shapes.kind == LayerKind.DEPTHWISE
    cuts = np.flatnonzero(depthwise[1:] != depthwise[:-1]) + 1
    return tuple(
        tuple(part.tolist()) for part in np.split(np.arange(len(shapes)), cuts) if len(part)
    )


def published_schedule(
    shapes: LayerShapes, options: Options, *, balanced: bool = True
) -> AlternatingSchedule | None:
    """The paper's schedule on two cores, with the kinds at home where that is better.

    Args:
        shapes: Layers with multiply-adds, in run order.
        options: Theirs.
        balanced: With step 3; else every layer runs whole at home.

    Returns:
        ``None`` where some layer runs whole on neither core.
    """
    made = [_schedule(shapes, options, home, balanced=balanced) for home in (0, 1)]
    found = [schedule for schedule in made if schedule is not None]
    return min(found, key=lambda schedule: schedule.interval, default=None)


def _schedule(
    shapes: LayerShapes, options: Options, home: int, *, balanced: bool
) -> AlternatingSchedule | None:
    groups = groups_of(shapes)
    slots = []
    for position, group in enumerate(groups):
        layers = (*group, *groups[position - 1])
        chosen = []
        for layer in layers:
            own = 1 - home if shapes.kind[layer] == LayerKind.DEPTHWISE else home
            whole = options.whole(layer, own)
            if whole is None:
                whole = options.whole(layer, 1 - own)
            if whole is None:
                return None
            chosen.append(whole)
        slots.append(
            _slot(options, layers, _balanced(options, layers, chosen) if balanced else chosen)
        )
    return AlternatingSchedule(home, tuple(slots))


def _slot(options: Options, layers: Group, chosen: Sequence[int]) -> Slot:
    first, second, memory = (int(cycles) for cycles in _busy(options, layers, chosen))
    return Slot(layers, tuple(chosen), (first, second, memory))


def _busy(options: Options, layers: Group, chosen: Sequence[int]) -> Ints:
    """``int64[3]``: of both cores and the memory."""
    used = [options.use[layer][option] for layer, option in zip(layers, chosen, strict=True)]
    return np.asarray(np.sum(used, axis=0))


def _balanced(options: Options, layers: Group, chosen: Sequence[int]) -> list[int]:
    """Step 3: each layer that may help, once, takes the option after which the slot is shortest."""
    better = list(chosen)
    busy = _busy(options, layers, chosen)
    busier = int(busy[1] > busy[0])

    def loss(place: int) -> float:
        """What the other core takes for it, in times of what the busier one does."""
        layer = layers[place]
        here, there = options.whole(layer, busier), options.whole(layer, 1 - busier)
        if here is None or there is None:
            return np.inf
        use = options.use[layer]
        return float(use[there][1 - busier] / max(1, use[here][busier]))

    movable = [place for place in range(len(layers)) if loss(place) < np.inf]
    for place in sorted(movable, key=loss):
        use = options.use[layers[place]]
        slots = (busy - use[better[place]] + use).max(axis=1)
        if slots.min() < busy.max():
            best = int(slots.argmin())
            busy = busy - use[better[place]] + use[best]
            better[place] = best
    return better
