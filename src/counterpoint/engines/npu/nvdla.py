"""NVDLA as what computes a unit's segments: results, not cycles, operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from counterpoint.costs.models.nvdla import Nvdla
from counterpoint.engines.failures import compile_failure, run_failure
from counterpoint.engines.npu import nvdla_half, nvdla_integer
from counterpoint.engines.npu.nodes import Node, SegmentNodes, handed_over, segment_nodes
from counterpoint.engines.npu.nvdla_half import rounded
from counterpoint.engines.npu.nvdla_integer import Scaled, converted
from counterpoint.engines.npu.vta import NOT_QUANTISED
from counterpoint.engines.npu.windows import Array, leaves_padding_out
from counterpoint.engines.protocol import NodeProfile, Tensor
from counterpoint.network.graph import Layer, Subnetwork
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit

Value: TypeAlias = Array | Scaled
Step: TypeAlias = Callable[[dict[str, Value]], None]

_KEEP_SHAPE = frozenset({"QuantizeLinear", "DequantizeLinear", "Relu", "Clip", "LeakyRelu"})

_BOUNDS = {"int8": (-128, 127), "uint8": (0, 255)}

_SIGNED = "NVDLA has int8 around 0 only: quantise it with Scheme(activations='signed')"


class NvdlaArithmetic:
    """An NVDLA in one precision.

    Args:
        hardware: What it refuses is not computed either.
    """

    def __init__(self, hardware: Nvdla) -> None:
        self._hardware = hardware

    @property
    def scheme(self) -> Scheme | None:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        return Scheme(activations="signed") if self._hardware.precision == "int8" else None

    def version(self) -> str:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        return f"functional NVDLA 1 {self._hardware.precision}"

    def unsupported_reason(self, layer: Layer) -> str | None:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        cost = self._hardware.cost(layer)
        if isinstance(cost, str):
            return cost
        if self._hardware.precision == "int16":
            return "nothing here quantises networks to int16"
        if self._hardware.precision == "int8" and not layer.computes_int8:
            return NOT_QUANTISED
        return None

    def compile(self, segment: Subnetwork, unit: ComputeUnit) -> NvdlaSegment:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        for layer in segment.layers:
            reason = self.unsupported_reason(layer)
            if reason is not None:
                raise compile_failure(segment, unit, f"{layer.name}: {reason}")
        try:
            parts = segment_nodes(segment)
            write = _integer_step if self._hardware.precision == "int8" else _half_step
            for node in parts.nodes:
                if leaves_padding_out(node):
                    raise ValueError(
                        f"NVDLA's pooling does not leave padding out of the mean ({node.name})"
                    )
            steps = [write(parts, segment, node) for node in parts.nodes]
        except ValueError as error:
            raise compile_failure(segment, unit, error) from error
        return NvdlaSegment(segment, unit, steps)


class NvdlaSegment:
    """Operators in run order."""

    def __init__(self, segment: Subnetwork, unit: ComputeUnit, steps: Sequence[Step]) -> None:
        self._segment = segment
        self._unit = unit
        self._steps = steps

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if len(inputs) != len(self._segment.inputs) or not self._steps:
            raise run_failure(
                self._segment, self._unit, f"{len(inputs)} inputs, or the segment is closed"
            )
        held: dict[str, Value] = {
            spec.name: rounded(array) if spec.dtype.startswith("float") else array
            for spec, array in zip(self._segment.inputs, inputs, strict=True)
        }
        try:
            for step in self._steps:
                step(held)
        except ValueError as error:
            raise run_failure(self._segment, self._unit, error) from error
        made = [
            np.ascontiguousarray(_plain(held[spec.name]), spec.dtype)
            for spec in self._segment.outputs
        ]
        return handed_over(made, outputs)

    def profile(self) -> NodeProfile | None:
        """The host's times say nothing of NVDLA."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._steps = []


def _half_step(parts: SegmentNodes, segment: Subnetwork, node: Node) -> Step:
    """A node in fp16. What ends a layer is rounded; what stays inside it is not."""
    result = node.outputs[0]
    operation = nvdla_half.OPERATIONS.get(node.operator)
    if node.operator == "QuantizeLinear":
        zero = parts.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        bounds = None if zero is None else _BOUNDS.get(zero.dtype.name)
        if bounds is None:
            raise ValueError(f"{node.name} makes neither int8 nor uint8")
        operation = partial(nvdla_half.quantised, *bounds)
    if operation is None:
        raise ValueError(f"NVDLA's compiler has no operator {node.operator} in fp16 ({node.name})")
    ends = any(result in layer.outputs for layer in segment.layers)
    shape = _shape(parts, segment, node)

    def step(held: dict[str, Value]) -> None:
        inputs = [
            np.asarray(_plain(parts.constants[n] if n in parts.constants else held[n]), np.float32)
            for n in node.inputs
            if n
        ]
        made = operation(node, inputs, shape)
        held[result] = rounded(made) if ends else made

    return step


def _integer_step(parts: SegmentNodes, segment: Subnetwork, node: Node) -> Step:
    """A node in int8: between DequantizeLinear and QuantizeLinear all is integers."""
    source, result = node.inputs[0], node.outputs[0]
    if node.operator in ("QuantizeLinear", "DequantizeLinear"):
        scale = parts.scale(node)
        zero = parts.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        if zero is None or zero.dtype not in (np.int8, np.int32) or np.any(zero):
            raise ValueError(f"{_SIGNED} ({node.name})")
        if node.operator == "QuantizeLinear":
            if scale.size != 1:
                raise ValueError(f"{node.name} has several scales")
            return partial(_convert, source, result, float(scale.reshape(-1)[0]))
        flat = scale.reshape(-1) if scale.size > 1 else scale.reshape(())
        return partial(_read, source, result, parts.constants.get(source), flat)
    operation = nvdla_integer.OPERATIONS.get(node.operator)
    if operation is None:
        raise ValueError(f"NVDLA's compiler has no operator {node.operator} in int8 ({node.name})")
    shape = _shape(parts, segment, node)
    constants = {
        name: Scaled(np.zeros((), np.int64) + 1, np.asarray(parts.constants[name], np.float64))
        for name in node.inputs
        if name in parts.constants and node.operator != "Reshape"
    }

    def step(held: dict[str, Value]) -> None:
        inputs = [constants[n] if n in constants else held[n] for n in node.inputs if n]
        integers = [value for value in inputs if isinstance(value, Scaled)]
        held[result] = operation(node, integers, shape)

    return step


def _convert(source: str, result: str, scale: float, held: dict[str, Value]) -> None:
    value = held[source]
    if not isinstance(value, Scaled):
        raise ValueError(  # noqa: TRY004 - the network's fault
            f"tensor {source!r} is in float, and NVDLA's int8 unit takes int8"
        )
    held[result] = converted(value, scale)


def _read(
    source: str, result: str, constant: Tensor | None, scale: Array, held: dict[str, Value]
) -> None:
    values = _plain(held[source]) if constant is None else constant
    held[result] = Scaled(np.asarray(values, np.int64), scale)


def _shape(parts: SegmentNodes, segment: Subnetwork, node: Node) -> tuple[int, ...]:
    """Of what a node makes, where the network knows it: at the end of its layer."""
    name = node.outputs[0]
    while name not in segment.network.tensors:
        readers = parts.readers.get(name, ())
        if len(readers) != 1 or readers[0].operator not in _KEEP_SHAPE:
            return ()
        name = readers[0].outputs[0]
    return segment.network.tensors[name].shape or ()


def _plain(value: Value) -> Array:
    """A tensor in real numbers, or integers that leave as they are."""
    if isinstance(value, Scaled):
        return np.asarray(value.values * value.along(value.scale), np.float32)
    return value
