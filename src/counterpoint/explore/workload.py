"""What a design is explored for: one network, or several in fixed proportions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from counterpoint.costs.models.overlay.shapes import Ints, LayerShapes, layer_shapes
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network

MOST_IMAGES = 1000
"""Of one network in a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """Networks and how many images of each make one frame.

    Attributes:
        networks: At least one.
        images: Of each network in a frame, from 1.
        shapes: Of each network: its layers with multiply-adds, in run order. The others cost
            nothing (:mod:`counterpoint.costs.models.overlay.shapes`).

    Raises:
        UserInputError: No network, no images, or a network without multiply-adds.
    """

    networks: tuple[Network, ...]
    images: tuple[int, ...]
    shapes: tuple[LayerShapes, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.networks:
            raise UserInputError("no network to explore for: name at least one")
        if len(self.images) != len(self.networks):
            raise UserInputError(
                f"{len(self.images)} weights for {len(self.networks)} networks: give one for each"
            )
        for images in self.images:
            if not 1 <= images <= MOST_IMAGES:
                raise UserInputError(
                    f"a weight of {images} images: it has to be from 1 to {MOST_IMAGES}"
                )
        made = []
        for network in self.networks:
            shapes = layer_shapes(network)
            busy = shapes.take(np.flatnonzero(shapes.has_macs))
            if not len(busy):
                raise UserInputError(f"{network.name} has no layer with multiply-adds to explore")
            made.append(busy)
        object.__setattr__(self, "shapes", tuple(made))

    @property
    def name(self) -> str:
        """``mobilenet_v1``, or ``mobilenet_v1 + 2 x mobilenet_v2``."""
        return " + ".join(
            network.name if images == 1 else f"{images} x {network.name}"
            for network, images in zip(self.networks, self.images, strict=True)
        )

    @property
    def frame_images(self) -> int:
        """Images of all networks in a frame."""
        return sum(self.images)

    @property
    def frame_macs(self) -> int:
        """Useful multiply-adds of a frame."""
        return sum(
            images * int(shapes.macs.sum())
            for images, shapes in zip(self.images, self.shapes, strict=True)
        )

    def distinct_layers(self) -> DistinctLayers:
        """Layers of one shape once: networks repeat their blocks, and equal layers cost the same on
        every core.
        """
        together, places = _joined(self.shapes).distinct()
        sizes = [len(shapes) for shapes in self.shapes]
        counts = np.zeros(len(together), dtype=np.int64)
        np.add.at(counts, places, np.repeat(self.images, sizes))
        return DistinctLayers(together, counts, tuple(np.split(places, np.cumsum(sizes)[:-1])))


@dataclass(frozen=True, slots=True, eq=False)
class DistinctLayers:
    """The layers of a workload's networks that are unlike.

    Attributes:
        shapes: Theirs.
        counts: How often each comes in a frame, ``int64[layers]``.
        places: For each network which of them each of its layers is, ``int64[its layers]``.
    """

    shapes: LayerShapes
    counts: Ints
    places: tuple[Ints, ...]


def _joined(parts: tuple[LayerShapes, ...]) -> LayerShapes:
    """Layers of several networks behind one another."""
    arrays = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts])
        for item in fields(LayerShapes)
        if item.name != "names"
    }
    return LayerShapes(names=tuple(name for part in parts for name in part.names), **arrays)
