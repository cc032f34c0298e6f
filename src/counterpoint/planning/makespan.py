"""How long one frame takes when whatever can run at the same time does.

Steps start by the dispatcher's rule: a step starts as soon as those that it waits for have ended
and its devices are idle; where several could, the one that comes first goes first. That rule never
leaves everything idle before the end, so the frame takes no longer than all steps one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True, slots=True)
class Step:
    """A segment, or a tensor on its way over a link.

    Attributes:
        devices: Names of devices and links that are busy meanwhile.
        waits: Indices of the steps that have to end before; all are smaller than its own.
        time_ns: How long, at least 0.
    """

    devices: frozenset[str]
    waits: frozenset[int]
    time_ns: int


def makespan_ns(steps: Sequence[Step]) -> int:
    """When the last step ends, if the first ones start at 0.

    Steps that end at the same time end one after another, in the order of their starts, and after
    each of them whatever can start does.
    """
    unmet = [len(step.waits) for step in steps]
    waiting: list[list[int]] = [[] for _ in steps]
    for index, step in enumerate(steps):
        for earlier in step.waits:
            waiting[earlier].append(index)
    ready = sorted(index for index, count in enumerate(unmet) if not count)
    running: list[tuple[int, int, int]] = []  # end, serial number of the start, step
    busy: set[str] = set()
    now_ns = serial = 0
    while True:
        for index in list(ready):
            step = steps[index]
            if busy.isdisjoint(step.devices):
                ready.remove(index)
                busy |= step.devices
                heappush(running, (now_ns + step.time_ns, serial, index))
                serial += 1
        if not running:
            return now_ns
        now_ns, _, ended = heappop(running)
        busy -= steps[ended].devices
        for index in waiting[ended]:
            unmet[index] -= 1
            if not unmet[index]:
                ready.append(index)
        ready.sort()
