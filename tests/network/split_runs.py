"""Networks made in memory for tests of splits, and the comparison of split and whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper, numpy_helper

from counterpoint.network.constants import initialisers
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.split import Split
from counterpoint.network.splitting import split
from counterpoint.network.weights import WeightFile
from tests.engine_runs import random_frame, relative_error, run_parts, run_whole

TOLERANCE = 1e-5


def network_from(
    nodes: Sequence[NodeProto],
    shape: Sequence[int],
    constants: Mapping[str, npt.NDArray[np.generic]],
    opset: int = 17,
) -> Network:
    """The network of nodes that read input ``x``; the last one makes its output."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], 1, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return network_in_memory(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
    )


def network_in_memory(model: ModelProto) -> Network:
    weights = WeightFile()
    kept = initialisers(model.graph, weights, weights.scratch.path)
    model.graph.initializer.extend(kept.values())
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}{number}"
    return network_of_model(model, weights, "model")


def check_split(
    network: Network, splits: Sequence[Split], *, engine: str = "onnxruntime", scale: float = 1.0
) -> Network:
    """Splits, and runs both: the split one as a whole and layer by layer."""
    frame = random_frame(network, scale)
    wanted = run_whole(network, frame, engine)
    parted = split(network, splits)
    assert parted.outputs == network.outputs
    assert parted.inputs == network.inputs
    assert relative_error(run_whole(parted, frame, engine), wanted) < TOLERANCE
    singles = [[index] for index in range(len(parted.layers))]
    assert relative_error(run_parts(parted, singles, frame, engine), wanted) < TOLERANCE
    return parted
