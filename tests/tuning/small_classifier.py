"""A small classifier with a residual and a pool, and images of it, made in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

CHANNELS = 16
EDGE = 12
CLASSES = 10


def small_classifier(
    *, softmax: bool = True, seed: int = 0, batch: int = 1, dead: bool = False
) -> Network:
    """Six layers with arithmetic: five convolutions and a product.

    Args:
        softmax: It ends in one.
        seed: Of its weights.
        batch: Images in a frame.
        dead: The third convolution's result is never positive, so its Relu makes zeros only.
    """
    weights = WeightFile()
    random = np.random.default_rng(seed)

    def drawn(name: str, *shape: int) -> TensorProto:
        scale = (2 / np.prod(shape[1:])) ** 0.5
        return weights.add(name, (random.standard_normal(shape) * scale).astype(np.float32))

    kept = [drawn("w0", CHANNELS, 3, 3, 3)]
    nodes = [helper.make_node("Conv", ["input", "w0"], ["c0"], "conv0", pads=[1, 1, 1, 1])]
    nodes.append(helper.make_node("Relu", ["c0"], ["r0"], "relu0"))
    for index in range(1, 5):
        kept.append(drawn(f"w{index}", CHANNELS, CHANNELS, 3, 3))
        nodes.append(
            helper.make_node(
                "Conv",
                [f"r{index - 1}", f"w{index}"],
                [f"c{index}"],
                f"conv{index}",
                pads=[1, 1, 1, 1],
            )
        )
        made = f"c{index}"
        if index == 3:
            nodes.append(helper.make_node("Add", [made, "r1"], ["s3"], "sum3"))
            made = "s3"
        nodes.append(helper.make_node("Relu", [made], [f"r{index}"], f"relu{index}"))
    nodes.append(
        helper.make_node("MaxPool", ["r4"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2])
    )
    nodes.append(helper.make_node("GlobalAveragePool", ["p"], ["g"], "average"))
    nodes.append(helper.make_node("Flatten", ["g"], ["f"], "flatten"))
    kept.append(drawn("fc", CLASSES, CHANNELS))
    nodes.append(helper.make_node("Gemm", ["f", "fc"], ["logits"], "gemm", transB=1))
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1))
    output = "probabilities" if softmax else "logits"
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, EDGE, EDGE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, CLASSES])],
        kept,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    if dead:
        bias = weights.add("bias", np.full(CHANNELS, -1e6, np.float32))
        model.graph.initializer.append(bias)
        next(node for node in model.graph.node if node.name == "conv2").input.append("bias")
    return network_of_model(model, weights, "classifier")


def images(count: int, *, seed: int = 0) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Smooth patterns of random direction and colour."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:EDGE, 0:EDGE] / EDGE
    found = []
    for _ in range(count):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        wave = np.sin(8 * (rows * np.cos(angle) + columns * np.sin(angle)) + phase)
        colour = random.standard_normal((3, 1, 1))
        noise = 0.3 * random.standard_normal((3, EDGE, EDGE))
        found.append({"input": (colour * wave + noise)[None].astype(np.float32)})
    return found
