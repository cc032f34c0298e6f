"""Units on different cores compute on different cores.

Told by the processors' accounts, not by the clock: who used how much CPU time, and where. Threads
are pinned as a session pins its device threads: from outside, after the segment was compiled.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.registry import all_engines
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.onnx_models import kernel, loaded, model

WORK_NS = 300_000_000
"""CPU time that each thread spends in the engine at least; the kernel counts in steps of 10 ms."""

PROCESSOR_FIELD = 38  # of /proc/PID/task/TID/stat, counted from 0 (proc(5): field 39)

needs_two_cores = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors and a system that can pin threads to them",
)


def heavy_network(folder: Path) -> Network:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Conv<pads=[1,1,1,1]>(b, w)"
    return loaded(model(body, inputs="float[1,64,48,48] x", w=kernel(64, 64)), folder)


def processor_of(thread_id: int) -> int:
    """The processor that a thread of this process last ran on."""
    stat = Path(f"/proc/self/task/{thread_id}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[PROCESSOR_FIELD - 2])


class Worker:
    """Runs a segment on one core until it has spent its CPU time."""

    def __init__(
        self, unit: ComputeUnit, run: Callable[[], object], start: threading.Barrier
    ) -> None:
        self.core = unit.devices[0].cores[0]
        self.run = run
        self.start = start
        self.own_ns = 0
        self.seen: set[int] = set()
        self.failure: Exception | None = None
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            self.start.wait()
            self.run()  # what is set up in the first run is not counted
            self.start.wait()
            begin_ns = time.thread_time_ns()
            while self.own_ns < WORK_NS:
                self.run()
                self.seen.add(processor_of(threading.get_native_id()))
                self.own_ns = time.thread_time_ns() - begin_ns
        except Exception as error:
            self.failure = error
            self.start.abort()


@needs_two_cores
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_one_core_units_stay_on_their_cores(tmp_path: Path, name: str) -> None:
    network = heavy_network(tmp_path)
    engine = all_engines()[name]
    frame = [np.ones(spec.shape or (), spec.dtype) for spec in network.inputs]
    cores = sorted(os.sched_getaffinity(0))[:2]
    devices = [Device(f"CPU.{i}", DeviceKind.CPU, cores=(core,)) for i, core in enumerate(cores)]
    units = [unit for unit in engine.units(devices) if unit.precision == "fp32"]
    assert [unit.devices[0] for unit in units] == devices
    segments = [engine.compile(network.whole(), unit, exclusive=False) for unit in units]
    barrier = threading.Barrier(3)
    workers = [
        Worker(unit, lambda segment=segment: segment.run(frame), barrier)  # type: ignore[misc]
        for unit, segment in zip(units, segments, strict=True)
    ]
    for worker in workers:
        worker.thread.start()
        assert worker.thread.native_id is not None
        os.sched_setaffinity(worker.thread.native_id, {worker.core})
    barrier.wait()
    barrier.wait()
    before_ns = time.process_time_ns()
    for worker in workers:
        worker.thread.join()
    process_ns = time.process_time_ns() - before_ns
    for segment in segments:
        segment.close()
    for worker in workers:
        assert worker.failure is None
        assert worker.seen == {worker.core}
    # Were the work handed to the engine's own threads, which nobody pinned, the two threads here
    # would have used far less than the process has.
    assert sum(worker.own_ns for worker in workers) > 0.8 * process_ns


def test_thread_counts_follow_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def unit(name: str, cores: tuple[int, ...], **settings: str) -> ComputeUnit:
        device = Device(name, DeviceKind.CPU, cores=cores)
        return ComputeUnit("any", (device,), "fp32", tuple(settings.items()))

    module = "counterpoint.engines.cpu_threads._visible_processors"
    monkeypatch.setattr(module, lambda: 8)
    assert thread_count(unit("CPU", ())) is None
    assert thread_count(unit("CPU", (0, 1, 2, 3))) is None  # two processors a core
    assert thread_count(unit("CPU", (0, 1, 2))) == 3  # a quota below the processors
    assert thread_count(unit("CPU.0", (0, 1, 2, 3))) == 4
    assert thread_count(unit("CPU.1", (7,))) == 1
    assert thread_count(unit("CPU", (0, 1), threads="5")) == 5
    assert thread_count(unit("CPU", (0, 1), threads="0")) == 1
