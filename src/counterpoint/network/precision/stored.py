"""Values of a graph's stored constants."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from counterpoint.network.external_data import read_external
from counterpoint.network.onnx_graph import OnnxGraph
from counterpoint.network.weights import is_inline, tensor_bytes


def stored_values(graph: OnnxGraph, name: str) -> npt.NDArray[np.generic] | None:
    """A copy of a stored constant; ``None`` for what a node makes or a frame gives.

    Raises:
        ModelFileError: The weight file is damaged.
    """
    tensor = graph.constants.get(name)
    if tensor is None:
        return None
    if is_inline(tensor):
        return np.array(numpy_helper.to_array(tensor))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    with read_external(tensor, graph.weights.scratch.path, tensor_bytes(tensor)) as data:
        return np.frombuffer(data, dtype).reshape(tuple(tensor.dims)).copy()
