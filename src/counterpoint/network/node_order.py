"""Which nodes of a file run, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from onnx import NodeProto

from counterpoint.errors import ModelFileError
from counterpoint.network.onnx_graph import reads


def sorted_nodes(nodes: Sequence[NodeProto], known: Iterable[str]) -> list[NodeProto]:
    """Nodes in topological order, file order where that is one.

    Args:
        nodes: In any order.
        known: Tensors that no node makes: inputs and constants.

    Raises:
        ModelFileError: A cycle, a tensor that nobody makes, or one made twice.
    """
    available = frozenset(known)
    makers = _makers(nodes, available)
    order: list[NodeProto] = []
    visiting: set[int] = set()
    done: set[int] = set()
    for root in range(len(nodes)):
        stack = [root]
        while stack:  # an explicit stack: hostile files are deeper than Python's
            index = stack[-1]
            if index not in visiting and index not in done:
                visiting.add(index)
                for maker in _needed(nodes[index], available, makers):
                    if maker in visiting:
                        raise ModelFileError(f"the graph has a cycle through {_name(nodes[maker])}")
                    if maker not in done:
                        stack.append(maker)
                continue
            stack.pop()
            if index not in done:
                visiting.remove(index)
                done.add(index)
                order.append(nodes[index])
    return order


def _makers(nodes: Sequence[NodeProto], available: frozenset[str]) -> dict[str, int]:
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if not name:
                continue
            if name in available:
                raise ModelFileError(f"tensor {name!r} is an input or constant and made by a node")
            if makers.setdefault(name, index) != index:
                raise ModelFileError(f"tensor {name!r} is made by two nodes")
    return makers


def _needed(node: NodeProto, available: frozenset[str], makers: Mapping[str, int]) -> list[int]:
    """Indices of the nodes whose results it reads."""
    names = [name for name in reads(node) if name not in available]
    for name in names:
        if name not in makers:
            raise ModelFileError(f"{_name(node)} reads tensor {name!r}, which nobody makes")
    return [makers[name] for name in names]


def _name(node: NodeProto) -> str:
    return f"node {node.name or node.op_type!r}"


def live_nodes(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """Nodes that the outputs depend on, each with a unique name.

    Args:
        nodes: In topological order.
        outputs: Of the network.
    """
    wanted = set(outputs)
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(reads(node))
            kept.append(node)
    kept.reverse()
    taken: set[str] = set()
    copies: Counter[str] = Counter()  # counting from 1 for each would be quadratic
    for node in kept:
        unique = name = node.name or next(output for output in node.output if output)
        while unique in taken:
            copies[name] += 1
            unique = f"{name}.{copies[name] + 1}"
        taken.add(unique)
        node.name = unique
    return kept
