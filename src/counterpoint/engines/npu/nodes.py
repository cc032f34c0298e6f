"""A segment's nodes and constants, as the functional processors read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Subnetwork


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of the segment.

    Attributes:
        operator: ONNX's name.
        name: Its own.
        inputs: Names of tensors; empty where an optional one is left out.
        outputs: Names of tensors.
        attributes: Numbers, texts, and lists of them.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object]

    def integer(self, name: str, default: int) -> int:
        """An attribute."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        """An attribute."""
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    def integers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute."""
        value = self.attributes.get(name, default)
        return tuple(value) if isinstance(value, (list, tuple)) else tuple(default)


@dataclass(frozen=True)
class SegmentNodes:
    """What a segment consists of.

    Attributes:
        nodes: In run order.
        constants: Weights, scales, shapes, by name.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]

    @cached_property
    def maker(self) -> Mapping[str, Node]:
        """Of each tensor that a node makes."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Node, ...]]:
        """Of each tensor that nodes read."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def scalar(self, name: str) -> float | None:
        """A constant of one element; ``None`` where it is none."""
        value = self.constants.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def scale(self, node: Node) -> npt.NDArray[np.float64]:
        """Of a QuantizeLinear or DequantizeLinear: ``()`` or ``(channels,)``.

        Raises:
            ValueError: It is not constant, or not positive and finite.
        """
        found = np.asarray(self.constants.get(node.inputs[1], np.nan), np.float64)
        if not (np.isfinite(found).all() and (found > 0).all()):
            raise ValueError(f"a scale of {node.name} is not constant, positive and finite")
        return found

    def dequantised(self, name: str) -> Dequantised | None:
        """What a DequantizeLinear makes of a constant or of a tensor; ``None``: it is no such.

        Raises:
            ValueError: Its scale is not constant, or not positive and finite.
        """
        node = self.maker.get(name)
        if node is None or node.operator != "DequantizeLinear":
            return None
        scale = self.scale(node)
        zero = self.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        return Dequantised(
            node.inputs[0],
            self.constants.get(node.inputs[0]),
            scale,
            zero is None or not np.any(zero),
            node.integer("axis", 1),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dequantised:
    """A tensor in integers, and what a step of it stands for.

    Attributes:
        name: Of the integers.
        values: Where they are constant.
        scale: ``()`` or ``(channels,)``.
        is_centred: 0 stands for 0.
        axis: Of the channels.
    """

    name: str
    values: Tensor | None
    scale: npt.NDArray[np.float64]
    is_centred: bool
    axis: int


def segment_nodes(segment: Subnetwork) -> SegmentNodes:
    """Reads a segment's model file."""
    import onnx
    from onnx import numpy_helper

    path = segment.onnx_path()
    model = onnx.load(path)
    constants = {
        tensor.name: np.array(numpy_helper.to_array(tensor, str(path.parent)))
        for tensor in model.graph.initializer
    }
    nodes = []
    for proto in model.graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        if proto.op_type == "Constant" and "value" in attributes:
            constants[proto.output[0]] = numpy_helper.to_array(attributes["value"])
            continue
        nodes.append(
            Node(
                f"{proto.domain}:{proto.op_type}" if proto.domain else proto.op_type,
                proto.name,
                tuple(proto.input),
                tuple(proto.output),
                attributes,
            )
        )
    return SegmentNodes(tuple(nodes), constants)


def handed_over(made: Sequence[Tensor], lent: Sequence[Tensor] | None) -> Sequence[Tensor]:
    """What a run returns: its results, or the memory lent for them once it holds them."""
    if lent is None:
        return made
    for buffer, tensor in zip(lent, made, strict=True):
        buffer[...] = tensor
    return lent
