"""Groups nodes into layers: an operator with what engines fuse into it.

A group grows along a single thread: each further node is the only reader of the group's result,
so no path can leave a group and come back (it is convex), and contracting groups keeps the graph
acyclic. A residual ``Add`` joins the branch that ends last, whose other operand is then ready.
Nodes that depend on constants only are no layers: every layer that needs their result takes them
along.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto

from counterpoint.network.arithmetic import CONVOLUTIONS, MATRIX_PRODUCTS
from counterpoint.network.onnx_graph import OnnxGraph, reads

MAC_OPERATORS = frozenset({*CONVOLUTIONS, *MATRIX_PRODUCTS, "ConvTranspose"})
ACTIVATIONS = frozenset(
    {
        *("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip", "Elu", "Selu", "Celu", "Gelu"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Tanh", "Softplus", "Softsign"),
        *("QLinearSigmoid", "QLinearLeakyRelu"),
    }
)
GATES = frozenset({"Sigmoid", "HardSigmoid"})
RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Identity"})
SUMS = frozenset({"Add", "Sum", "QLinearAdd"})
SCALES = frozenset({"Mul", "Add", "Sub", "Div"})
POOLS = frozenset({"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})
SLICED = MAC_OPERATORS | POOLS | SUMS
QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
PREPARED = frozenset({"DequantizeLinear", "Slice"})
SCALED = MAC_OPERATORS | {"BatchNormalization"}
ACTIVATED = MAC_OPERATORS | SUMS | {"BatchNormalization", "InstanceNormalization", "Mul", "Div"}


class _Growth:
    """What a group has taken up so far, and so may still take up."""

    def __init__(self, head: str) -> None:
        self.head = head
        self.activated = head in ACTIVATIONS
        self.summed = head in SUMS

    def take(self, operator: str) -> bool:
        """Takes up a node that reads the group's result and constants only, if it may join."""
        if operator in RESHAPES or operator == "QuantizeLinear":
            return True
        if operator in ACTIVATIONS:
            return self.take_activation()
        if operator == "BatchNormalization" or operator in SCALES:
            return self.head in SCALED and not self.activated and not self.summed
        return False

    def take_activation(self) -> bool:
        """Takes up an activation, if it may join."""
        if self.activated or self.head not in ACTIVATED:
            return False
        self.activated = True
        return True

    def take_sum(self, operator: str) -> bool:
        """Takes up a residual sum, if it may join."""
        if operator not in SUMS or self.head not in MAC_OPERATORS or self.activated or self.summed:
            return False
        self.summed = True
        return True


class Grouper:
    """Finds the groups of one graph."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.producer = graph.producers()
        self.readers = graph.readers()
        self.returned = frozenset(graph.outputs)
        self.constant = self._constant_tensors()
        self.group_of: dict[int, int] = {}

    def groups(self) -> list[list[int]]:
        """Node indices of each layer, main node first; constant nodes not among them."""
        found: list[list[int]] = []
        for index in range(len(self.graph.nodes)):
            if index in self.group_of or self.is_constant_node(index):
                continue
            if self._is_prelude(index):
                continue  # taken up by its reader below
            members = [index, *self._prelude(index)]
            self._claim(members, len(found))
            self._extend(members, len(found))
            found.append(members)
        return found

    def is_constant_node(self, index: int) -> bool:
        """It makes constants out of constants."""
        outputs = [name for name in self.graph.nodes[index].output if name]
        return all(name in self.constant for name in outputs)

    def activations(self, node: NodeProto) -> list[str]:
        """Names that it reads and that depend on the frame."""
        return [name for name in reads(node) if name not in self.constant]

    def _constant_tensors(self) -> frozenset[str]:
        known = set(self.graph.constants)
        for node in self.graph.nodes:
            if all(name in known for name in reads(node)):
                known.update(name for name in node.output if name)
        return frozenset(known)

    def _claim(self, members: list[int], group: int) -> None:
        for member in members:
            self.group_of[member] = group

    def _only_reader(self, name: str) -> int | None:
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.returned else None

    def _is_prelude(self, index: int) -> bool:
        """It only prepares what its one reader reads: it dequantises it (QDQ form), or cuts out
        the piece that an operator works on (a part of a split layer).
        """
        node = self.graph.nodes[index]
        reader = self._only_reader(node.output[0])
        if reader is None:
            return False
        operator = self.graph.nodes[reader].op_type
        if node.op_type == "DequantizeLinear":
            return operator not in QUANTISERS
        if node.op_type != "Slice" or self.activations(node) != [node.input[0]]:
            return False
        return operator in SLICED or (operator == "DequantizeLinear" and self._is_prelude(reader))

    def _prelude(self, index: int) -> list[int]:
        """The nodes that only prepare what this node reads, nearest first."""
        found: list[int] = []
        for name in self.activations(self.graph.nodes[index]):
            maker = self.producer.get(name)
            if maker is not None and maker not in self.group_of and self._is_prelude(maker):
                found += [maker, *self._prelude(maker)]
        return found

    def _extend(self, members: list[int], group: int) -> None:
        """Takes up followers one by one until none is fused with what came before."""
        nodes = self.graph.nodes
        growth = _Growth(nodes[members[0]].op_type)
        tail = members[0]
        while True:
            outputs = [name for name in nodes[tail].output if name]
            if len(outputs) != 1:
                return
            followers = self._gate(outputs[0], growth) or self._follower(
                outputs[0], members[0], growth
            )
            if not followers:
                return
            self._claim(followers, group)
            members += followers
            tail = followers[-1]
            if nodes[tail].op_type == "QuantizeLinear":
                return

    def _follower(self, name: str, first: int, growth: _Growth) -> list[int]:
        """The node behind tensor ``name``, after what feeds only it; empty if it is not fused."""
        follower = self._only_reader(name)
        if follower is None or follower in self.group_of:
            return []
        node = self.graph.nodes[follower]
        if self.activations(node) == [name] and growth.take(node.op_type):
            return [follower]
        if self._other_operands_ready(node, name, first) and growth.take_sum(node.op_type):
            return [*self._prelude(follower), follower]
        return []

    def _gate(self, name: str, growth: _Growth) -> list[int]:
        """``x * sigmoid(x)`` behind tensor ``x``, as two nodes (SiLU, hard swish)."""
        readers = self.readers.get(name, [])
        if len(readers) != 2 or name in self.returned:
            return []
        gate, product = readers
        nodes = self.graph.nodes
        if nodes[gate].op_type not in GATES or nodes[product].op_type != "Mul":
            return []
        gated = nodes[gate].output[0]
        if self._only_reader(gated) != product or set(nodes[product].input) != {name, gated}:
            return []
        return [gate, product] if growth.take_activation() else []

    def _other_operands_ready(self, node: NodeProto, own: str, head: int) -> bool:
        """All other operands are made before the group's first node, so it never waits inside."""
        for name in self.activations(node):
            if name == own:
                continue
            maker = self.producer.get(name)
            while maker is not None and self.graph.nodes[maker].op_type in PREPARED:
                source = self.activations(self.graph.nodes[maker])
                maker = self.producer.get(source[0]) if source else None
            if maker is not None and maker >= head:
                return False
        return own in node.input


def constant_closure(graph: OnnxGraph, grouper: Grouper, members: list[int]) -> list[int]:
    """The members and every constant node that they depend on, ascending."""
    closure = set(members)
    pending = list(members)
    while pending:
        for name in reads(graph.nodes[pending.pop()]):
            maker = grouper.producer.get(name)
            if maker is not None and maker not in closure and grouper.is_constant_node(maker):
                closure.add(maker)
                pending.append(maker)
    return sorted(closure)


def plain_operator(node: NodeProto, specs: Mapping[str, object]) -> str:
    """The operator without the prefix of its quantised forms.

    Depthwise and grouped convolutions go by their own names.
    """
    operator = node.op_type.removeprefix("QLinear").removeprefix("Fused").removesuffix("Integer")
    operator = {"QGemm": "Gemm", "MatMul": "Gemm"}.get(operator, operator)
    if operator == "Conv":
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        if groups > 1:
            shape = getattr(specs.get(node.input[0]), "shape", None)
            channels = shape[1] if shape else None
            return "DepthwiseConv" if channels == groups else "GroupConv"
    return operator
