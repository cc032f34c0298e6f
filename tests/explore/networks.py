"""Networks that several tests explore for, built once."""

from __future__ import annotations

from functools import cache

from counterpoint.explore.workload import Workload
from counterpoint.network.graph import Network
from counterpoint.network.loading import load


@cache
def zoo(name: str) -> Network:
    return load(f"zoo:{name}")


def workload(*names: str, images: tuple[int, ...] | None = None) -> Workload:
    return Workload(tuple(zoo(name) for name in names), images or (1,) * len(names))
