"""What a converted segment is compared with: the same layers in fp32, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind


def seeded_inputs(segment: Subnetwork) -> list[npt.NDArray[np.float32]]:
    """Of standard deviation 1, in fp32, one for each input."""
    random = np.random.default_rng(0)
    return [random.standard_normal(spec.shape or (), np.float32) for spec in segment.inputs]


def expected_outputs(
    segment: Subnetwork, inputs: Sequence[npt.NDArray[np.float32]]
) -> list[Tensor | None]:
    """What the segment makes of them; ``None`` for each output where ONNX Runtime is missing or
    does not run it.
    """
    from counterpoint.engines.onnxruntime import OnnxRuntimeEngine

    unit = ComputeUnit("onnxruntime", (Device("CPU", DeviceKind.CPU),), "fp32")
    try:
        compiled = OnnxRuntimeEngine().compile(segment, unit)
        try:
            given = [
                tensor.astype(spec.dtype)
                for tensor, spec in zip(inputs, segment.inputs, strict=True)
            ]
            return list(compiled.run(given))
        finally:
            compiled.close()
    except EngineError:
        return [None] * len(segment.outputs)


def widen(model: Any) -> None:
    """Turns a model's fp16 tensors into fp32, in place: pnnx reads no others.

    Args:
        model: An ``onnx.ModelProto`` whose weights are inside.
    """
    from onnx import AttributeProto, TensorProto, numpy_helper

    half, single = TensorProto.FLOAT16, TensorProto.FLOAT

    def widened(tensor: TensorProto) -> None:
        if tensor.data_type == half:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    graph = model.graph
    for tensor in graph.initializer:
        widened(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = single
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                widened(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == half:
                attribute.i = single
