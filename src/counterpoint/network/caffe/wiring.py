"""Who reads whose output, where layers may write over their input.

Caffe's blobs are places, not values: an in-place layer has the same top as bottom. Each write is a
version of its own here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb

INPUT = -1
"""The writer of the network's inputs."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a blob holds after one write.

    Attributes:
        blob: Its name in the file.
        writer: Index of the layer that writes it; :data:`INPUT` for inputs.
    """

    blob: str
    writer: int


@dataclass(frozen=True, slots=True)
class Step:
    """A layer with versions for its bottoms and tops."""

    layer: pb.LayerParameter
    bottoms: tuple[Version, ...]
    tops: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Wiring:
    """The layers in order.

    Attributes:
        steps: The layers.
        readers: Indices of the layers that read each version.
        last: The last write of each blob.
    """

    steps: tuple[Step, ...]
    readers: dict[Version, tuple[int, ...]]
    last: dict[str, Version]

    def only_reader(self, version: Version) -> int | None:
        """The one layer that reads it."""
        readers = self.readers.get(version, ())
        return readers[0] if len(readers) == 1 else None

    def unread(self) -> list[Version]:
        """What no layer reads: the network's outputs, in order."""
        return [top for step in self.steps for top in step.tops if top not in self.readers]


def wired(layers: Sequence[pb.LayerParameter], inputs: Sequence[str]) -> Wiring:
    """The wiring of layers that stand in order.

    Raises:
        ModelFileError: A layer reads what no layer before it makes, or two make the same blob.
    """
    current = {name: Version(name, INPUT) for name in inputs}
    everything = {top for layer in layers for top in layer.top}
    steps = []
    readers: dict[Version, list[int]] = {}
    for index, layer in enumerate(layers):
        bottoms = []
        for name in layer.bottom:
            if name not in current:
                later = name in everything
                raise ModelFileError(
                    f"layer {layer.name!r} reads {name!r}, which "
                    + (
                        "only a later layer makes; layers must stand in order, without a cycle"
                        if later
                        else "no layer makes"
                    )
                )
            bottoms.append(current[name])
            readers.setdefault(current[name], []).append(index)
        for name in layer.top:
            if name in current and name not in layer.bottom:
                raise ModelFileError(f"blob {name!r} is made twice, again by layer {layer.name!r}")
            current[name] = Version(name, index)
        if len(set(layer.top)) != len(layer.top):
            raise ModelFileError(f"layer {layer.name!r} makes a blob twice")
        tops = tuple(Version(name, index) for name in layer.top)
        steps.append(Step(layer, tuple(bottoms), tops))
    return Wiring(tuple(steps), {key: tuple(found) for key, found in readers.items()}, current)
