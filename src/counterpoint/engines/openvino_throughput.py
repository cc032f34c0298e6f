"""OpenVINO's own throughput mode: what its benchmark_app does with ``-hint throughput``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError


class OpenVinoQueue:
    """As many asynchronous requests as the compiled model says are best.

    Args:
        openvino: The library.
        compiled: A model compiled with ``PERFORMANCE_HINT`` ``THROUGHPUT``.
        name: Of the network, for messages.
    """

    def __init__(self, openvino: Any, compiled: Any, name: str) -> None:
        self._name = name
        self._tensor = openvino.Tensor
        requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._queue = openvino.AsyncInferQueue(compiled, requests)
        self._bound: list[Tensor] = []

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """See :class:`counterpoint.engines.protocol.InstalledStream`.

        Tensors are filled once and the requests started again and again, as benchmark_app does.
        """
        try:
            if len(self._bound) != len(inputs) or any(
                old is not new for old, new in zip(self._bound, inputs, strict=True)
            ):
                for request in self._queue:
                    for index, array in enumerate(inputs):
                        request.set_input_tensor(index, self._tensor(array.copy()))
                self._bound = list(inputs)
            for _ in range(count):
                self._queue.start_async()
            self._queue.wait_all()
        except Exception as error:
            raise EngineError(f"OpenVINO fails in {self._name}: {error}") from error

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.InstalledStream`."""
        self._queue = None
