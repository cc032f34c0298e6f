"""Exact inputs and outputs of real networks, and statistics of every tensor on the way.

``golden/INDEX.tsv`` names them; made with ONNX Runtime 1.31 from the same model files.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from tests.engine_runs import relative_error, run_parts, run_segment, run_whole
from tests.shared_data import require

Floats = npt.NDArray[np.float32]

IMAGES = ("kitten", "cat", "finch")

# Network: model file, golden input, golden output, engines that run it.
NETWORKS = {
    "squeezenet": (
        "squeezenet_v1.1/squeezenet_v1.1.onnx",
        "sq11_onnx_{}_in",
        "sq11_onnx_{}_out",
        ("onnxruntime", "openvino"),
    ),
    "mobilenet": (
        "mobilenet_v2/mobilenet_v2.onnx",
        "mbv2_{}_in",
        "mbv2_fp32deq_{}_out",
        ("onnxruntime", "openvino"),
    ),
    "mobilenet int8": (
        "mobilenet_v2/mobilenet_v2_int8.onnx",
        "mbv2_{}_in",
        "mbv2_int8_{}_out",
        ("onnxruntime",),  # OpenVINO runs its QDQ form, and rounds otherwise
    ),
}

CASES = [(name, engine) for name, row in NETWORKS.items() for engine in row[3]]

TOP_CLASS = {"kitten": 281, "finch": 12}


@cache
def network(name: str) -> Network:
    return load(require(f"models/{NETWORKS[name][0]}"))


def golden(name: str, shape: tuple[int, ...] | None) -> Floats:
    """A golden tensor; the file holds little-endian float32."""
    values: Floats = np.fromfile(require(f"golden/{name}.f32"), "<f4").astype(np.float32)
    return values.reshape(shape or ())


def frame(name: str, image: str) -> dict[str, Floats]:
    (spec,) = network(name).inputs
    return {spec.name: golden(NETWORKS[name][1].format(image), spec.shape)}


def wanted(name: str, image: str) -> Floats:
    (spec,) = network(name).outputs
    return golden(NETWORKS[name][2].format(image), spec.shape)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(("name", "engine"), CASES)
def test_outputs(name: str, engine: str, image: str) -> None:
    outputs = run_whole(network(name), frame(name, image), engine)
    assert relative_error(outputs, [wanted(name, image)]) < 1e-4
    if image in TOP_CLASS:
        assert int(outputs[0].argmax()) == TOP_CLASS[image]


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_outputs_in_four_parts(name: str, engine: str) -> None:
    count = len(network(name).layers)
    parts = [range(count * part // 4, count * (part + 1) // 4) for part in range(4)]
    outputs = run_parts(network(name), parts, frame(name, "kitten"), engine)
    assert relative_error(outputs, [wanted(name, "kitten")]) < 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What is written down of one tensor."""

    minimum: float
    maximum: float
    mean: float
    deviation: float
    norm: float
    first: tuple[float, ...]


def statistics(path: Path) -> dict[str, Statistics]:
    """By the name of the tensor."""
    with path.open(newline="") as file:
        return {
            row["output"]: Statistics(
                minimum=float(row["min"]),
                maximum=float(row["max"]),
                mean=float(row["mean"]),
                deviation=float(row["std"]),
                norm=float(row["l2"]),
                first=tuple(float(value) for value in row["first4"].split()),
            )
            for row in csv.DictReader(file)
        }


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("squeezenet", "layer_stats_squeezenet11_onnx_kitten.csv"),
        ("mobilenet", "layer_stats_mbv2_fp32_kitten.csv"),
    ],
)
def test_every_tensor_between_layers(name: str, file: str, engine: str) -> None:
    """Run layer by layer, each tensor that crosses a border has the statistics written down."""
    rows = statistics(require(f"golden/{file}"))
    made = network(name)
    tensors: dict[str, Tensor] = dict(frame(name, "kitten"))
    compared = 0
    for layer in made.layers:
        segment = made.subnetwork([layer.index])
        outputs = run_segment(segment, tensors, engine)
        for spec, output in zip(segment.outputs, outputs, strict=True):
            tensors[spec.name] = output
            if spec.name in rows:
                check(output.astype(np.float64), rows[spec.name])
                compared += 1
    assert compared >= 0.9 * len(made.layers)


def check(values: npt.NDArray[np.float64], row: Statistics) -> None:
    scale = 1e-4 * max(abs(row.minimum), abs(row.maximum))
    assert values.min() == pytest.approx(row.minimum, abs=scale)
    assert values.max() == pytest.approx(row.maximum, abs=scale)
    assert values.mean() == pytest.approx(row.mean, abs=scale)
    assert values.std() == pytest.approx(row.deviation, abs=scale)
    assert np.linalg.norm(values) == pytest.approx(row.norm, rel=1e-4)
    assert values.reshape(-1)[:4] == pytest.approx(row.first, abs=scale)
