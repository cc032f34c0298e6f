"""Tiny model files made by tests."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

CLASSES = 10
EDGE = 16


def classifier(batch: int = 1, seed: int = 0) -> bytes:
    """Three convolutions, a mean and a softmax: ``data`` to ``scores`` (batch, 10)."""
    random = np.random.default_rng(seed)
    sizes = [3, 8, 8, CLASSES]
    kept, nodes, tensor = [], [], "data"
    for index in range(3):
        shape = (sizes[index + 1], sizes[index], 3, 3)
        kernel = (random.standard_normal(shape) * 0.2).astype(np.float32)
        kept.append(numpy_helper.from_array(kernel, f"w{index}"))
        nodes.append(
            helper.make_node(
                "Conv", [tensor, f"w{index}"], [f"c{index}"], f"conv{index}", pads=[1] * 4
            )
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"], f"relu{index}"))
        tensor = f"r{index}"
    nodes.append(helper.make_node("GlobalAveragePool", [tensor], ["mean"], "pool"))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"], "flatten"))
    nodes.append(helper.make_node("Softmax", ["flat"], ["scores"], "softmax", axis=1))
    return _model(nodes, kept, [("data", [batch, 3, EDGE, EDGE])], [("scores", [batch, CLASSES])])


def two_inputs() -> bytes:
    """``total = left + right``."""
    nodes = [helper.make_node("Add", ["left", "right"], ["total"], "sum")]
    return _model(nodes, [], [("left", [1, 4]), ("right", [1, 4])], [("total", [1, 4])])


def detector() -> bytes:
    """Of every 3 x 32 x 32 image the same two faces: ``scores`` (1, 2, 2), ``boxes`` (1, 2, 4)."""
    scores = np.array([[[0.1, 0.9], [0.8, 0.2]]], np.float32)
    boxes = np.array([[[0.25, 0.25, 0.75, 0.5], [0.0, 0.0, 0.1, 0.1]]], np.float32)
    kept = [
        numpy_helper.from_array(scores, "s"),
        numpy_helper.from_array(boxes, "b"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.array([1, 1, 1], np.int64), "form"),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"], "mean"),
        helper.make_node("ReduceMean", ["mean"], ["one"], "one", keepdims=1),
        helper.make_node("Reshape", ["one", "form"], ["small"], "small"),
        helper.make_node("Mul", ["small", "zero"], ["nothing"], "nothing"),
        helper.make_node("Add", ["nothing", "s"], ["scores"], "scores"),
        helper.make_node("Add", ["nothing", "b"], ["boxes"], "boxes"),
    ]
    outputs = [("scores", [1, 2, 2]), ("boxes", [1, 2, 4])]
    return _model(nodes, kept, [("data", [1, 3, 32, 32])], outputs)


def _model(
    nodes: list[NodeProto],
    kept: list[TensorProto],
    inputs: list[tuple[str, list[int]]],
    outputs: list[tuple[str, list[int]]],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        kept,
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    data: bytes = made.SerializeToString()
    return data
