"""A core of an overlay processor as a compute unit of a platform file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from counterpoint.costs.models.overlay.core import (
    CLOCK_HZ,
    DRAM_BYTES_PER_CYCLE,
    FEATURE_BUFFER_BYTES,
    WEIGHT_BUFFER_BYTES,
    Core,
    CoreArrays,
    CoreKind,
    check_dram,
)
from counterpoint.costs.models.overlay.cycles import cycles_table
from counterpoint.costs.models.overlay.shapes import shapes_of
from counterpoint.costs.models.protocol import Bound, Cost
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Layer, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayUnit:
    """One core, by the model of :mod:`counterpoint.costs.models.overlay`.

    Attributes:
        kind: ``overlay``, ``convolution`` or ``depthwise``.
        elements: As :class:`Core`, and so are the next four.
        inputs: See there.
        feature_buffer_bytes: See there.
        weight_buffer_bytes: See there.
        clock_hz: See there.
        dram_bytes_per_cycle: Of the memory, all of which the core has while it runs alone.
        duplex: The memory reads and writes in the same cycle.
        sharers: Cores that share the memory, for the choice of the tiling.

    Raises:
        ValueError: A number outside its range, or an unknown kind.
    """

    kind: str
    elements: int
    inputs: int
    feature_buffer_bytes: int = FEATURE_BUFFER_BYTES
    weight_buffer_bytes: int = WEIGHT_BUFFER_BYTES
    clock_hz: int = CLOCK_HZ
    dram_bytes_per_cycle: int = DRAM_BYTES_PER_CYCLE
    duplex: bool = False
    sharers: int = 1

    def __post_init__(self) -> None:
        known = [kind.name.lower() for kind in CoreKind]
        if self.kind not in known:
            raise ValueError(f"unknown kind of core {self.kind[:40]!r}; known: {', '.join(known)}")
        if self.sharers < 1:
            raise ValueError(f"a memory shared by {self.sharers} cores: it has at least 1")
        try:
            check_dram(self.dram_bytes_per_cycle)
            _ = self.core
        except UserInputError as error:
            raise ValueError(str(error)) from None

    @property
    def core(self) -> Core:
        """The core itself."""
        return Core(
            kind=CoreKind[self.kind.upper()],
            elements=self.elements,
            inputs=self.inputs,
            feature_buffer_bytes=self.feature_buffer_bytes,
            weight_buffer_bytes=self.weight_buffer_bytes,
            clock_hz=self.clock_hz,
        )

    def cost(self, layer: Layer) -> Cost | str:
        """The cycles of a layer, at the clock."""
        return self._costs([layer])[0]

    def network_costs(self, network: Network) -> tuple[Cost | str, ...]:
        """All layers at once, which is quicker than one by one."""
        return self._costs(network.layers)

    def _costs(self, layers: Sequence[Layer]) -> tuple[Cost | str, ...]:
        known = [layer for layer in layers if layer.loops is not None or not layer.macs]
        shapes = shapes_of((layer, layer.loops) for layer in known)
        table = cycles_table(
            shapes,
            CoreArrays.of([self.core]),
            self.dram_bytes_per_cycle,
            sharers=self.sharers,
            duplex=self.duplex,
        )
        found: dict[int, Cost | str] = {}
        for place, layer in enumerate(known):
            if not table.runs[0, place]:
                found[layer.index] = f"no tile of it fits the buffers of the {self.kind} core"
                continue
            compute, memory = table.compute[0, place], table.dram[0, place]
            found[layer.index] = Cost(
                self._ns(table.total[0, place]),
                None,
                Bound.COMPUTE if compute >= memory else Bound.MEMORY,
                self._ns(memory),
            )
        unknown = "the loops of its convolution or product are not known"
        return tuple(found.get(layer.index, unknown) for layer in layers)

    def _ns(self, cycles: np.int64) -> int:
        return round(int(cycles) * 1_000_000_000 / self.clock_hz)
