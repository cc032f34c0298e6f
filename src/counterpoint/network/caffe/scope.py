"""What a layer's converter sees: its inputs, its parameters, and the graph that it adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.draft import MOST_AXES, Draft, Tensor
from counterpoint.network.caffe.parameters import BlobKey, Parameters, Seeding
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.zoo.initial import Moments

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """What all layers of a network share.

    Attributes:
        draft: The graph.
        parameters: Where numbers come from.
        owners: For each shared blob, whose it is.
        kept: Names of shared parameters that are in the graph already.
        seeded: The numbers are drawn, so that expected moments matter.
    """

    draft: Draft
    parameters: Parameters
    owners: Mapping[BlobKey, BlobKey]
    kept: dict[tuple[BlobKey, tuple[int, ...]], str]
    seeded: bool

    def key(self, layer: str, index: int) -> BlobKey:
        """Whose that blob is."""
        own = BlobKey(layer, index)
        owner = self.owners.get(own, own)
        return owner if self.parameters.has(owner) else own

    def blob(self, layer: str, index: int, shape: tuple[int, ...], seeding: Seeding) -> Float32:
        """A layer's blob under the shape it needs."""
        if prod(shape) < 1 or len(shape) > MOST_AXES:
            raise ModelFileError(f"layer {layer!r} asks for weights of {'x'.join(map(str, shape))}")
        return self.parameters.array(self.key(layer, index), shape, seeding)

    def has_blob(self, layer: str, index: int) -> bool:
        """There is such a blob."""
        return self.parameters.has(self.key(layer, index))


@dataclass(frozen=True, slots=True)
class Scope:
    """One layer during its conversion.

    Attributes:
        layer: Its parameters.
        bottoms: What it reads.
        source: What all layers share.
        followers: BatchNorm and Scale layers behind it, in order, that it takes in.
        top_count: How many tensors it makes.
    """

    layer: pb.LayerParameter
    bottoms: tuple[Tensor, ...]
    source: Source
    followers: tuple[pb.LayerParameter, ...] = ()
    top_count: int = 1

    @property
    def name(self) -> str:
        """The layer's."""
        return str(self.layer.name)

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.bottoms[0]

    @property
    def draft(self) -> Draft:
        """The graph."""
        return self.source.draft

    def fail(self, reason: str) -> ModelFileError:
        """The error that names this layer."""
        return ModelFileError(f"layer {self.name!r} ({self.layer.type}): {reason}")

    def axis(self, value: int, rank: int | None = None) -> int:
        """An axis counted from the front.

        Raises:
            ModelFileError: There is no such axis.
        """
        count = self.x.rank if rank is None else rank
        if not -count <= value < count:
            raise self.fail(f"axis {value} of a tensor with {count} axes")
        return value % count

    def blob(self, index: int, shape: Sequence[int], seeding: Seeding) -> Float32:
        """The layer's blob of that number."""
        return self.source.blob(self.name, index, tuple(shape), seeding)

    def weight(
        self,
        index: int,
        shape: Sequence[int],
        seeding: Seeding,
        suffix: str,
        change: Callable[[Float32], Float32] | None = None,
    ) -> str:
        """Puts the blob into the graph; once only where layers share it.

        Args:
            index: Of the blob.
            shape: That it needs to have.
            seeding: How it is drawn.
            suffix: Of its name.
            change: Applied before; a changed parameter is not shared.
        """
        key = self.source.key(self.name, index)
        shared = change is None and key in self.source.owners.values()
        if shared and (key, tuple(shape)) in self.source.kept:
            return self.source.kept[key, tuple(shape)]
        array = self.blob(index, shape, seeding)
        name = self.constant(suffix, array if change is None else change(array))
        if shared:
            self.source.kept[key, tuple(shape)] = name
        return name

    def constant(self, suffix: str, values: Any, dtype: Any = np.float32) -> str:
        """Keeps values as a constant of this layer; returns its name."""
        return self.draft.constant(f"{self.name}.{suffix}", np.asarray(values, dtype=dtype))

    def ints(self, suffix: str, values: Sequence[int]) -> str:
        """Keeps integers as a constant of this layer; returns its name."""
        return self.constant(suffix, list(values), np.int64)

    def read(self, tensor: Tensor) -> str:
        """The tensor's name in the graph; a known value becomes a constant there."""
        if tensor.value is not None:
            return self.draft.constant(tensor.name, tensor.value)
        return tensor.name

    def emit(
        self,
        operator: str,
        inputs: Sequence[Tensor | str],
        shape: Sequence[int],
        *,
        moments: Moments | None = None,
        dtype: int = TensorProto.FLOAT,
        **attributes: Any,
    ) -> Tensor:
        """Adds a node with one output.

        Args:
            operator: ONNX's.
            inputs: Tensors, or names of constants.
            shape: Of the output.
            moments: Of the output; the layer's first input's where left out.
            dtype: Of the output, as ONNX's number.
            attributes: Of the node.
        """
        name = self.draft.free_name(f"{self.name}/{operator}")
        names = [self.read(entry) if isinstance(entry, Tensor) else entry for entry in inputs]
        self.draft.node(operator, names, name, shape, dtype=dtype, **attributes)
        expected = moments or (self.x.moments if self.bottoms else Moments(0.0, 1.0))
        return Tensor(name, tuple(shape), expected)

    def reshaped(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """The tensor's elements under another shape."""
        if tuple(shape) == tensor.shape:
            return tensor
        if prod(shape) != tensor.count:
            raise self.fail(
                f"{'x'.join(map(str, tensor.shape))} cannot become {'x'.join(map(str, shape))}"
            )
        if tensor.value is not None:
            return replace(tensor, shape=tuple(shape), value=tensor.value.reshape(shape))
        wanted = self.ints("shape", shape)
        dtype = self.draft.dtype(tensor.name)
        return self.emit("Reshape", [tensor, wanted], shape, moments=tensor.moments, dtype=dtype)


Converter = Callable[[Scope], Sequence[Tensor]]
"""Adds a layer's nodes and returns its tops."""
