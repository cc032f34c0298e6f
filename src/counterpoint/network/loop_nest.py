"""The loops of a convolution or product, which is what models of accelerators compute from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from onnx import NodeProto

from counterpoint.network.arithmetic import CONVOLUTIONS, MATRIX_PRODUCTS
from counterpoint.network.graph import LoopNest, TensorSpec


def loop_nest(node: NodeProto, specs: Mapping[str, TensorSpec]) -> LoopNest | None:
    """The loops of a node; ``None`` for other operators, other ranks, or unknown shapes."""
    if node.op_type in CONVOLUTIONS:
        return _convolution(node, specs)
    if node.op_type in MATRIX_PRODUCTS:
        return _product(node, specs)
    return None


def _convolution(node: NodeProto, specs: Mapping[str, TensorSpec]) -> LoopNest | None:
    source = _shape(specs, node.input[0])
    weights = _shape(specs, node.input[CONVOLUTIONS[node.op_type]])
    result = _shape(specs, node.output[0])
    if source is None or weights is None or result is None:
        return None
    if not len(source) == len(weights) == len(result) == 4:
        return None
    ints = {a.name: tuple(a.ints) for a in node.attribute}
    groups = next((int(a.i) for a in node.attribute if a.name == "group"), 1)
    stride = _pair(ints.get("strides"), 1)
    dilation = _pair(ints.get("dilations"), 1)
    pads = ints.get("pads")
    if pads is None or len(pads) != 4:  # auto_pad: what the shapes imply, more of it at the end
        missing = [
            max(0, (out - 1) * step + (size - 1) * apart + 1 - there)
            for out, step, size, apart, there in zip(
                result[2:], stride, weights[2:], dilation, source[2:], strict=True
            )
        ]
        before = [total // 2 for total in missing]
        pads = (*before, *(total - first for total, first in zip(missing, before, strict=True)))
    return LoopNest(
        batch=source[0],
        groups=groups,
        in_channels=source[1],
        out_channels=result[1],
        input_size=(source[2], source[3]),
        output_size=(result[2], result[3]),
        kernel=(weights[2], weights[3]),
        stride=stride,
        dilation=dilation,
        pads=(pads[0], pads[1], pads[2], pads[3]),
    )


def _product(node: NodeProto, specs: Mapping[str, TensorSpec]) -> LoopNest | None:
    left, result = _shape(specs, node.input[0]), _shape(specs, node.output[0])
    if not left or not result or len(result) < 2:
        return None
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return LoopNest(
        batch=prod(result[:-1]),
        in_channels=left[0] if transposed else left[-1],
        out_channels=result[-1],
    )


def _pair(values: Sequence[int] | None, default: int) -> tuple[int, int]:
    return (values[0], values[1]) if values and len(values) == 2 else (default, default)


def _shape(specs: Mapping[str, TensorSpec], name: str) -> tuple[int, ...] | None:
    spec = specs.get(name)
    return None if spec is None else spec.shape
