"""The ONNX side of a network: nodes in order, constants apart, and model files of any part."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from counterpoint.errors import MachineError, UserInputError
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.network.weights import WeightFile, tensor_bytes


def spec_of(value: ValueInfoProto) -> TensorSpec:
    """A tensor's spec; its shape is ``None`` unless every dimension is a number."""
    tensor = value.type.tensor_type
    dtype = dtype_name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorSpec(value.name, dtype, None)
    known = all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in tensor.shape.dim)
    shape = tuple(int(dim.dim_value) for dim in tensor.shape.dim) if known else None
    return TensorSpec(value.name, dtype, shape)


def value_of(spec: TensorSpec) -> ValueInfoProto:
    """The inverse of :func:`spec_of`; engines infer a type that is not known here."""
    if spec.dtype == "undefined":
        return ValueInfoProto(name=spec.name)
    return onnx.helper.make_tensor_value_info(spec.name, element_type(spec.dtype), spec.shape)


def dtype_name(elem_type: int) -> str:
    """NumPy's name of an ONNX element type; ``undefined`` when there is none."""
    if elem_type == TensorProto.BFLOAT16:
        return "bfloat16"
    if elem_type == TensorProto.STRING:
        return "string"
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
    except (KeyError, ValueError):
        return "undefined"


def element_type(dtype: str) -> int:
    """ONNX's number of a NumPy type name."""
    special = {"bfloat16": TensorProto.BFLOAT16, "string": TensorProto.STRING}
    if dtype in special:
        return int(special[dtype])
    return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def reads(node: NodeProto) -> tuple[str, ...]:
    """Names that a node reads, those that its sub-graphs take from outside included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            names += _captured(attribute.g)
        elif attribute.type == AttributeProto.GRAPHS:
            for graph in attribute.graphs:
                names += _captured(graph)
    return tuple(dict.fromkeys(names))


def attribute_ints(node: NodeProto, name: str) -> list[int] | None:
    """An attribute that is a list of integers; ``None`` where the node leaves it out."""
    return next((list(a.ints) for a in node.attribute if a.name == name), None)


def attribute_int(node: NodeProto, name: str, default: int) -> int:
    """An attribute that is an integer."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _captured(graph: GraphProto) -> list[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    used = [name for node in graph.node for name in reads(node)]
    used += [value.name for value in graph.output]
    return [name for name in used if name not in own]


@dataclass
class OnnxGraph:
    """Nodes and constants of one network; the ``GraphSource`` of everything read from ONNX.

    Invariants: nodes are in topological order and have unique names; every constant is inline or
    in ``weights``; ``specs`` holds each tensor whose type is known.

    Attributes:
        nodes: In run order.
        constants: Initialisers by name.
        specs: Tensors by name, constants included.
        inputs: Names of what a frame consists of.
        outputs: Names of what the network returns.
        opsets: Version of each operator domain.
        ir_version: Of the model file.
        weights: The file that all parts share.
    """

    nodes: list[NodeProto]
    constants: dict[str, TensorProto]
    specs: dict[str, TensorSpec]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opsets: Mapping[str, int]
    ir_version: int
    weights: WeightFile

    def producers(self) -> dict[str, int]:
        """Index of the node that makes each tensor."""
        return {name: i for i, node in enumerate(self.nodes) for name in node.output if name}

    def readers(self) -> dict[str, list[int]]:
        """Indices of the nodes that read each tensor."""
        found: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for name in reads(node):
                found.setdefault(name, []).append(index)
        return found

    def constant_bytes(self, name: str) -> int:
        """Size of a constant, whether stored or made by a node out of constants."""
        if name in self.constants:
            return tensor_bytes(self.constants[name])
        return self.specs[name].size_bytes or 0 if name in self.specs else 0

    def model(
        self, nodes: Iterable[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> ModelProto:
        """A model of some nodes; its large weights are references into the weight file."""
        chosen = [self.nodes[index] for index in nodes]
        needed = {name for node in chosen for name in reads(node)}
        made = {name for node in chosen for name in node.output}
        border = {spec.name for spec in (*inputs, *outputs)}
        graph = onnx.helper.make_graph(
            chosen,
            "counterpoint",
            [value_of(spec) for spec in inputs],
            [value_of(spec) for spec in outputs],
            initializer=[t for name, t in self.constants.items() if name in needed],
            value_info=[
                value_of(self.specs[name]) for name in sorted(made - border) if name in self.specs
            ],
        )
        return onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid(d, v) for d, v in self.opsets.items()],
            ir_version=self.ir_version,
            producer_name="counterpoint",
        )

    def whole_model(self) -> ModelProto:
        """The model of everything."""
        return self.model(
            range(len(self.nodes)),
            [self.specs[name] for name in self.inputs],
            [self.specs[name] for name in self.outputs],
        )

    def content_hash(self) -> str:
        """Hash of structure and weights, the same for the same network wherever it lies."""
        digest = hashlib.blake2b(digest_size=20)
        digest.update(self.whole_model().SerializeToString(deterministic=True))
        digest.update(self.weights.digest().encode())
        return digest.hexdigest()

    # What follows is the GraphSource protocol of network.graph.

    def write_onnx(
        self, nodes: Sequence[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Path:
        """See :class:`counterpoint.network.graph.GraphSource`."""
        # Named by content: the folder is shared with rewritten forms of the same network.
        data = self.model(nodes, inputs, outputs).SerializeToString(deterministic=True)
        name = hashlib.blake2b(data, digest_size=12).hexdigest() + ".onnx"
        path = self.weights.scratch.path / name
        if not path.exists():
            # Threads that compile the same segment must not see each other's half a file.
            partial = path.with_suffix(f".{threading.get_ident()}")
            try:
                partial.write_bytes(data)
                partial.replace(path)
            except OSError as error:
                partial.unlink(missing_ok=True)
                raise MachineError(
                    f"cannot write a segment to {path.parent}: {error.strerror}; "
                    "free some room or point TMPDIR at another disk"
                ) from error
        return path

    def node_labels(self, node: int) -> tuple[str, ...]:
        """See :class:`counterpoint.network.graph.GraphSource`."""
        proto = self.nodes[node]
        return (proto.name, *(name for name in proto.output if name))


def graph_behind(network: Network) -> OnnxGraph:
    """The nodes of a network, for those who rewrite it.

    Raises:
        UserInputError: It was not made of an ONNX graph.
    """
    if not isinstance(network.source, OnnxGraph):
        raise UserInputError(f"{network.name} has no nodes to rewrite: load it from a file")
    return network.source
