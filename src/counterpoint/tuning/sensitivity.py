"""How much noise each layer makes in the outputs when it alone is coarse.

In int8: the network with that one layer rewritten runs on the calibration images. In a unit's half
precision: that one layer runs on the unit, all before and behind it in the reference's precision.
Noises of layers are nearly independent, so their powers add up to about the noise of any mix; how
nearly is checked on each mix that is tried.

Every layer's result goes into the store at once, by the content of network, images and ranges, so
an interrupted measurement goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from counterpoint.costs.sample import Key
from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import quantise, refusals
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.tuning.accuracy import Accuracy, Judge
from counterpoint.tuning.budget import frame_digest
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.progress import Progress

LIVE_BYTES = 256 * 2**20
"""Tensors between layers are kept for so many images at once as fit in this."""


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """What one coarse layer does to the outputs.

    Attributes:
        noise: Power over that of the reference's outputs.
        changed: Images whose best class becomes wrong or right; ``None`` without scores of classes.
        images: Images that were looked at.
    """

    noise: float
    changed: int | None
    images: int


class SensitivityMeter:
    """Measures layers one by one.

    Args:
        network: In its own precision, one image a frame.
        judge: Of the calibration images, whose frames are run.
        platform: For the keys of the store.
        engines: By name.
        store: Where results are kept.
        progress: Told of each layer.
    """

    def __init__(
        self,
        network: Network,
        judge: Judge,
        *,
        platform: Platform,
        engines: Mapping[str, Engine],
        store: Store,
        progress: Progress,
    ) -> None:
        self._network = network
        self._judge = judge
        self._platform = platform
        self._engines = engines
        self._store = store
        self._progress = progress
        self._frames = [ordered(network, frame) for frame in judge.images.frames]
        digest = hashlib.blake2b(network.content_hash.encode(), digest_size=16)
        for frame in judge.images.frames:
            digest.update(frame_digest(frame).encode())
        digest.update(repr(judge.images.classes).encode())
        self._content = digest.hexdigest()

    def int8(self, ranges: Ranges, scheme: Scheme, unit: ComputeUnit) -> dict[int, LayerNoise]:
        """Each layer with weights that has an int8 form, by index.

        Args:
            ranges: Of the network's tensors.
            scheme: How values become int8.
            unit: Where the rewritten networks run.

        Raises:
            EngineError: The unit cannot run one of them.
            StoreError: The store cannot be used.
        """
        layers = choosable(self._network)
        what = f"int8:{ranges.digest()}:{scheme!r}"
        engine = self._engines[unit.engine]

        def outputs(layer: int) -> list[list[Tensor]]:
            rewritten = quantise(self._network, [layer], ranges, scheme)
            with closing(engine.compile(rewritten.whole(), unit)) as compiled:
                return [list(compiled.run(frame)) for frame in self._frames]

        self._progress.begin("sensitivity: int8", len(layers))
        found = {}
        for layer in layers:
            found[layer] = self._known(what, layer, unit, outputs)
            self._progress.step(self._network.layers[layer].name)
        return found

    def on_unit(self, unit: ComputeUnit, reference: ComputeUnit) -> dict[int, LayerNoise]:
        """Each layer that the unit runs in its own precision, by index.

        Args:
            unit: Of a coarser precision than the network's.
            reference: Runs all other layers.

        Raises:
            EngineError: The reference cannot run a layer.
            StoreError: The store cannot be used.
        """
        engine = self._engines[unit.engine]
        layers = [
            layer.index
            for layer in self._network.layers
            if engine.unsupported_reason(layer, unit) is None
        ]
        what = f"unit:{reference.engine}:{self._engines[reference.engine].version()}"
        found = {}
        for layer in layers:
            stored = self._stored(self._key(what, layer, unit))
            if stored is not None:
                found[layer] = stored
        missing = frozenset(layers) - frozenset(found)
        if missing:
            self._progress.begin(f"sensitivity: {unit.precision}", len(missing))
            for layer, made, took_ns in self._one_by_one(missing, unit, reference):
                found[layer] = self._keep(self._key(what, layer, unit), made, took_ns)
                self._progress.step(self._network.layers[layer].name)
        return found

    def _one_by_one(
        self, layers: frozenset[int], unit: ComputeUnit, reference: ComputeUnit
    ) -> Iterator[tuple[int, list[list[Tensor]], int]]:
        """Outputs with one of those layers on the unit: layer by layer, the tensors that are still
        needed kept for some images at a time.
        """
        groups = self._groups()
        gathered: dict[int, list[list[Tensor]]] = {layer: [] for layer in layers}
        taken_ns = dict.fromkeys(layers, 0)
        for number, group in enumerate(groups, start=1):
            for layer, made, took_ns in self._swap(group, layers, unit, reference):
                gathered[layer] += made
                taken_ns[layer] += took_ns
                if number == len(groups):
                    yield layer, gathered.pop(layer), taken_ns[layer]

    def _swap(
        self,
        frames: Sequence[Sequence[Tensor]],
        layers: frozenset[int],
        unit: ComputeUnit,
        reference: ComputeUnit,
    ) -> Iterator[tuple[int, list[list[Tensor]], int]]:
        network = self._network
        exact, coarse = self._engines[reference.engine], self._engines[unit.engine]
        names = [spec.name for spec in network.inputs]
        live = [dict(zip(names, frame, strict=True)) for frame in frames]
        returned = {spec.name for spec in network.outputs}
        last = len(network.layers)
        for index in range(last):
            part = network.subnetwork([index])
            begin = time.perf_counter_ns()
            swapped: list[dict[str, Tensor]] = []
            if index in layers:
                with closing(coarse.compile(part, unit)) as compiled:
                    for tensors in live:
                        made = compiled.run([tensors[spec.name] for spec in part.inputs])
                        own = dict(zip((s.name for s in part.outputs), made, strict=True))
                        swapped.append({**tensors, **own})
                if index + 1 < last:
                    rest = network.subnetwork(range(index + 1, last))
                    with closing(exact.compile(rest, reference)) as compiled:
                        for tensors in swapped:
                            made = compiled.run([tensors[spec.name] for spec in rest.inputs])
                            tensors.update(zip((s.name for s in rest.outputs), made, strict=True))
                outputs = [[tensors[s.name] for s in network.outputs] for tensors in swapped]
                yield index, outputs, time.perf_counter_ns() - begin
            del swapped
            with closing(exact.compile(part, reference)) as compiled:
                for tensors in live:
                    made = compiled.run([tensors[spec.name] for spec in part.inputs])
                    tensors.update(zip((s.name for s in part.outputs), made, strict=True))
            for name in network.layers[index].inputs:
                if network.consumers[name][-1] == index and name not in returned:
                    for tensors in live:
                        tensors.pop(name, None)

    def _groups(self) -> list[list[list[Tensor]]]:
        """Images whose live tensors fit in memory together."""
        network = self._network
        most = 1
        for cut in range(len(network.layers)):
            alive = sum(
                network.tensors[name].size_bytes or 0
                for name, readers in network.consumers.items()
                if network.producer.get(name, -1) <= cut <= readers[-1]
            )
            most = max(most, alive)
        count = max(1, LIVE_BYTES // most)
        return [self._frames[i : i + count] for i in range(0, len(self._frames), count)]

    def _known(
        self,
        what: str,
        layer: int,
        unit: ComputeUnit,
        outputs: Callable[[int], list[list[Tensor]]],
    ) -> LayerNoise:
        key = self._key(what, layer, unit)
        stored = self._stored(key)
        if stored is not None:
            return stored
        begin = time.perf_counter_ns()
        made = outputs(layer)
        return self._keep(key, made, time.perf_counter_ns() - begin)

    def _key(self, what: str, layer: int, unit: ComputeUnit) -> Key:
        digest = hashlib.blake2b(f"{self._content}|{what}|{layer}".encode(), digest_size=16)
        return Key(
            f"noise:{digest.hexdigest()}",
            unit.measured_as,
            self._engines[unit.engine].version(),
            self._platform.fingerprint,
        )

    def _keep(self, key: Key, outputs: Sequence[Sequence[Tensor]], took_ns: int) -> LayerNoise:
        found = layer_noise(self._judge.accuracy(outputs), self._judge)
        meta = {"noise": found.noise, "changed": found.changed, "images": found.images}
        self._store.put(key, (took_ns,), meta)
        return found

    def _stored(self, key: Key) -> LayerNoise | None:
        """What the store knows; ``None`` too if it is not of that form."""
        sample = self._store.get(key)
        if sample is None:
            return None
        noise, changed = sample.meta.get("noise"), sample.meta.get("changed")
        images = sample.meta.get("images")
        if isinstance(noise, bool) or not isinstance(noise, float | int) or noise < 0:
            return None
        if not isinstance(images, int):
            return None
        return LayerNoise(float(noise), changed if isinstance(changed, int) else None, images)


def choosable(network: Network) -> tuple[int, ...]:
    """Layers with arithmetic that have an int8 form; pools and the like go along with them."""
    refused = refusals(network)
    return tuple(
        layer.index for layer in network.layers if layer.macs and layer.index not in refused
    )


def layer_noise(accuracy: Accuracy, judge: Judge) -> LayerNoise:
    """What is kept of a layer's accuracy."""
    drop = accuracy.drop
    return LayerNoise(accuracy.noise, None if drop is None else drop.lost + drop.won, judge.count)
