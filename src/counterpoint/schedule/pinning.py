"""Threads that stay on the processors of their device."""

from __future__ import annotations

import os
from threading import Thread

from counterpoint.errors import MachineError
from counterpoint.schedule.dispatch_graph import SegmentNode


def needs_pinning(node: SegmentNode) -> bool:
    """The segment belongs on some of the processors that this program may use, not on all."""
    return _is_part(node.cores)


def pin(thread: Thread, cores: tuple[int, ...]) -> None:
    """Binds a started thread to processors, where these are only some of the program's.

    Raises:
        MachineError: This program may not use them.
    """
    if thread.native_id is None or not _is_part(cores):
        return
    try:
        os.sched_setaffinity(thread.native_id, cores)
    except OSError as error:
        raise MachineError(
            f"cannot run {thread.name} on processors {list(cores)}: {error.strerror}; "
            "make a plan for the processors that this program may use"
        ) from error


def _is_part(cores: tuple[int, ...]) -> bool:
    if not cores or not hasattr(os, "sched_getaffinity"):
        return False
    return not os.sched_getaffinity(0) <= set(cores)
