"""What lanes side by side need of an engine: shared models, and its own throughput mode to compare
with.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from counterpoint.engines import onnxruntime, openvino
from counterpoint.engines.protocol import CompiledSegment, Engine, Tensor
from counterpoint.engines.sharing import SharedModels
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.tuning.small_network import CHANNELS, EDGE, small_network

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
PARTS = tuple(
    Device(f"CPU.{n}", DeviceKind.CPU, cores=(CORES[n % len(CORES)],), likeness="1-test")
    for n in range(2)
)
ENGINES: Sequence[Engine] = (onnxruntime.OnnxRuntimeEngine(), openvino.OpenVinoEngine())


def shareable(engine: Engine) -> list[ComputeUnit]:
    """Its fp32 units on the parts whose segments share a model."""
    streams = "2" if engine.name == "openvino" else None
    return [
        unit
        for unit in engine.units(PARTS)
        if unit.precision == "fp32"
        and unit.devices[0] in PARTS
        and unit.setting("streams") == streams
        and unit.setting("threads") is None
    ]


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    if chosen.missing_reason() is not None:
        pytest.skip(f"{chosen.name} is not installed")
    return chosen


def test_segments_of_lanes_share_a_model_and_run_at_once(engine: Engine) -> None:
    network = small_network()
    units = shareable(engine)
    assert [unit.devices[0].name for unit in units] == ["CPU.0", "CPU.1"]
    segments: list[CompiledSegment] = [engine.compile(network.whole(), unit) for unit in units]
    shared = onnxruntime._SESSIONS if engine.name == "onnxruntime" else openvino._MODELS
    assert len(shared) == 1
    random = np.random.default_rng(0)
    frames: list[Tensor] = [
        random.random((1, CHANNELS, EDGE, EDGE), dtype=np.float32) for _ in range(2)
    ]
    alone = [list(segments[0].run([frame])) for frame in frames]

    def work(number: int) -> list[list[Tensor]]:
        return [list(segments[number].run([frames[number]])) for _ in range(20)]

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(work, range(2)))
    for expected, runs in zip(alone, together, strict=True):
        for made in runs:
            assert np.array_equal(made[0], expected[0])
    for segment in segments:
        segment.close()
    segments.clear()
    del segment
    gc.collect()
    assert len(shared) == 0


def test_a_model_is_made_once_for_each_way() -> None:
    network, other = small_network(), small_network(seed=1)
    models = SharedModels()

    class Model:
        pass

    first = models.get(network.whole(), "fp32", Model)
    assert models.get(network.whole(), "fp32", Model) is first
    assert models.get(network.whole(), "bf16", Model) is not first
    assert models.get(network.subnetwork([0, 1]), "fp32", Model) is not first
    assert models.get(other.whole(), "fp32", Model) is not first


def test_own_throughput_modes_run_any_number_of_frames(engine: Engine) -> None:
    network = small_network()
    frame: list[Tensor] = [np.zeros((1, CHANNELS, EDGE, EDGE), np.float32)]
    modes = engine.throughput_modes(any_precision=False)
    assert modes
    for make in modes.values():
        stream = make(network)
        for count in (1, 7):
            stream.run(frame, count)
        stream.close()
