"""New nodes and constants of a graph: QuantizeLinear, DequantizeLinear and what they read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper

from counterpoint.network.inference import graph_of
from counterpoint.network.node_order import sorted_nodes
from counterpoint.network.onnx_graph import OnnxGraph

Array = npt.NDArray[np.generic]


class QdqNodes:
    """Collects nodes and constants of a rewritten graph.

    Args:
        graph: Stays as it is; new names differ from all of its own.

    Attributes:
        nodes: Of the rewritten graph, in no particular order.
        constants: Those that the graph has not; its own stay beside them.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._graph = graph
        self._taken = {*graph.constants, *graph.inputs, *graph.producers()}
        self._taken |= {node.name for node in graph.nodes}

    def keep(self, node: NodeProto) -> NodeProto:
        """Takes over a node; the copy may be changed."""
        copy = NodeProto()
        copy.CopyFrom(node)
        self.nodes.append(copy)
        return copy

    def constant(self, name: str, values: Array) -> str:
        """A new constant; its name."""
        unique = self.fresh(name)
        self.constants.append(self._graph.weights.add_by_content(unique, values))
        return unique

    def steps(self, name: str, scale: Array, zero_point: Array | None) -> tuple[str, ...]:
        """Scale and zero point of a tensor as constants; their names."""
        names = [self.constant(f"{name}/scale", scale)]
        if zero_point is not None:
            names.append(self.constant(f"{name}/zero_point", zero_point))
        return tuple(names)

    def dequantise(
        self,
        name: str,
        whole: str,
        steps: tuple[str, ...],
        *,
        axis: int | None = None,
        exact: str | None = None,
    ) -> str:
        """A DequantizeLinear.

        Args:
            name: Of the node.
            whole: The integers.
            steps: Names of scale and zero point.
            axis: Of the channels, where each has a scale of its own.
            exact: Name of what it makes; ``None`` for the node's own.

        Returns:
            The name of what it makes.
        """
        unique = self.fresh(name)
        output = exact or unique
        node = helper.make_node("DequantizeLinear", [whole, *steps], [output], unique)
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
        return output

    def quantise(self, name: str, exact: str, steps: tuple[str, ...], whole: str) -> None:
        """A QuantizeLinear of that fresh name, from tensor ``exact`` to tensor ``whole``."""
        self.nodes.append(helper.make_node("QuantizeLinear", [exact, *steps], [whole], name))

    def graph(self) -> OnnxGraph:
        """The rewritten graph."""
        model = self._graph.whole_model()
        known = {*self._graph.inputs, *self._graph.constants}
        known |= {tensor.name for tensor in self.constants}
        del model.graph.node[:]
        model.graph.node.extend(sorted_nodes(self.nodes, known))
        model.graph.initializer.extend(self.constants)
        return graph_of(model, self._graph.weights)

    def fresh(self, name: str) -> str:
        """The name, or one like it where the graph has it already; given out once."""
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name
