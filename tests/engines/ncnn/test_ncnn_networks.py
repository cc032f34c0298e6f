"""A trained network on ncnn: whole, on the CPU and on a Vulkan device, and in many parts."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from counterpoint.costs.objective import Objective
from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.frames.images import read_image
from counterpoint.frames.presets import preset
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.platform.model import ComputeUnit, Device, Platform
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.schedule.session import Session
from tests.engines.ncnn.conftest import CPU
from tests.shared_data import require

HAND_OVERS = 7
EACH = 13  # of 65 photographs: five of all kinds
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def squeezenet() -> Network:
    return load(require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"))


@dataclass(frozen=True)
class Photographs:
    """Frames, what ONNX Runtime makes of them here, and the class that it saw elsewhere."""

    frames: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    labels: tuple[int, ...]

    def judge(self, made: Iterable[Tensor], tolerance: float) -> None:
        judged = 0
        for output, truth, label in zip(made, self.outputs, self.labels, strict=True):
            assert relative_error(output, truth) < tolerance
            assert int(output.argmax()) == label
            judged += 1
        assert judged == len(self.frames) > 0


def relative_error(made: Tensor, expected: Tensor) -> float:
    exact = expected.astype(np.float64)
    return float(np.linalg.norm(made.astype(np.float64) - exact) / np.linalg.norm(exact))


@pytest.fixture(scope="module")
def photographs(squeezenet: Network) -> Photographs:
    folder = require("images/imagenet_sample")
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::EACH]
    preprocessing = preset("caffe")
    spec = squeezenet.inputs[0]
    frames = [preprocessing.apply(read_image(folder / row["file"]), spec) for row in rows]
    unit = ComputeUnit("onnxruntime", (CPU,), "fp32")
    with closing(OnnxRuntimeEngine().compile(squeezenet.whole(), unit)) as compiled:
        outputs = [compiled.run([frame])[0] for frame in frames]
    labels = [int(row["sq11_fp32_onnx_top1"]) for row in rows]
    return Photographs(tuple(frames), tuple(outputs), tuple(labels))


@pytest.mark.parametrize("where", ["on_cpu", "on_gpu"])
def test_whole(
    engine: NcnnEngine,
    squeezenet: Network,
    photographs: Photographs,
    where: str,
    request: pytest.FixtureRequest,
) -> None:
    unit = request.getfixturevalue(where)
    with closing(engine.compile(squeezenet.whole(), unit)) as compiled:
        photographs.judge((compiled.run([frame])[0] for frame in photographs.frames), TOLERANCE)


def switched(network: Network) -> Plan:
    """A plan that changes units all the time, between ncnn on both devices and ONNX Runtime."""
    count = len(network.layers)
    places = ("ncnn:GPU.0@fp32", "onnxruntime:CPU@fp32", "ncnn:CPU@fp32")
    bounds = [count * part // (HAND_OVERS + 1) for part in range(HAND_OVERS + 2)]
    segments = tuple(
        Segment(tuple(range(first, last)), places[part % len(places)])
        for part, (first, last) in enumerate(pairwise(bounds))
    )
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name="here",
        platform_fingerprint="here",
        objective=Objective.LATENCY,
        lanes=(Lane(segments),),
        frames_in_flight=2,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={},
        prediction=Prediction(1, ((1,) * len(segments),)),
    )


def test_a_plan_with_many_hand_overs(
    engine: NcnnEngine, squeezenet: Network, photographs: Photographs, gpu: Device
) -> None:
    engines: dict[str, Engine] = {"ncnn": engine, "onnxruntime": OnnxRuntimeEngine()}
    units = tuple(unit for made in engines.values() for unit in made.units([CPU]))
    platform = Platform("here", "here", (CPU, gpu), units)
    plan = switched(squeezenet)
    assert len(plan.lanes[0].segments) == HAND_OVERS + 1
    engine.prepare(
        [
            squeezenet.subnetwork(segment.layers)
            for segment in plan.lanes[0].segments
            if segment.unit.startswith("ncnn")
        ]
    )
    name = squeezenet.inputs[0].name
    with Session(squeezenet, plan, engines=engines, platform=platform) as session:
        streamed = session.stream({name: frame} for frame in photographs.frames)
        photographs.judge((outputs[0] for outputs in streamed), TOLERANCE)


def test_layers_are_timed(engine: NcnnEngine, on_cpu: ComputeUnit, squeezenet: Network) -> None:
    """Each convolution by itself; the last one, of 512 channels to 1000, takes longest of 1 x 1."""
    frame = np.zeros(squeezenet.inputs[0].shape or (), np.float32)
    with closing(engine.compile(squeezenet.whole(), on_cpu, profile=True)) as compiled:
        for _ in range(3):
            compiled.run([frame])
        profile = compiled.profile()
        assert compiled.profile() is None, "it ends profiling"
    assert profile is not None
    assert set(profile.layer_ns) == {layer.index for layer in squeezenet.layers}
    assert all(profile.layer_ns[layer.index] > 0 for layer in squeezenet.layers if layer.macs)
