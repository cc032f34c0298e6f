"""Plans streamed and timed, at any batch; what was measured is kept in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from counterpoint.costs.sample import Key, Sample
from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.network.batching import with_batch
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan, Prediction
from counterpoint.tuning.in_flight import with_interval
from counterpoint.tuning.streams import Streamed, stream_plan
from counterpoint.tuning.subject import subject_of

STREAM_NS = 400_000_000
"""A plan streams for about so long."""


@dataclass(frozen=True, slots=True)
class StreamedPlan:
    """A plan and what its stream took.

    Attributes:
        label: For tables.
        plan: What ran.
        network: At the plan's batch.
        batch: Images in a frame.
        interval_ns: Mean time from one frame's end to the next one's.
    """

    label: str
    plan: Plan
    network: Network
    batch: int
    interval_ns: int

    @property
    def title(self) -> str:
        """Label and batch."""
        return f"{self.label}, batch {self.batch}"

    @property
    def image_ns(self) -> float:
        """Mean time for one image."""
        return self.interval_ns / self.batch


class StreamMeter:
    """Streams plans of one network on one machine.

    Args:
        network: At its own batch.
        platform: Where.
        engines: By name.
        store: What streams took is kept here.
        frames: Real ones, inputs by name, at the network's own batch.
    """

    def __init__(
        self,
        network: Network,
        platform: Platform,
        engines: Mapping[str, Engine],
        store: Store,
        frames: Sequence[Mapping[str, Tensor]],
    ) -> None:
        self.own_batch = network.inputs[0].shape[0] if network.inputs[0].shape else 1
        self._platform = platform
        self._engines = engines
        self._store = store
        self._frames = frames
        self._networks = {self.own_batch: network}

    def at(self, batch: int) -> Network:
        """The network with so many images in a frame.

        Raises:
            UserInputError: It cannot be run at that batch.
        """
        if batch not in self._networks:
            self._networks[batch] = with_batch(self._networks[self.own_batch], batch)
        return self._networks[batch]

    def frame(self, batch: int) -> dict[str, Tensor]:
        """A frame of that batch: the real images, one after the other and again."""
        whole = {}
        for spec in self._networks[self.own_batch].inputs:
            images = np.concatenate([np.asarray(frame[spec.name]) for frame in self._frames])
            whole[spec.name] = np.ascontiguousarray(images[np.arange(batch) % len(images)])
        return whole

    def stream(self, label: str, plan: Plan, batch: int) -> StreamedPlan:
        """Streams a plan, or takes from the store what its stream took.

        Args:
            label: For tables.
            plan: For the network at that batch. Its prediction does not matter.
            batch: Images in a frame.

        Raises:
            EngineError: An engine refused or failed.
        """
        network = self.at(batch)
        key = self._key(plan, network)
        found = self._store.get(key)
        measured = None if found is None else _stored(plan, found)
        if measured is None:
            measured = stream_plan(
                network,
                plan,
                engines=self._engines,
                platform=self._platform,
                frame=self.frame(batch),
                budget_ns=STREAM_NS,
            )
            times = {"segment_ns": [list(row) for row in measured.segment_ns]}
            self._store.put(key, (measured.interval_ns,), times)
        latency_ns = max(sum(row) for row in measured.segment_ns)
        timed = replace(plan, batch=batch, prediction=Prediction(latency_ns, measured.segment_ns))
        predicted = with_interval(network, timed, self._platform)
        return StreamedPlan(label, predicted, network, batch, measured.interval_ns)

    def _key(self, plan: Plan, network: Network) -> Key:
        units = {name: self._platform.unit(name) for name in plan.units}
        text = "|".join(
            f"{lane.share}*"
            + ";".join(
                f"{subject_of(network.subnetwork(segment.layers))}@"
                f"{segment.unit}={units[segment.unit].measured_as}"
                for segment in lane.segments
            )
            for lane in plan.lanes
        )
        digest = hashlib.blake2b(f"{plan.frames_in_flight}|{text}".encode(), digest_size=16)
        versions = "+".join(f"{name} {version}" for name, version in sorted(plan.engines.items()))
        return Key(
            f"streamed:{digest.hexdigest()}",
            "+".join(unit.measured_as for unit in units.values()),
            versions,
            self._platform.fingerprint,
        )


def _stored(plan: Plan, sample: Sample) -> Streamed | None:
    """What the store knows of a stream; ``None`` if it is not of that form."""
    rows = sample.meta.get("segment_ns")
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        return None
    segment_ns = tuple(
        tuple(time_ns for time_ns in row if isinstance(time_ns, int))
        for row in rows
        if isinstance(row, Sequence) and not isinstance(row, str)
    )
    if [len(row) for row in segment_ns] != [len(lane.segments) for lane in plan.lanes]:
        return None
    return Streamed(sample.median_ns, segment_ns)
