"""A network made to show how fast a unit computes: nothing but large convolutions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper

from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

_OPSET = 17
_IR_VERSION = 8

_CHANNELS = 256
_EDGE = 40
_DEPTH = 3
"""Three 3 x 3 convolutions of 256 channels: 2.8 GMAC an image, 7 MB of weights, and activations
that fit the caches next to the cores. Most kernels reach their best rate there."""

_STEP = 1 / 32  # of the int8 form; activations of deviation 1 then span +-4


def probe_network(*, quantised: bool = False, batch: int = 1) -> Network:
    """The probe with seeded weights.

    Args:
        quantised: In int8 by its own definition (QuantizeLinear and DequantizeLinear pairs around
            each convolution); otherwise fp32.
        batch: Images in one input ``(batch, 256, 40, 40)``.

    Raises:
        MachineError: No room for the weights.
    """
    weights = WeightFile()
    random = np.random.default_rng(0)
    nodes: list[NodeProto] = []
    kept: list[TensorProto] = []

    def constant(name: str, array: npt.NDArray[np.generic]) -> str:
        kept.append(weights.add(name, array))
        return name

    def node(operator: str, inputs: list[str], output: str, **attributes: list[int]) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))  # type: ignore[arg-type]
        return output

    def through_int8(tensor: str, name: str) -> str:
        whole = node("QuantizeLinear", [tensor, "step", "middle"], f"{name}/q")
        return node("DequantizeLinear", [whole, "step", "middle"], f"{name}/dq")

    if quantised:
        constant("step", np.array(_STEP, np.float32))
        constant("zero", np.array(0, np.int8))
        constant("middle", np.array(128, np.uint8))  # unsigned activations: every engine's best
    shape = (_CHANNELS, _CHANNELS, 3, 3)
    tensor = through_int8("input", "input") if quantised else "input"
    for index in range(_DEPTH):
        name = f"conv{index}"
        if quantised:
            constant(f"{name}.q", random.integers(-127, 128, shape, np.int8))
            constant(f"{name}.step", np.array(1 / (127 * 9 * _CHANNELS) ** 0.5 / 8, np.float32))
            kernel = node("DequantizeLinear", [f"{name}.q", f"{name}.step", "zero"], f"{name}.w")
        else:
            drawn = random.standard_normal(shape, np.float32) * (2 / (9 * _CHANNELS)) ** 0.5
            kernel = constant(f"{name}.w", drawn.astype(np.float32))
        tensor = node("Conv", [tensor, kernel], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        tensor = node("Relu", [tensor], f"{name}/relu")
        if quantised:
            tensor = through_int8(tensor, name)
    nodes[-1].output[0] = "output"
    form = [batch, _CHANNELS, _EDGE, _EDGE]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, form)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, form)],
        kept,
    )
    model: ModelProto = helper.make_model(
        graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    return network_of_model(model, weights, "probe")
