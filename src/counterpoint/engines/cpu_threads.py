"""How many threads an engine shall use on a CPU device."""

from __future__ import annotations

import os

from counterpoint.platform.model import ComputeUnit

MOST_THREADS_PER_CORE = 2
"""Of the processors in common use (x86); a device lists one processor for each core."""


def thread_count(unit: ComputeUnit) -> int | None:
    """Threads for a unit on a CPU, or ``None`` where the engine's own default is right.

    The default is right on a whole CPU. It is wrong on a part of one, and in a container whose
    quota is below its processors: engines count processors and do not see the quota.
    """
    asked = unit.setting("threads")
    if asked is not None:
        return max(1, int(asked))
    device = unit.devices[0]
    if not device.cores:
        return None
    if device.is_part or len(device.cores) * MOST_THREADS_PER_CORE < _visible_processors():
        return len(device.cores)
    return None


def _visible_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
