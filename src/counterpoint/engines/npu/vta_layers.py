"""Convolutions in QDQ form as VTA's integers: scales become shifts.

With input, weight and output scales ``x``, ``w[k]`` and ``y`` that are powers of two,

    output = round(sum * x * w[k] / y) = (sum + 2**(shift[k] - 1)) >> shift[k]
    shift[k] = log2(y / (x * w[k]))

VTA's compiler did the same: power-of-two scales, and shift and clip in place of a multiplication
(Moreau et al., ReQuEST 2018). A result that lies exactly between two steps is rounded up, where
QuantizeLinear takes the even one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.engines.npu.nodes import Dequantised, Node, SegmentNodes
from counterpoint.engines.npu.vta_convolution import IntegerConvolution
from counterpoint.network.graph import LoopNest, Subnetwork

MOST_SHIFT = 31
"""A sum has 32 bits."""

_WAY_OUT = "quantise it with Scheme(activations='signed', power_of_two=True), as `plan -p` does"


@dataclass(frozen=True, slots=True, eq=False)
class VtaLayer:
    """A convolution and the int8 tensors on both of its sides.

    Attributes:
        source: Name of the tensor that it reads.
        result: Name of the tensor that it makes.
        arithmetic: What it does.
    """

    source: str
    result: str
    arithmetic: IntegerConvolution


def vta_layers(segment: Subnetwork, parts: SegmentNodes) -> Iterator[VtaLayer]:
    """The segment's layers in run order.

    Raises:
        ValueError: A layer is not what VTA computes; the message says why, and what would be.
    """
    nest_of = {layer.name: layer.loops for layer in segment.layers}
    used = set()
    for node in parts.nodes:
        if node.operator == "Conv":
            nest = nest_of.get(node.name)
            if nest is None:
                raise ValueError(f"the shapes of {node.name} are not known")
            layer, followers = _layer(parts, node, nest)
            used |= {node.name, *followers}
            yield layer
    for node in parts.nodes:
        if node.operator != "DequantizeLinear" and node.name not in used:
            raise ValueError(f"VTA has no {node.operator} by itself ({node.name})")


def _layer(parts: SegmentNodes, node: Node, nest: LoopNest) -> tuple[VtaLayer, set[str]]:
    source = parts.dequantised(node.inputs[0])
    weights = parts.dequantised(node.inputs[1])
    if source is None or weights is None or weights.values is None:
        raise ValueError(f"{node.name} is not quantised: {_WAY_OUT}")
    kernel = weights.values
    if kernel.dtype != np.int8 or not (source.is_centred and weights.is_centred):
        raise ValueError(f"{node.name} has uint8 weights or zero points: {_WAY_OUT}")
    if weights.scale.size > 1 and weights.axis != 0:
        raise ValueError(f"the weights of {node.name} have scales along another axis than 0")
    lowest, highest, last = _bounds(parts, node)
    scale, dtype, centred = _quantiser(parts, last)
    if dtype != np.int8 or not centred:
        raise ValueError(f"the result of {node.name} is not int8 around 0: {_WAY_OUT}")
    step = source.scale.reshape(-1)[:1] * weights.scale.reshape(-1)
    shift = _exponents(node, scale / np.broadcast_to(step, (nest.out_channels,)))
    bias = _bias(parts, node, nest, step)
    rounded = bias + np.where(shift > 0, np.int64(1) << np.clip(shift - 1, 0, MOST_SHIFT), 0)
    if np.abs(rounded).max() >= 2**31:
        raise ValueError(f"a bias of {node.name} does not fit 32 bits")
    arithmetic = IntegerConvolution(
        nest,
        kernel.astype(np.int8),
        rounded.astype(np.int32),
        shift.astype(np.int32),
        int(max(-128, np.rint(lowest / scale))) if lowest is not None else -128,
        int(min(127, np.rint(highest / scale))) if highest is not None else 127,
    )
    followers = {follower.name for follower in _followers(parts, node)}
    return VtaLayer(source.name, last.outputs[0], arithmetic), followers


def _followers(parts: SegmentNodes, node: Node) -> Iterator[Node]:
    """What reads the convolution's result, up to where it becomes int8."""
    while True:
        readers = parts.readers.get(node.outputs[0], ())
        if len(readers) != 1:
            raise ValueError(f"the result of {node.name} leaves VTA before it is int8")
        node = readers[0]
        yield node
        if node.operator == "QuantizeLinear":
            return


def _bounds(parts: SegmentNodes, node: Node) -> tuple[float | None, float | None, Node]:
    """What activations leave, and the QuantizeLinear behind them."""
    lowest: float | None = None
    highest: float | None = None
    for follower in _followers(parts, node):
        if follower.operator == "Relu":
            lowest = max(0.0, lowest or 0.0)
        elif follower.operator == "Clip":
            low, high = (
                parts.scalar(follower.inputs[place]) if place < len(follower.inputs) else None
                for place in (1, 2)
            )
            lowest = low if lowest is None else lowest if low is None else max(low, lowest)
            highest = high if highest is None else highest if high is None else min(high, highest)
        elif follower.operator != "QuantizeLinear":
            raise ValueError(f"VTA's ALU has no {follower.operator} ({follower.name})")
        else:
            return lowest, highest, follower
    raise ValueError(f"the result of {node.name} is not int8")


def _quantiser(parts: SegmentNodes, node: Node) -> tuple[float, npt.DTypeLike, bool]:
    scale = parts.scale(node)
    zero = parts.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if scale.size != 1 or zero is None:
        raise ValueError(f"{node.name} has several scales, or no zero point")
    return float(scale.reshape(-1)[0]), zero.dtype, not np.any(zero)


def _bias(
    parts: SegmentNodes, node: Node, nest: LoopNest, step: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """In steps of a sum."""
    if len(node.inputs) < 3 or not node.inputs[2]:
        return np.zeros(nest.out_channels, np.int64)
    found: Dequantised | None = parts.dequantised(node.inputs[2])
    if found is not None and found.values is not None:
        exact = found.values.astype(np.float64) * found.scale
    elif node.inputs[2] in parts.constants:
        exact = parts.constants[node.inputs[2]].astype(np.float64)
    else:
        raise ValueError(f"the bias of {node.name} is not constant")
    return np.rint(exact / step).astype(np.int64)


def _exponents(node: Node, ratios: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Base-2 logarithms, all whole."""
    mantissas, exponents = np.frexp(ratios)
    if not (mantissas == 0.5).all():
        raise ValueError(f"a scale of {node.name} is no power of two: {_WAY_OUT}")
    shift = exponents.astype(np.int64) - 1
    if shift.max() > MOST_SHIFT or shift.min() < -MOST_SHIFT:
        raise ValueError(f"{node.name} would be shifted by more than {MOST_SHIFT} bits")
    return shift
