"""A network made to show what a unit takes for a node that hardly computes."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

_OPSET = 17
_IR_VERSION = 8

_CHANNELS = 16
_EDGE = 4
"""4 096 multiply-adds a node: some 50 ns on one core of today."""


def chain_network(depth: int) -> Network:
    """``depth`` 1 x 1 convolutions one after the other, fp32, ``(1, 16, 4, 4)`` each. No engine
    makes one of two convolutions.

    Raises:
        MachineError: No room for the weights.
    """
    weights = WeightFile()
    random = np.random.default_rng(0)
    shape = (_CHANNELS, _CHANNELS, 1, 1)
    kept: list[TensorProto] = []
    nodes: list[NodeProto] = []
    tensor = "input"
    for index in range(depth):
        drawn = random.standard_normal(shape, np.float32) / np.float32(_CHANNELS**0.5)
        kept.append(weights.add(f"node{index}.w", drawn))
        output = "output" if index == depth - 1 else f"node{index}"
        nodes.append(
            helper.make_node("Conv", [tensor, f"node{index}.w"], [output], name=f"node{index}")
        )
        tensor = output
    form = [1, _CHANNELS, _EDGE, _EDGE]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, form)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, form)],
        kept,
    )
    model: ModelProto = helper.make_model(
        graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    return network_of_model(model, weights, "chain")
