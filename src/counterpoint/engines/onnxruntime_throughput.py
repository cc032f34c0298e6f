"""What users of ONNX Runtime do for throughput: one session, or one for each core."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network


class OnnxRuntimeSessions:
    """Sessions that run side by side, each called from its own thread.

    Args:
        sessions: At least one; a single one is called from the caller's thread.
        network: What they run.
    """

    def __init__(self, sessions: Sequence[Any], network: Network) -> None:
        self._name = network.name
        self._names = [spec.name for spec in network.inputs]
        self._sessions = list(sessions)
        several = len(self._sessions) > 1
        self._threads = ThreadPoolExecutor(len(self._sessions)) if several else None

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """See :class:`counterpoint.engines.protocol.InstalledStream`; frames are dealt evenly."""
        feed = dict(zip(self._names, inputs, strict=True))

        def work(number: int) -> None:
            session = self._sessions[number]
            for _ in range(count // len(self._sessions) + (number < count % len(self._sessions))):
                session.run(None, feed)

        try:
            if self._threads is None:
                work(0)
            else:
                for _ in self._threads.map(work, range(len(self._sessions))):
                    pass
        except Exception as error:
            raise EngineError(f"ONNX Runtime fails in {self._name}: {error}") from error

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.InstalledStream`."""
        self._sessions.clear()
        if self._threads is not None:
            self._threads.shutdown()
