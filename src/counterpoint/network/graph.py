"""A network as a planner sees it: tensors, layers, and nothing of any engine or file format.

Layers stand in the order in which one frame may run them: a topological order. The model's own
nodes and weights stay behind :class:`GraphSource`, which engines read through
:meth:`Network.subnetwork`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Protocol

from counterpoint.errors import InternalError

ITEM_BYTES: Mapping[str, int] = {
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float64": 8,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "bool": 1,
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, type and static shape of a tensor.

    Attributes:
        dtype: NumPy's name of the element type, ``bfloat16`` included.
        shape: All dimensions known; ``()`` is a scalar. ``None`` where inference could not tell.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None

    @property
    def size_bytes(self) -> int | None:
        """Bytes of the dense tensor, or ``None`` when the shape is not known."""
        if self.shape is None or self.dtype not in ITEM_BYTES:
            return None
        return prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNest:
    """The loops of a convolution or matrix product, layout NCHW; a product is a 1 x 1 convolution
    of one pixel, whose rows are the batch.

    Attributes:
        batch: Images.
        groups: Of channels that do not mix; depthwise when as many as ``in_channels``.
        in_channels: Of the input, all groups together.
        out_channels: Of the output, all groups together.
        input_size: Height and width, padding excluded.
        output_size: Height and width.
        kernel: Height and width.
        stride: Along height and width.
        dilation: Along height and width.
        pads: Above, left, below, right.
    """

    batch: int
    in_channels: int
    out_channels: int
    groups: int = 1
    input_size: tuple[int, int] = (1, 1)
    output_size: tuple[int, int] = (1, 1)
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        pixels = self.batch * prod(self.output_size)
        return pixels * self.out_channels * self.in_channels // self.groups * prod(self.kernel)

    @property
    def is_depthwise(self) -> bool:
        """Each input channel by itself."""
        return self.groups > 1 and self.groups == self.in_channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Smallest schedulable group of nodes: an operator with what engines fuse into it.

    Attributes:
        index: Position in :attr:`Network.layers`.
        name: Name of the main node.
        kind: ``Conv``, ``DepthwiseConv``, ``Gemm``, ``Pool``, ``Add``, ``Concat`` and so on: the
            main operator, without the prefix that quantised forms carry.
        operators: Operator types of all nodes, in order (``("Conv", "Relu")``).
        nodes: Indices of its nodes in the source graph, ascending.
        inputs: Tensors it reads that it does not make itself; weights are not among them.
        outputs: Tensors it makes that somebody else reads, or that the network returns.
        macs: Multiply-adds of one frame (convolution, Gemm, MatMul; the rest counts 0).
        weight_bytes: Bytes of constants that it reads.
        input_bytes: Bytes of :attr:`inputs`; ``None`` when a shape is not known.
        output_bytes: Bytes of :attr:`outputs`; ``None`` when a shape is not known.
        quantised: Its arithmetic is int8 by the network's own definition.
        signature: Hash of operators, attributes, shapes and types, not of names or weight
            values: layers of one signature cost the same on the same unit.
        loops: Of its convolution or product; ``None`` where it has none, or shapes are not known.
        input_items: Elements of :attr:`inputs`; ``None`` when a shape is not known.
        output_items: Elements of :attr:`outputs`; ``None`` when a shape is not known.
        computes_int8: Its main operator works on integers: all that it reads, weights included, was
            dequantised just before. A float layer that makes int8 for others does not, though it
            counts as :attr:`quantised`.
    """

    index: int
    name: str
    kind: str
    operators: tuple[str, ...]
    nodes: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int
    weight_bytes: int
    input_bytes: int | None
    output_bytes: int | None
    quantised: bool
    signature: str
    loops: LoopNest | None = None
    input_items: int | None = None
    output_items: int | None = None
    computes_int8: bool = False

    @property
    def arithmetic_intensity(self) -> float | None:
        """Multiply-adds per byte moved (weights, inputs and outputs, each once)."""
        if self.input_bytes is None or self.output_bytes is None:
            return None
        moved = self.weight_bytes + self.input_bytes + self.output_bytes
        return self.macs / moved if moved else None


class GraphSource(Protocol):
    """The file format's side of a network: makes a model file of any part of it."""

    def write_onnx(
        self,
        nodes: Sequence[int],
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
    ) -> Path:
        """Writes the nodes as an ONNX file whose weights are shared with the whole network.

        The file lies in the network's own scratch folder and lives as long as the network.
        Large weights are references into one common file (ONNX external data); none is copied.
        """
        ...

    def node_labels(self, node: int) -> tuple[str, ...]:
        """Names by which an engine's profile may call that node: its own and its outputs'."""
        ...


@dataclass(frozen=True, slots=True)
class Subnetwork:
    """A convex part of a network, as an engine compiles it.

    Attributes:
        inputs: What it reads from outside, in the order in which ``run`` takes them.
        outputs: What it makes for outside, in the order in which ``run`` returns them.
    """

    network: Network
    layers: tuple[Layer, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Source nodes of all layers, ascending, each once: layers may share one that makes a
        constant.
        """
        return tuple(sorted({node for layer in self.layers for node in layer.nodes}))

    @property
    def is_whole(self) -> bool:
        """It is the whole network."""
        return len(self.layers) == len(self.network.layers)

    def onnx_path(self) -> Path:
        """An ONNX file of this part; weights are shared with the network, not copied."""
        return self.network.source.write_onnx(self.nodes, self.inputs, self.outputs)

    def layer_of_label(self) -> dict[str, int]:
        """Index of the layer for each name that an engine's profile may use."""
        labels: dict[str, int] = {}
        for layer in self.layers:
            for node in layer.nodes:
                for label in self.network.source.node_labels(node):
                    labels.setdefault(label, layer.index)
        return labels


@dataclass(frozen=True)
class Network:
    """A convolutional network of static shapes.

    Attributes:
        name: For people; usually the file's stem.
        inputs: What a frame consists of.
        outputs: What it returns.
        layers: In topological order; ``layers[i].index == i``.
        tensors: Specs of every tensor that crosses a layer's border.
        content_hash: Hash of structure and weights; plans are made for exactly this network.
        source: Where the nodes and weights are.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: tuple[Layer, ...]
    tensors: Mapping[str, TensorSpec]
    content_hash: str
    source: GraphSource

    @cached_property
    def producer(self) -> Mapping[str, int]:
        """Index of the layer that makes each tensor; network inputs are absent."""
        return {name: layer.index for layer in self.layers for name in layer.outputs}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[int, ...]]:
        """Indices of the layers that read each tensor, ascending."""
        readers: dict[str, list[int]] = {}
        for layer in self.layers:
            for name in layer.inputs:
                readers.setdefault(name, []).append(layer.index)
        return {name: tuple(indices) for name, indices in readers.items()}

    @property
    def macs(self) -> int:
        """Multiply-adds of one frame."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights, each layer's own; a weight that two layers share counts twice."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def is_quantised(self) -> bool:
        """Some layer computes in int8 by the network's own definition."""
        return any(layer.quantised for layer in self.layers)

    def whole(self) -> Subnetwork:
        """The network as one segment."""
        return Subnetwork(self, self.layers, self.inputs, self.outputs)

    def subnetwork(self, layer_indices: Iterable[int]) -> Subnetwork:
        """The segment of those layers, with its own inputs and outputs.

        Raises:
            InternalError: The set is empty or not convex (a path leaves it and comes back).
        """
        chosen = sorted(set(layer_indices))
        if len(chosen) == len(self.layers):
            return self.whole()
        members = frozenset(chosen)
        if not chosen or not self.is_convex(members):
            raise InternalError(f"layers {chosen} of {self.name} are no convex segment")
        returned = {spec.name for spec in self.outputs}
        inputs: dict[str, None] = {}
        outputs: dict[str, None] = {}
        for index in chosen:
            layer = self.layers[index]
            for name in layer.inputs:
                if self.producer.get(name) not in members:
                    inputs[name] = None
            for name in layer.outputs:
                outside = any(reader not in members for reader in self.consumers.get(name, ()))
                if outside or name in returned:
                    outputs[name] = None
        return Subnetwork(
            self,
            tuple(self.layers[index] for index in chosen),
            tuple(self.tensors[name] for name in inputs),
            tuple(self.tensors[name] for name in outputs),
        )

    def is_convex(self, members: frozenset[int]) -> bool:
        """No path between two members passes through a layer outside."""
        if not members:
            return True
        first, last = min(members), max(members)
        tainted: set[int] = set()  # outsiders that depend on a member
        for index in range(first, last + 1):
            sources = {self.producer.get(name) for name in self.layers[index].inputs}
            if index in members:
                if sources & tainted:
                    return False
            elif sources & (tainted | members):
                tainted.add(index)
        return True
