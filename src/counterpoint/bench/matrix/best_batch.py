"""The batch at which a network streams fastest: on a unit, or by an engine's own throughput mode.

Batches are tried in ascending order, as long as one brings more than the one before it and frames
do not become too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.peers import Peer
from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.matrix.unit_ways import UnitWay
from counterpoint.errors import UserInputError
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.tuning.installed_modes import InstalledMode, InstalledModes
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.stream_meter import StreamedPlan, StreamMeter
from counterpoint.tuning.throughput import WORTH_A_LARGER_BATCH

LONGEST_FRAME_NS = 500_000_000
"""No batch is tried whose frame would take longer."""

STEP = 4
"""Times the batch before it that a batch is, about: what the next frame will take is told by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """A network at several batches.

    Attributes:
        site: Where it runs.
        frames: Images, of one each.
        sizes: Images in a frame to try, ascending.
        limit: When it is over no larger batch than the first is tried.
    """

    site: Site
    frames: Sequence[Frame]
    sizes: Sequence[int]
    limit: TimeLimit = field(default_factory=TimeLimit)
    _meters: dict[str, StreamMeter] = field(default_factory=dict)

    def at(self, network: Network, batch: int) -> Network:
        """The network at that batch.

        Raises:
            UserInputError: It cannot be run at that batch.
        """
        return self._meter(network).at(batch)

    def frames_of(self, network: Network, batch: int) -> list[Frame]:
        """All images in frames of that size; the first ones again where the last has too few."""
        if batch == 1:
            return list(self.frames)
        count = -(-len(self.frames) // batch)
        chosen = np.arange(count * batch) % len(self.frames)
        made: list[Frame] = []
        for first in range(0, count * batch, batch):
            images = [self.frames[index] for index in chosen[first : first + batch]]
            made.append(
                {
                    spec.name: np.concatenate([np.asarray(image[spec.name]) for image in images])
                    for spec in network.inputs
                }
            )
        return made

    def best_of_unit(self, way: UnitWay) -> StreamedPlan:
        """The unit's stream at its best batch.

        Raises:
            UserInputError: The network cannot be run at any of the batches.
            EngineError: The engine failed.
            StoreError: The store cannot be used.
        """
        meter = self._meter(way.network)
        best: StreamedPlan | None = None
        for batch in self.sizes:
            try:
                network = meter.at(batch)
            except UserInputError:
                if best is None:
                    raise
                break
            site = self.site
            plan = plan_on_unit(network, site.platform, site.engines, way.unit.name)
            found = meter.stream(way.unit.name, plan, batch)
            if best is not None and found.image_ns * WORTH_A_LARGER_BATCH > best.image_ns:
                break
            best = found
            if _is_long(batch, found.image_ns) or self.limit.is_over:
                break
        if best is None:
            raise UserInputError("there is no batch to try: give at least one")
        return best

    def best_of_peer(self, network: Network, peer: Peer) -> tuple[InstalledMode, ...]:
        """Each of the engine's own throughput modes at its best batch.

        Raises:
            UserInputError: The network cannot be run at any of the batches.
            EngineError: The engine failed.
        """
        engine = peer.engine
        modes = InstalledModes({engine.name: engine}, any_precision=peer.any_precision)
        for batch in self.sizes:
            try:
                batched = self.at(network, batch)
            except UserInputError:
                if not modes.best:
                    raise
                break
            modes.try_batch(batched, batch, self.frames_of(network, batch)[0])
            now = [mode for mode in modes.best.values() if mode.batch == batch]
            if not now or self.limit.is_over:
                break
            if _is_long(batch, min(mode.image_ns for mode in now)):
                break
        return tuple(modes.best.values())

    def _meter(self, network: Network) -> StreamMeter:
        if network.content_hash not in self._meters:
            site = self.site
            self._meters[network.content_hash] = StreamMeter(
                network, site.platform, site.engines, site.store, self.frames[:1]
            )
        return self._meters[network.content_hash]


def _is_long(batch: int, image_ns: float) -> bool:
    return STEP * batch * image_ns > LONGEST_FRAME_NS
