"""A network of five convolutions in a row with a residual, made in memory."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

CHANNELS = 16
EDGE = 32


def small_network(name: str = "small", seed: int = 0) -> Network:
    weights = WeightFile()
    random = np.random.default_rng(seed)
    nodes, kept = [], []
    tensor = "input"
    for index in range(5):
        scale = (2 / (9 * CHANNELS)) ** 0.5
        kernel = random.standard_normal((CHANNELS, CHANNELS, 3, 3)) * scale
        kept.append(weights.add(f"w{index}", kernel.astype(np.float32)))
        label = f"conv{index}"
        nodes.append(
            helper.make_node("Conv", [tensor, f"w{index}"], [label], label, pads=[1, 1, 1, 1])
        )
        if index == 3:
            nodes.append(helper.make_node("Add", [label, "relu1"], [f"sum{index}"], "sum"))
            label = f"sum{index}"
        nodes.append(helper.make_node("Relu", [label], [f"relu{index}"], f"relu{index}"))
        tensor = f"relu{index}"
    nodes[-1].output[0] = "output"
    shape = [1, CHANNELS, EDGE, EDGE]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        kept,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return network_of_model(model, weights, name)
