"""OpenVINO as it runs by default: one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from counterpoint.engines.protocol import NodeProfile, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network


class OpenVinoDefault:
    """One request whose tensors are set beforehand, as OpenVINO's own ``benchmark_app`` has it."""

    def __init__(self, library: Any, compiled: Any, network: Network) -> None:
        self._tensor = library.Tensor
        self._name = network.name
        self._request = compiled.create_infer_request()
        self._bound: list[Tensor | None] = [None] * len(network.inputs)
        self._outputs = range(len(network.outputs))

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        try:
            for index, (array, bound) in enumerate(zip(inputs, self._bound, strict=True)):
                if array is not bound:
                    whole = np.ascontiguousarray(array)
                    self._request.set_input_tensor(index, self._tensor(whole, shared_memory=True))
                    self._bound[index] = whole  # another array, and bound anew, where it is a copy
            self._request.infer()
            results = [self._request.get_output_tensor(index).data for index in self._outputs]
        except Exception as error:
            raise EngineError(f"OpenVINO fails in {self._name}: {error}") from error
        if outputs is None:
            return [result.copy() for result in results]
        for buffer, made in zip(outputs, results, strict=True):
            buffer[...] = made
        return outputs

    def profile(self) -> NodeProfile | None:
        """Not measured."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._request = None
        self._bound = []
