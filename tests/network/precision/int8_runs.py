"""Ranges by brute force, and networks without their conversions, for tests of int8 rewrites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import observed
from counterpoint.network.precision.ranges import Ranges, TensorRange
from tests.engine_runs import run_segment


def min_max(network: Network, frames: Sequence[Mapping[str, Tensor]]) -> Ranges:
    """What was seen, and nothing clipped."""
    segment = observed(network)
    seen: dict[str, list[float]] = {}
    for frame in frames:
        made = run_segment(segment, frame) if segment.outputs else []
        tensors = {spec.name: t for spec, t in zip(segment.outputs, made, strict=True)}
        for name, tensor in {**frame, **tensors}.items():
            seen.setdefault(name, []).extend((float(tensor.min()), float(tensor.max())))
    ends = {name: (min(values), max(values)) for name, values in seen.items()}
    return Ranges(
        len(frames), {n: TensorRange(low, high, low, high) for n, (low, high) in ends.items()}
    )


def without_conversions(network: Network) -> ModelProto:
    """The whole network where nothing that depends on a frame goes through integers."""
    model = onnx.load(network.whole().onnx_path())
    constant = {tensor.name for tensor in model.graph.initializer}
    exact: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [exact.get(name, name) for name in node.input]
        conversion = node.op_type in ("QuantizeLinear", "DequantizeLinear")
        if conversion and node.input[0] not in constant:
            exact[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    returned = {value.name for value in model.graph.output}
    for name in returned & exact.keys():
        kept.append(onnx.helper.make_node("Identity", [exact[name]], [name]))
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(kept)
    return model


def run_model(model: ModelProto, frame: Mapping[str, Tensor]) -> list[Tensor]:
    """By ONNX Runtime as it is installed."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = {value.name: np.asarray(frame[value.name]) for value in session.get_inputs()}
    return list(session.run(None, given))
