"""Rewrites operators that compute on integers (QLinear...) to QDQ form.

``QLinearConv`` and its kin take integers, scales and zero points. The same function is the plain
operator between DequantizeLinear and QuantizeLinear: ONNX defines the one by the other (operator
QLinearConv; for those of domain ``com.microsoft``, ONNX Runtime's ``docs/ContribOperators.md``).
Engines that know QDQ form alone run them then. Results differ where an engine rounds a value next
to the middle of two integers the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import NodeProto

from counterpoint.network.graph import Network, Subnetwork
from counterpoint.network.layering import network_of
from counterpoint.network.onnx_graph import OnnxGraph, attribute_int, graph_behind
from counterpoint.network.precision.opset import with_opset
from counterpoint.network.precision.qdq_nodes import Array, QdqNodes
from counterpoint.network.precision.stored import stored_values

MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class _Form:
    """Where the inputs of an operator are.

    Attributes:
        operator: The plain one.
        operands: Position of each operand; its scale and zero point are the next two.
        result: Position of the result's scale; its zero point is the next.
        bias: Position of a bias in steps of both operands' scales.
    """

    operator: str
    operands: tuple[int, ...]
    result: int
    bias: int | None = None


_FORMS: Mapping[str, _Form] = {
    "QLinearConv": _Form("Conv", (0, 3), 6, bias=8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6),
    f"{MICROSOFT}:QGemm": _Form("Gemm", (0, 3), 7, bias=6),
    f"{MICROSOFT}:QLinearAdd": _Form("Add", (0, 3), 6),
    f"{MICROSOFT}:QLinearMul": _Form("Mul", (0, 3), 6),
    f"{MICROSOFT}:QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
    f"{MICROSOFT}:QLinearAveragePool": _Form("AveragePool", (0,), 3),
    f"{MICROSOFT}:QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    f"{MICROSOFT}:QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    f"{MICROSOFT}:QLinearConcat": _Form("Concat", (), 0),
}

QDQ_FORMS = frozenset(_FORMS)
"""Operators that have a QDQ form, with their domain where that is not ONNX's own."""


def qdq_from_qlinear(network: Network) -> Network:
    """The network with every operator of :data:`QDQ_FORMS` in QDQ form.

    Nodes and tensors keep their names. The network itself where it has no such operator.

    Args:
        network: Stays as it is. A node whose scales are no stored constants, or that keeps its
            channels last, stays as well.

    Raises:
        UserInputError: The network's operators are too old and cannot be converted.
    """
    graph = graph_behind(network)
    if not any(_qualified(node) in QDQ_FORMS for node in graph.nodes):
        return network
    return network_of(_in_qdq_form(graph, network.name), network.name)


def qdq_onnx_path(segment: Subnetwork) -> Path:
    """An ONNX file of the segment as :func:`qdq_from_qlinear` makes it.

    Raises:
        UserInputError: As :func:`qdq_from_qlinear`.
    """
    if not any(op in QDQ_FORMS for layer in segment.layers for op in layer.operators):
        return segment.onnx_path()
    whole = graph_behind(segment.network)
    part = OnnxGraph(
        nodes=[whole.nodes[index] for index in segment.nodes],
        constants=whole.constants,
        specs=whole.specs,
        inputs=tuple(spec.name for spec in segment.inputs),
        outputs=tuple(spec.name for spec in segment.outputs),
        opsets=whole.opsets,
        ir_version=whole.ir_version,
        weights=whole.weights,
    )
    graph = _in_qdq_form(part, segment.network.name)
    return graph.write_onnx(range(len(graph.nodes)), segment.inputs, segment.outputs)


def _in_qdq_form(graph: OnnxGraph, name: str) -> OnnxGraph:
    graph = with_opset(graph, name)
    written = QdqNodes(graph)
    for node in graph.nodes:
        form = _FORMS.get(_qualified(node))
        quantised = None if form is None else _quantised(graph, node, form)
        if quantised is None:
            written.keep(node)
        else:
            _write(written, node, quantised)
    return written.graph()


def _qualified(node: NodeProto) -> str:
    return f"{node.domain}:{node.op_type}" if node.domain else node.op_type


@dataclass(frozen=True, slots=True)
class _Operand:
    """A tensor in integers, their scale and zero point, and the channels' axis."""

    tensor: str
    scale: Array
    zero_point: Array | None  # 0, as it must be for a bias
    axis: int | None


@dataclass(frozen=True, slots=True)
class _Quantised:
    """What a node reads and makes.

    Attributes:
        operator: The plain one.
        operands: The bias as the last.
        result: ``None`` where it returns float.
    """

    operator: str
    operands: tuple[_Operand, ...]
    result: _Operand | None


def _quantised(graph: OnnxGraph, node: NodeProto, form: _Form) -> _Quantised | None:
    """The node's operands; ``None`` where scales are not known or the layout is another."""
    if attribute_int(node, "channels_last", 0):
        return None
    positions = form.operands or tuple(range(2, len(node.input), 3))
    operands = [_operand(graph, node, position, form.operator) for position in positions]
    known = [operand for operand in operands if operand is not None]
    returns = len(node.input) > form.result and node.input[form.result]
    result = _operand(graph, node, form.result - 1, form.operator) if returns else None
    if len(known) < len(operands) or (returns and result is None):
        return None
    if form.bias is not None and len(node.input) > form.bias and node.input[form.bias]:
        scale = known[0].scale * known[1].scale  # type: ignore[operator]
        axis = 0 if scale.ndim else None
        known.append(_Operand(node.input[form.bias], scale, None, axis))
    return _Quantised(form.operator, tuple(known), result)


def _operand(graph: OnnxGraph, node: NodeProto, position: int, operator: str) -> _Operand | None:
    """The operand whose scale is behind that position; ``None`` where it is not stored."""
    names = [*node.input[position + 1 : position + 3], ""]
    tensor = node.input[position] if position >= 0 else ""
    scale = stored_values(graph, names[0])
    if names[1]:
        zero_point = stored_values(graph, names[1])
    else:  # left out, it is 0 of the integers' type, which is the same for what is read and made
        alike = tensor if tensor in graph.specs else node.input[0]
        zero_point = np.zeros((), graph.specs[alike].dtype) if alike in graph.specs else None
    if scale is None or zero_point is None or zero_point.size not in (1, scale.size):
        return None
    axis: int | None = None
    if scale.size == 1:
        scale = scale.reshape(())
    elif position == 3 and operator in ("Conv", "MatMul", "Gemm"):
        # of weights, of which each output channel has a scale of its own
        last = operator != "Conv" and not attribute_int(node, "transB", 0)
        axis = 1 if last else 0
        scale = scale.reshape(-1)
    else:
        return None
    middle = np.broadcast_to(zero_point.reshape(-1), scale.size).reshape(scale.shape)
    return _Operand(tensor, scale, middle, axis)


def _write(written: QdqNodes, node: NodeProto, quantised: _Quantised) -> None:
    plain = written.keep(node)
    plain.op_type, plain.domain = quantised.operator, ""
    kept = [attribute for attribute in node.attribute if attribute.name != "channels_last"]
    del plain.attribute[:]
    plain.attribute.extend(kept)
    inputs = []
    for position, operand in enumerate(quantised.operands):
        name = f"{node.name}/input{position}"
        steps = written.steps(name, operand.scale, operand.zero_point)
        inputs.append(written.dequantise(name, operand.tensor, steps, axis=operand.axis))
    plain.input[:] = inputs
    if quantised.result is not None:
        exact = written.fresh(f"{node.output[0]}/float")
        plain.output[0] = exact
        steps = written.steps(
            f"{node.name}/result", quantised.result.scale, quantised.result.zero_point
        )
        written.quantise(written.fresh(f"{node.name}/result"), exact, steps, node.output[0])
