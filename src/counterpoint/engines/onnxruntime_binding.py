"""Ways to tell a session of ONNX Runtime in which memory its tensors are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import ITEM_BYTES, Subnetwork, TensorSpec
from counterpoint.platform.model import ComputeUnit

COPY_BYTES = 64 * 1024
"""Segments whose inputs and outputs are no larger than this in all. Binding saves 1.6 us of a call
of 26 us (MNIST, EPYC, ONNX Runtime 1.31, own measurement); copying 64 KB takes about 3 us."""


class BoundTensors:
    """Buffers of our own that a session reads and writes, and the copies in and out of them.

    For small tensors the quickest way through the library's Python layer.
    """

    def __init__(self, library: Any, segment: Subnetwork, session: Any) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._inputs = [np.empty(spec.shape or (), spec.dtype) for spec in segment.inputs]
        self._outputs = [np.empty(spec.shape or (), spec.dtype) for spec in segment.outputs]
        for spec, buffer in zip(segment.inputs, self._inputs, strict=True):
            self._binding.bind_cpu_input(spec.name, buffer)
        for spec, buffer in zip(segment.outputs, self._outputs, strict=True):
            value = library.OrtValue.ortvalue_from_numpy(buffer)
            self._binding.bind_ortvalue_output(spec.name, value)

    @classmethod
    def of(
        cls, library: Any, segment: Subnetwork, unit: ComputeUnit, session: Any
    ) -> BoundTensors | None:
        """Bound tensors where they pay: small ones of known shape, on the CPU's own provider."""
        sizes = [_bindable_bytes(spec) for spec in (*segment.inputs, *segment.outputs)]
        if unit.setting("provider") or None in sizes or passes_on(segment):
            return None
        total = sum(size for size in sizes if size is not None)
        return cls(library, segment, session) if total <= COPY_BYTES else None

    def run(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        for buffer, tensor in zip(self._inputs, inputs, strict=True):
            buffer[...] = tensor
        self._session.run_with_iobinding(self._binding)
        if outputs is None:
            return [buffer.copy() for buffer in self._outputs]
        for lent, buffer in zip(outputs, self._outputs, strict=True):
            lent[...] = buffer
        return outputs


class LentOutputs:
    """Outputs written where the caller wants them, without a copy."""

    def __init__(self, library: Any, segment: Subnetwork, session: Any) -> None:
        self._value_of = library.OrtValue.ortvalue_from_numpy
        self._session = session
        self._binding = session.io_binding()
        self._inputs = tuple(spec.name for spec in segment.inputs)
        self._outputs = tuple(spec.name for spec in segment.outputs)
        self._bound: list[Tensor | None] = [None] * len(self._outputs)

    @classmethod
    def of(
        cls, library: Any, segment: Subnetwork, unit: ComputeUnit, session: Any
    ) -> LentOutputs | None:
        """Bound outputs where the library takes them: on the CPU's own provider."""
        if unit.setting("provider") or passes_on(segment):
            return None
        if any(_bindable_bytes(spec) is None for spec in (*segment.inputs, *segment.outputs)):
            return None
        return cls(library, segment, session)

    def run(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        for name, tensor in zip(self._inputs, inputs, strict=True):
            self._binding.bind_cpu_input(name, tensor)
        # An array that comes back needs no new binding, which costs 2.4 us (own measurement).
        for index, (name, lent) in enumerate(zip(self._outputs, outputs, strict=True)):
            if self._bound[index] is not lent:
                self._binding.bind_ortvalue_output(name, self._value_of(lent))
                self._bound[index] = lent
        self._session.run_with_iobinding(self._binding)
        return outputs


def passes_on(segment: Subnetwork) -> bool:
    """An output is an input; the library doesn't write such a one where it is bound."""
    made = {spec.name for spec in segment.outputs}
    return any(spec.name in made for spec in segment.inputs)


def _bindable_bytes(spec: TensorSpec) -> int | None:
    """Size of a tensor that NumPy can hold; ``None`` for others."""
    return spec.size_bytes if spec.dtype in ITEM_BYTES and spec.dtype != "bfloat16" else None
