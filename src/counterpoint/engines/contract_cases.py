"""Small networks, frames and what must come out: what :mod:`counterpoint.engines.contract` runs.

The reference evaluator says what is right. Weights and frames are seeded, so failures repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from counterpoint.engines.protocol import Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile
from counterpoint.platform.model import Device, DeviceKind

OPSET = 19  # from here on the reference evaluator has DequantizeLinear
IR_VERSION = 9

FOREIGN_DOMAIN = "counterpoint.contract"

_STEP = 1 / 16  # of the int8 form; activations of deviation 1 then span +-8


@dataclass(frozen=True, slots=True)
class ContractCase:
    """A network, two frames and their results.

    Attributes:
        name: What it is about.
        network: What runs.
        frames: Two frames that differ: arrays in the order of the network's inputs.
        expected: The outputs for each frame, in the order of the network's outputs.
    """

    name: str
    network: Network
    frames: tuple[Sequence[Tensor], Sequence[Tensor]]
    expected: tuple[Sequence[Tensor], Sequence[Tensor]]


def standard_cases() -> tuple[ContractCase, ...]:
    """What every engine for convolutional networks should run, or say why not.

    Raises:
        MachineError: No room for the weights.
    """
    return (
        _convolution(),
        _depthwise(),
        _pools(),
        _classifier(),
        _branches(),
        _several_inputs_and_outputs(),
        _batch_of_two(),
        _large_input(),
        _half_precision(),
        _quantised(),
    )


def foreign_network() -> Network:
    """Two layers, the second of an operator that exists nowhere."""
    draft = _Draft()
    x = draft.node("Relu", draft.input("x", 1, 3, 8, 8))
    return draft.network("foreign", draft.node("Nonsense", x, domain=FOREIGN_DOMAIN))


class _Draft:
    """A model under construction; a tensor goes by the name of the node that makes it."""

    def __init__(self, dtype: type[np.floating] = np.float32) -> None:
        self._random = np.random.default_rng(0)
        self._dtype = np.dtype(dtype)
        self._weights = WeightFile()
        self._constants: list[TensorProto] = []
        self._nodes: list[NodeProto] = []
        self._inputs: list[ValueInfoProto] = []

    def input(self, name: str, *shape: int) -> str:
        kind = helper.np_dtype_to_tensor_dtype(self._dtype)
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, array: npt.NDArray[np.generic]) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(self._weights.add(name, array))
        return name

    def weight(self, *shape: int) -> str:
        """Seeded; a kernel that keeps the variance of what it is applied to."""
        values = self._random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        return self.constant(values.astype(self._dtype))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def conv(self, x: str, kernel: str, edge: int, **attributes: Any) -> str:
        """A convolution that keeps the image's size at stride 1."""
        attributes |= {"kernel_shape": [edge, edge], "pads": [edge // 2] * 4}
        return self.node("Conv", x, kernel, **attributes)

    def network(self, name: str, *outputs: str) -> Network:
        free = [ValueInfoProto(name=output) for output in outputs]
        graph = helper.make_graph(self._nodes, name, self._inputs, free, self._constants)
        model: ModelProto = helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FOREIGN_DOMAIN, 1)],
        )
        return network_of_model(model, self._weights, name)

    def case(self, name: str, *outputs: str) -> ContractCase:
        network = self.network(name, *outputs)
        engine = ReferenceEngine()
        (unit,) = engine.units([Device("CPU", DeviceKind.CPU)])
        reference = engine.compile(network.whole(), unit)
        first, second = (
            [self._random.standard_normal(spec.shape).astype(spec.dtype) for spec in network.inputs]
            for _ in range(2)
        )
        return ContractCase(
            name, network, (first, second), (reference.run(first), reference.run(second))
        )


def _convolution() -> ContractCase:
    draft = _Draft()
    x = draft.input("x", 1, 3, 9, 9)
    weighted = draft.conv(x, draft.weight(8, 3, 3, 3), 3)
    biased = draft.node("Add", weighted, draft.weight(8, 1, 1))
    return draft.case("convolution", draft.node("Relu", biased))


def _depthwise() -> ContractCase:
    draft = _Draft()
    x = draft.input("x", 1, 8, 10, 10)
    x = draft.conv(x, draft.weight(8, 1, 3, 3), 3, group=8, strides=[2, 2])
    scale, offset, mean = draft.weight(8), draft.weight(8), draft.weight(8)
    variance = draft.constant(np.linspace(0.5, 1.5, 8, dtype=np.float32))
    x = draft.node("BatchNormalization", x, scale, offset, mean, variance)
    bounds = [draft.constant(np.array(bound, np.float32)) for bound in (0, 6)]
    return draft.case("depthwise convolution", draft.node("Clip", x, *bounds))


def _pools() -> ContractCase:
    draft = _Draft()
    x = draft.input("x", 1, 4, 8, 8)
    up = draft.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    mean = draft.node("AveragePool", up, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return draft.case("pooling", draft.node("Sigmoid", mean))


def _classifier() -> ContractCase:
    draft = _Draft()
    x = draft.conv(draft.input("x", 1, 3, 8, 8), draft.weight(16, 3, 3, 3), 3)
    x = draft.node("Flatten", draft.node("GlobalAveragePool", x))
    x = draft.node("Gemm", x, draft.weight(10, 16), draft.weight(10), transB=1)
    return draft.case("classifier", draft.node("Softmax", x, axis=1))


def _branches() -> ContractCase:
    draft = _Draft()
    x = draft.input("x", 1, 8, 7, 7)
    stem = draft.node("Relu", draft.conv(x, draft.weight(8, 8, 1, 1), 1))
    narrow = draft.conv(stem, draft.weight(4, 8, 1, 1), 1)
    wide = draft.conv(stem, draft.weight(4, 8, 3, 3), 3)
    both = draft.node("Concat", narrow, wide, axis=1)
    return draft.case("branches and a residual", draft.node("Add", both, stem))


def _several_inputs_and_outputs() -> ContractCase:
    draft = _Draft()
    x, y = draft.input("x", 1, 4, 6, 6), draft.input("y", 1, 4, 6, 6)
    z = draft.conv(x, draft.weight(4, 4, 3, 3), 3)
    total = draft.node("Add", z, y)
    return draft.case("several inputs and outputs", total, draft.node("Tanh", total), z)


def _batch_of_two() -> ContractCase:
    draft = _Draft()
    x = draft.conv(draft.input("x", 2, 3, 8, 8), draft.weight(6, 3, 3, 3), 3)
    return draft.case("batch of two", draft.node("LeakyRelu", x, alpha=0.1))


def _large_input() -> ContractCase:
    """Large enough to be worth borrowing, with nodes that could work in place or be views of it."""
    draft = _Draft()
    x = draft.input("x", 1, 16, 64, 64)
    flat = draft.node("Flatten", x, axis=2)
    positive = draft.node("Relu", x)
    pooled = draft.node("MaxPool", positive, kernel_shape=[2, 2], strides=[2, 2])
    return draft.case("large input", flat, positive, pooled)


def _half_precision() -> ContractCase:
    draft = _Draft(np.float16)
    x = draft.conv(draft.input("x", 1, 3, 8, 8), draft.weight(8, 3, 3, 3), 3)
    return draft.case("half precision", draft.node("Relu", x))


def _quantised() -> ContractCase:
    draft = _Draft()
    step = draft.constant(np.array(_STEP, np.float32))
    middle = draft.constant(np.array(128, np.uint8))

    def through_int8(x: str) -> str:
        return draft.node(
            "DequantizeLinear", draft.node("QuantizeLinear", x, step, middle), step, middle
        )

    kernel = draft.constant(np.random.default_rng(1).integers(-127, 128, (8, 3, 3, 3), np.int8))
    small = draft.constant(np.array(1 / 512, np.float32))
    zero = draft.constant(np.array(0, np.int8))
    x = through_int8(draft.input("x", 1, 3, 8, 8))
    x = draft.conv(x, draft.node("DequantizeLinear", kernel, small, zero), 3)
    return draft.case("quantised to int8", through_int8(draft.node("Relu", x)))
