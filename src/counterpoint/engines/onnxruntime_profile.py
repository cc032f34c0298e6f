"""ONNX Runtime's trace events as times of nodes and layers.

A profiled session writes an event for each node of each run (``onnxruntime/core/framework``:
``sequential_executor.cc``, ``KernelScope``), with what its thread pool tells of the calling thread
(``core/platform/threadpool``: ``ThreadPoolProfiler``), all in microseconds.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from counterpoint.engines.middle_runs import mean_over, middle_runs
from counterpoint.engines.protocol import NodeProfile, NodeTime

WARMUP_RUNS = 2

NS_PER_US = 1000

WAITING = ("Wait",)
"""Of the pool's statistics: waiting until the other threads are done."""

WAKE_UP = ("Distribution", "DistributionEnqueue", "WaitRevoke")
"""Giving tasks to the other threads, and taking back those that none began."""

OWN = ("Run",)
"""The calling thread's own share of parallel loops."""

_LEAST_LOOPS = 8

_KERNEL = "_kernel_time"
_INSERTED = re.compile(r"^(InsertedPrecisionFreeCast_|InsertedCast_)+")

Event = Mapping[str, Any]


def attribute_events(
    events: Sequence[Event], layer_of_label: Mapping[str, int], runs_ns: Sequence[int] = ()
) -> NodeProfile | None:
    """Times by node and by layer out of ONNX Runtime's trace events.

    A fused node is called after one of the nodes or tensors that went into it, with a suffix; a
    reorder that has no such name is charged to the layer before it.

    Args:
        events: Of all runs.
        layer_of_label: Index of the layer for each name that a node may have.
        runs_ns: What each run took by the caller's clock.
    """
    kernels = [event for event in events if event.get("cat") == "Node"]
    calls = [event["dur"] * NS_PER_US for event in events if event.get("name") == "model_run"]
    runs = len(calls) or 1
    per_run = len(kernels) // runs
    if per_run == 0:
        return None
    first = min(WARMUP_RUNS, runs - 1)
    middle = middle_runs(calls[first:] or [0.0])
    nodes: list[NodeTime] = []
    layer_ns: dict[int, int] = {}
    overhead_ns = 0
    current: int | None = None
    for position in range(per_run):
        same = kernels[(first * per_run) + position :: per_run]
        name = str(same[0]["name"]).removesuffix(_KERNEL)
        found = layer_named(name, layer_of_label)
        current = current if found is None else found
        median_ns = round(statistics.median(event["dur"] for event in same) * NS_PER_US)
        if current is None:
            overhead_ns += median_ns
        else:
            layer_ns[current] = layer_ns.get(current, 0) + median_ns
        nodes.append(_node(same, name, current, middle))
    told = any(node.waiting_ns is not None for node in nodes)
    how = " with thread-pool statistics" if told else ", of one thread"
    return NodeProfile(
        layer_ns,
        overhead_ns,
        tuple(nodes),
        call_ns=mean_over(calls[first:], middle) if calls else None,
        run_ns=mean_over(runs_ns[first:], middle) if len(runs_ns) == len(calls) > 0 else None,
        node_cost_ns=_node_cost_ns(kernels[first * per_run :]),
        instrument=f"ONNX Runtime's profile{how}",
    )


def _node(same: Sequence[Event], name: str, layer: int | None, middle: Sequence[int]) -> NodeTime:
    """One node from its events in all runs."""
    time_ns = mean_over([event["dur"] * NS_PER_US for event in same], middle)
    operator = str(_arguments(same[0]).get("op_name", ""))
    threads = [_main_thread(event) for event in same]
    if not any(threads):
        return NodeTime(name, operator, layer, time_ns)
    waiting_ns, wake_up_ns = (
        mean_over([_sum_ns(thread, keys) for thread in threads], middle)
        for keys in (WAITING, WAKE_UP)
    )
    return NodeTime(name, operator, layer, time_ns, waiting_ns, wake_up_ns)


def _node_cost_ns(kernels: Sequence[Event]) -> int | None:
    """What writing an event down adds to its own duration: its text is made before it ends.

    In most nodes hardly anything else is done outside of parallel loops. Without loops the shortest
    node tells: it took that long at least.
    """
    beyond_ns = []
    for event in kernels:
        thread = _main_thread(event)
        if thread and _sum_ns(thread, OWN):
            inside_ns = _sum_ns(thread, (*OWN, *WAITING, *WAKE_UP))
            beyond_ns.append(event["dur"] * NS_PER_US - inside_ns)
    if len(beyond_ns) < _LEAST_LOOPS:
        return int(min(event["dur"] for event in kernels)) * NS_PER_US
    return max(0, int(statistics.quantiles(beyond_ns, n=4)[0]))


def _sum_ns(thread: Mapping[str, Any], keys: Sequence[str]) -> float:
    return sum(float(thread.get(key, 0)) for key in keys) * NS_PER_US


def _arguments(event: Event) -> Mapping[str, Any]:
    found = event.get("args")
    return found if isinstance(found, Mapping) else {}


def _main_thread(event: Event) -> Mapping[str, Any]:
    """What the thread pool tells of the calling thread; empty where there is no pool."""
    pool = _arguments(event).get("thread_scheduling_stats")
    found = pool.get("main_thread") if isinstance(pool, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def layer_named(name: str, layer_of_label: Mapping[str, int]) -> int | None:
    """The layer whose label the name begins with, the longest such; suffixes follow ``_``."""
    name = _INSERTED.sub("", name)
    while name:
        if name in layer_of_label:
            return layer_of_label[name]
        name, _, suffix = name.rpartition("_")
        if not suffix:
            return None
    return None
