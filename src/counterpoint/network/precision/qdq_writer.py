"""Writes the nodes of a graph with some of its tensors in int8."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from onnx import NodeProto

from counterpoint.network.onnx_graph import OnnxGraph
from counterpoint.network.precision.product import Product
from counterpoint.network.precision.qdq_nodes import Array, QdqNodes
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.precision.steps import Step, int8_weights


class QdqWriter:
    """Writes the rewritten graph.

    Args:
        graph: Stays as it is.
        steps: Of each tensor that goes through int8.
        scheme: How weights become int8.

    Attributes:
        written: What came of it so far.
    """

    def __init__(self, graph: OnnxGraph, steps: Mapping[str, Step], scheme: Scheme) -> None:
        self.written = QdqNodes(graph)
        self._returned = frozenset(graph.outputs)
        self._steps = steps
        self._scheme = scheme

    def multiply(self, node: NodeProto, product: Product, result: str) -> None:
        """Writes a product with int8 weights.

        Args:
            node: The convolution or matrix product.
            product: Its weights and bias, with what was folded into them.
            result: What it makes.
        """
        source = self._steps[node.input[0]]
        whole = int8_weights(product.weights, product.bias, product.axis, source, self._scheme)
        copy = self.written.keep(node)
        copy.output[0] = result
        name = f"{node.name}/int8"
        copy.input[1] = self._constant(f"{name}/weights", whole.values, whole.scale, product.axis)
        if whole.bias is not None:
            if copy.op_type == "MatMul":
                copy.op_type = "Gemm"
            copy.input[2:] = [self._constant(f"{name}/bias", whole.bias, whole.bias_scale, 0)]

    def convert(self, tensor: str, readers: Collection[str] | None) -> None:
        """Lets a tensor go through int8 on the way to its readers, which are written by now.

        Args:
            tensor: A key of ``steps``.
            readers: Names of the nodes that shall read int8; ``None`` for all, and for the caller
                of the network where it returns the tensor.
        """
        step, written = self._steps[tensor], self.written
        name = f"{tensor}/int8"
        steps = written.steps(
            name, np.array(step.scale, np.float32), np.array(step.zero_point, step.dtype)
        )
        whole = written.fresh(name)
        exact = tensor
        if readers is None and tensor in self._returned:
            exact = written.fresh(f"{tensor}/float")
            maker = next(node for node in written.nodes if tensor in node.output)
            maker.output[list(maker.output).index(tensor)] = exact
        for node in [node for node in written.nodes if tensor in node.input]:
            if readers is not None and node.name not in readers:
                continue
            for position, read in enumerate(node.input):
                if read == tensor:
                    own = f"{node.name}/int8/input{position}"
                    node.input[position] = written.dequantise(own, whole, steps)
        if exact != tensor:
            written.dequantise(f"{tensor}/int8/returned", whole, steps, exact=tensor)
        written.quantise(whole, exact, steps, whole)

    def _constant(self, name: str, values: Array, scale: Array, axis: int) -> str:
        """What a DequantizeLinear makes of integers."""
        middle = np.zeros(scale.shape, values.dtype)
        steps = self.written.steps(name, scale, middle)
        whole = self.written.constant(name, values)
        return self.written.dequantise(
            f"{name}/float", whole, steps, axis=axis if scale.ndim else None
        )
