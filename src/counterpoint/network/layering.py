"""Makes the planner's :class:`Network` out of an ONNX graph."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping, Sequence
from math import prod

from onnx import NodeProto, TensorProto, numpy_helper

from counterpoint.errors import ModelFileError
from counterpoint.network.arithmetic import macs
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.network.grouping import (
    MAC_OPERATORS,
    QUANTISERS,
    Grouper,
    constant_closure,
    plain_operator,
)
from counterpoint.network.loop_nest import loop_nest
from counterpoint.network.onnx_graph import OnnxGraph, reads
from counterpoint.network.weights import is_inline

MAX_NODES = 200_000
"""Of all layers together: each takes along the nodes that compute its constants."""


def network_of(graph: OnnxGraph, name: str) -> Network:
    """Groups, orders and describes the layers of a graph.

    Raises:
        ModelFileError: The graph has no layer, or too many.
    """
    grouper = Grouper(graph)
    groups = grouper.groups()
    if not groups:
        raise ModelFileError(f"{name} has no layer to run: every node is a constant")
    layers: list[Layer] = []
    nodes = 0
    for members in _run_order(graph, grouper, groups):
        layers.append(_layer(graph, grouper, members, len(layers)))
        nodes += len(layers[-1].nodes)
        if nodes > MAX_NODES:
            raise ModelFileError(
                "too many nodes compute constants that too many layers read; fold them first, "
                "e.g. with onnxscript.optimizer.optimize"
            )
    crossing = {tensor for layer in layers for tensor in (*layer.inputs, *layer.outputs)}
    crossing |= set(graph.inputs) | set(graph.outputs)
    return Network(
        name=name,
        inputs=tuple(graph.specs[tensor] for tensor in graph.inputs),
        outputs=tuple(graph.specs[tensor] for tensor in graph.outputs),
        layers=tuple(layers),
        tensors={tensor: _spec(graph, tensor) for tensor in sorted(crossing)},
        content_hash=graph.content_hash(),
        source=graph,
    )


def _spec(graph: OnnxGraph, tensor: str) -> TensorSpec:
    return graph.specs.get(tensor) or TensorSpec(tensor, "undefined", None)


def _run_order(graph: OnnxGraph, grouper: Grouper, groups: Sequence[list[int]]) -> list[list[int]]:
    """Groups in topological order, file order where possible."""
    successors: list[set[int]] = [set() for _ in groups]
    waiting = [0] * len(groups)
    for reader, members in enumerate(groups):
        makers = set()
        for member in members:
            for name in reads(graph.nodes[member]):
                maker = grouper.group_of.get(grouper.producer.get(name, -1))
                if maker is not None and maker != reader:
                    makers.add(maker)
        waiting[reader] = len(makers)
        for maker in makers:
            successors[maker].add(reader)
    ready = [(members[0], group) for group, members in enumerate(groups) if not waiting[group]]
    heapq.heapify(ready)
    order = []
    while ready:
        _, group = heapq.heappop(ready)
        order.append(groups[group])
        for reader in sorted(successors[group]):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (groups[reader][0], reader))
    return order


def _layer(graph: OnnxGraph, grouper: Grouper, members: list[int], index: int) -> Layer:
    nodes = constant_closure(graph, grouper, members)
    protos = [graph.nodes[node] for node in nodes]
    own = set(members)
    made = {name for member in members for name in graph.nodes[member].output if name}
    inputs = [
        name
        for member in sorted(own)
        for name in grouper.activations(graph.nodes[member])
        if name not in made
    ]
    outputs = [
        name
        for member in sorted(own)
        for name in graph.nodes[member].output
        if name
        and (
            name in grouper.returned
            or any(reader not in own for reader in grouper.readers.get(name, ()))
        )
    ]
    constants = {
        kept
        for member in own
        for name in reads(graph.nodes[member])
        if name in grouper.constant and name not in made
        for kept in _kept_as(graph, grouper, name)
    }
    main = graph.nodes[members[0]]
    return Layer(
        index=index,
        name=main.name,
        kind=plain_operator(main, graph.specs),
        operators=tuple(_qualified(graph.nodes[member]) for member in sorted(own)),
        nodes=tuple(nodes),
        inputs=tuple(dict.fromkeys(inputs)),
        outputs=tuple(dict.fromkeys(outputs)),
        macs=sum(macs(proto, graph.specs) for proto in protos),
        weight_bytes=sum(graph.constant_bytes(name) for name in constants),
        input_bytes=_total_bytes(graph, dict.fromkeys(inputs)),
        output_bytes=_total_bytes(graph, dict.fromkeys(outputs)),
        quantised=any(
            proto.op_type in QUANTISERS
            or proto.op_type.startswith("QLinear")
            or proto.op_type.endswith("Integer")
            or proto.op_type == "QGemm"
            for proto in protos
        ),
        signature=_signature(graph, nodes),
        loops=next((found for proto in protos if (found := loop_nest(proto, graph.specs))), None),
        input_items=_total_items(graph, dict.fromkeys(inputs)),
        output_items=_total_items(graph, dict.fromkeys(outputs)),
        computes_int8=_computes_int8(graph, grouper, main),
    )


def _kept_as(graph: OnnxGraph, grouper: Grouper, name: str) -> Sequence[str]:
    """What a constant is kept as: integers and their scale, where it is made by dequantising."""
    maker = grouper.producer.get(name)
    if maker is None or graph.nodes[maker].op_type != "DequantizeLinear":
        return (name,)
    return reads(graph.nodes[maker])


def _computes_int8(graph: OnnxGraph, grouper: Grouper, main: NodeProto) -> bool:
    """It computes on integers: by its operator, or in QDQ form.

    In that form all that it reads is dequantised, a product's weights too; what becomes of its
    result does not matter. A conversion between the two is no arithmetic on integers.
    """
    operator = main.op_type
    if operator.startswith("QLinear") or operator.endswith("Integer") or operator == "QGemm":
        return True
    if operator in QUANTISERS:
        return False
    names = main.input[:2] if operator in MAC_OPERATORS else grouper.activations(main)
    return bool(names) and all(_is_dequantised(graph, grouper, name) for name in names)


def _is_dequantised(graph: OnnxGraph, grouper: Grouper, name: str) -> bool:
    maker = grouper.producer.get(name)
    while maker is not None and graph.nodes[maker].op_type == "Slice":
        maker = grouper.producer.get(graph.nodes[maker].input[0])
    return maker is not None and graph.nodes[maker].op_type == "DequantizeLinear"


def _qualified(node: NodeProto) -> str:
    """The operator's name, with its domain where that is not ONNX's own."""
    return f"{node.domain}:{node.op_type}" if node.domain else node.op_type


def _total_bytes(graph: OnnxGraph, names: Mapping[str, None]) -> int | None:
    sizes = [_spec(graph, name).size_bytes for name in names]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _total_items(graph: OnnxGraph, names: Mapping[str, None]) -> int | None:
    shapes = [_spec(graph, name).shape for name in names]
    known = [prod(shape) for shape in shapes if shape is not None]
    return sum(known) if len(known) == len(shapes) else None


def _signature(graph: OnnxGraph, nodes: Sequence[int]) -> str:
    """Hash of operators, attributes, wiring, shapes and types; integer constants by value."""
    digest = hashlib.blake2b(digest_size=16)
    local: dict[str, int] = {}
    for index in nodes:
        node = graph.nodes[index]
        digest.update(f"{node.domain}:{node.op_type}:{graph.opsets.get(node.domain)}".encode())
        for attribute in sorted(node.attribute, key=lambda a: a.name):
            digest.update(attribute.SerializeToString(deterministic=True))
        for name in (*node.input, "->", *node.output):
            known = name in local
            number = local.setdefault(name, len(local))
            digest.update(f"#{number if name else '-'}".encode())
            if known:
                continue
            spec = graph.specs.get(name)
            digest.update(f"{spec.dtype}{spec.shape}".encode() if spec else b"?")
            constant = graph.constants.get(name)
            if (
                constant is not None
                and constant.data_type == TensorProto.INT64
                and is_inline(constant)
            ):
                digest.update(numpy_helper.to_array(constant).tobytes())
    return digest.hexdigest()
