"""An ONNX graph under construction: nodes with their static shapes, and weights as they come.

Shapes are computed by the rules of the source format, node by node; ONNX's own inference has to
agree with them at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper

from counterpoint.errors import ModelFileError
from counterpoint.network.onnx_file import WRITTEN_IR_VERSION
from counterpoint.network.weights import WeightFile
from counterpoint.network.zoo.initial import UNIT, Moments

OPSET = 17

LARGEST_TENSOR_ELEMENTS = 1 << 31
"""A file that asks for a larger tensor is damaged or an attack."""

LARGEST_CONSTANTS_BYTES = 4 << 30
"""All constants together. A file of weights has 2 GB at most, but layers may share a weight, and
each keep a form of its own."""

MOST_KNOWN_ELEMENTS = 1 << 24
"""Of all values that do not depend on the input; SSD512 has 0.2 million."""

MOST_AXES = 8
"""Of any tensor; Caffe's own layers go to five."""

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        name: In the graph.
        shape: Static.
        moments: Expected scale of its elements; sets the scale of seeded weights behind it.
        offsets: Expected mean of each channel, where these differ (seeded weights only).
        value: What it holds, where that does not depend on the input; such a tensor has no node.
    """

    name: str
    shape: tuple[int, ...]
    moments: Moments = UNIT
    offsets: npt.NDArray[np.float64] | None = None
    value: Float32 | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def count(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class Draft:
    """Appends nodes in execution order.

    Attributes:
        weights: Where constants go.
    """

    def __init__(self, name: str, weights: WeightFile) -> None:
        self.weights = weights
        self._name = name
        self._nodes: list[NodeProto] = []
        self._producer: dict[str, NodeProto] = {}
        self._constants: dict[str, TensorProto] = {}
        self._shapes: dict[str, tuple[tuple[int, ...], int]] = {}
        self._inputs: dict[str, None] = {}  # in order
        self._constant_bytes = self._known_elements = 0
        self._names: set[str] = set()
        self._copies: Counter[str] = Counter()  # counting from 1 for each would be quadratic

    def free_name(self, wanted: str) -> str:
        """``wanted``, with a number behind it where that name is taken; it is then taken."""
        name = wanted
        while name in self._names:
            self._copies[wanted] += 1
            name = f"{wanted}~{self._copies[wanted] + 1}"
        self._names.add(name)
        return name

    def reserve(self, name: str) -> None:
        """Keeps a name from being given out by :meth:`free_name`."""
        self._names.add(name)

    def input(self, name: str, shape: Sequence[int]) -> Tensor:
        """An input of that exact name."""
        tensor = Tensor(name, tuple(shape))
        self._declare(name, tensor.shape, TensorProto.FLOAT)
        self._inputs[name] = None
        self._names.add(name)
        return tensor

    def constant(self, name: str, values: Array) -> str:
        """Keeps an array under a name like ``name``, which is returned.

        Raises:
            ModelFileError: All constants together are absurdly large.
            MachineError: No room for them.
        """
        self._constant_bytes += values.nbytes
        if self._constant_bytes > LARGEST_CONSTANTS_BYTES:
            raise ModelFileError(f"its weights take more than {LARGEST_CONSTANTS_BYTES >> 30} GB")
        name = self.free_name(name)
        self._constants[name] = self.weights.add(name, values)
        return name

    def claim(self, count: int) -> None:
        """Takes room for elements of a known value, before it is made.

        Raises:
            ModelFileError: There is none left.
        """
        self._known_elements += count
        if self._known_elements > MOST_KNOWN_ELEMENTS:
            raise ModelFileError(f"priors of more than {MOST_KNOWN_ELEMENTS} numbers are absurd")

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        shape: Sequence[int],
        *,
        dtype: int = TensorProto.FLOAT,
        extra_outputs: Sequence[tuple[str, Sequence[int] | None, int]] = (),
        **attributes: Any,
    ) -> None:
        """Appends a node named as its first output.

        Args:
            operator: ONNX's name.
            inputs: Tensor names; empty where one is left out.
            output: Name of the first output.
            shape: Of the first output.
            dtype: Of the first output, as ONNX's number.
            extra_outputs: Name, shape (``None``: depends on the data) and type of further outputs.
            attributes: Of the node.

        Raises:
            ModelFileError: The tensor would be absurdly large or empty.
        """
        self._declare(output, tuple(shape), dtype)
        names = [output]
        for name, extra_shape, extra_dtype in extra_outputs:
            names.append(name)
            if extra_shape is not None:
                self._declare(name, tuple(extra_shape), extra_dtype)
        node = helper.make_node(operator, list(inputs), names, name=output, **attributes)
        self._nodes.append(node)
        for name in names:
            self._producer[name] = node

    def undeclare(self, name: str) -> None:
        """Forgets a shape that depends on the data after all."""
        self._shapes.pop(name, None)

    def rename(self, tensor: Tensor, name: str, node_name: str) -> Tensor:
        """Gives a tensor that nobody reads yet its final name, and its node another."""
        node = self._producer.pop(tensor.name)
        node.output[list(node.output).index(tensor.name)] = name
        node.name = node_name
        self._producer[name] = node
        if tensor.name in self._shapes:
            self._shapes[name] = self._shapes.pop(tensor.name)
        return replace(tensor, name=name)

    def dtype(self, name: str) -> int:
        """ONNX's number of a tensor's type."""
        return self._shapes[name][1]

    def finish(self, outputs: Sequence[tuple[str, Tensor]]) -> onnx.ModelProto:
        """The model.

        Args:
            outputs: What it returns, by the name under which it does.

        Raises:
            ModelFileError: Nothing is returned.
        """
        values = []
        self._tell_nodes_apart()
        for name, tensor in outputs:
            if tensor.name != name:
                self.node("Identity", [tensor.name], name, tensor.shape)
            values.append(helper.make_tensor_value_info(name, *self._info(name)))
        if not values:
            raise ModelFileError("the network returns nothing that depends on an input")
        returned = {name for name, _ in outputs}
        read = {name for node in self._nodes for name in node.input}
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [
                helper.make_tensor_value_info(name, *self._info(name))
                for name in self._inputs
                if name in read
            ],
            values,
            initializer=list(self._constants.values()),
            value_info=[
                helper.make_tensor_value_info(name, *self._info(name))
                for name in self._shapes
                if name not in returned and name not in self._inputs
            ],
        )
        return helper.make_model(
            graph,
            producer_name="counterpoint",
            ir_version=WRITTEN_IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )

    def _tell_nodes_apart(self) -> None:
        """A layer may be several nodes, and layers may share a name."""
        taken: set[str] = set()
        copies: Counter[str] = Counter()
        for node in self._nodes:
            name = node.name
            while node.name in taken:
                copies[name] += 1
                node.name = f"{name}~{copies[name] + 1}"
            taken.add(node.name)

    def _info(self, name: str) -> tuple[int, tuple[int, ...]]:
        shape, dtype = self._shapes[name]
        return dtype, shape

    def _declare(self, name: str, shape: tuple[int, ...], dtype: int) -> None:
        if prod(shape) > LARGEST_TENSOR_ELEMENTS or any(size < 1 for size in shape):
            size = "x".join(map(str, shape))
            raise ModelFileError(f"tensor {name!r} would be {size}")
        self._shapes[name] = (shape, dtype)
