"""Trained networks in int8, on photographs, in both engines."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from counterpoint.engines.openvino import OpenVinoEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.engines.registry import all_engines
from counterpoint.frames.images import find_images, read_image
from counterpoint.frames.presets import preset
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.precision.correspondence import correspondence
from counterpoint.network.precision.quantise import quantise, refusals
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.calibration import calibrate
from tests.engine_runs import CPU, run_whole
from tests.shared_data import require

NETWORKS = {
    "models/squeezenet_v1.1/squeezenet_v1.1.onnx": ("caffe", 26, 8),
    "models/mobilenet_v2/mobilenet_v2.onnx": ("imagenet", 53, 10),
}
"""Preset, products, and Concats or sums."""

CALIBRATED = 8


class Case:
    """A network, photographs, and its whole-int8 form, calibrated on the first of them."""

    def __init__(self, file: str) -> None:
        self.network = load(require(file))
        spec = self.network.inputs[0]
        images = find_images([require("images/imagenet_sample")])[::3]
        recipe = preset(NETWORKS[file][0])
        self.frames = [{spec.name: recipe.apply(read_image(image), spec)} for image in images]
        self.products = [layer.index for layer in self.network.layers if layer.macs]
        ranges = calibrate(self.network, self.frames[:CALIBRATED])
        self.int8 = quantise(self.network, self.products, ranges, Scheme())

    def best(self, network: Network, engine: str = "onnxruntime") -> list[int]:
        """Best class of each photograph that was not calibrated on."""
        software = all_engines()[engine]
        unit = ComputeUnit(engine, (CPU,), "int8" if network.is_quantised else "fp32")
        with closing(software.compile(network.whole(), unit)) as compiled:
            frames = self.frames[CALIBRATED:]
            return [int(np.argmax(compiled.run(list(frame.values()))[0])) for frame in frames]


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest) -> tuple[str, Case]:
    return request.param, Case(request.param)


def test_the_form(case: tuple[str, Case]) -> None:
    file, made = case
    assert len(made.products) == NETWORKS[file][1]
    assert not set(made.products) & set(refusals(made.network))
    found = correspondence(made.network, made.int8)
    for index in made.products:
        main = made.int8.layers[found.layers[index][0]]
        assert (main.name, main.macs) == (
            made.network.layers[index].name,
            made.network.layers[index].macs,
        )
        assert main.computes_int8
    assert made.int8.weight_bytes < 0.3 * made.network.weight_bytes
    first = made.int8.layers[found.conversions[0]]
    assert (first.operators, first.inputs) == (("QuantizeLinear",), (made.network.inputs[0].name,))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_top_1_stays(case: tuple[str, Case], engine: str) -> None:
    _, made = case
    pairs = list(zip(made.best(made.network), made.best(made.int8, engine), strict=True))
    # 14 photographs; these networks change 0 to 3 % of 65 in int8 (docs/precision.md)
    assert sum(one == other for one, other in pairs) >= len(pairs) - 2


def test_onnx_runtime_computes_products_and_sums_in_int8(
    case: tuple[str, Case], tmp_path: Any
) -> None:
    file, made = case
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    path = str(made.int8.whole().onnx_path())
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "optimised.onnx", load_external_data=False).graph
    counts = Counter(node.op_type for node in graph.node)
    assert counts["QLinearConv"] + counts["QGemm"] == NETWORKS[file][1]
    assert counts["QLinearConcat"] + counts["QLinearAdd"] == NETWORKS[file][2]
    assert counts["Conv"] + counts["FusedConv"] + counts["Gemm"] + counts["Add"] == 0
    assert counts["QuantizeLinear"] + counts["DequantizeLinear"] <= 2


def test_openvino_computes_products_in_int8(case: tuple[str, Case]) -> None:
    file, made = case
    unit = ComputeUnit("openvino", (CPU,), "int8")
    with closing(OpenVinoEngine().compile(made.int8.whole(), unit)) as compiled:
        counts: Counter[tuple[str, str]] = Counter()
        for node in compiled._compiled.get_runtime_model().get_ordered_ops():
            info = node.get_rt_info()
            kind, precision = (
                str(info[key].astype(str)) for key in ("layerType", "runtimePrecision")
            )
            counts[kind, precision] += 1
    whole = counts["Convolution", "u8"] + counts["FullyConnected", "u8"]
    assert whole == NETWORKS[file][1]
    assert counts["Convolution", "f32"] + counts["FullyConnected", "f32"] == 0


def test_a_mix_runs_in_one_segment_on_each_precision(case: tuple[str, Case]) -> None:
    _, made = case
    frame: dict[str, Tensor] = made.frames[0]
    ranges = calibrate(made.network, made.frames[:2])
    mixed = quantise(made.network, made.products[::2], ranges, Scheme())
    wanted = int(np.argmax(run_whole(made.network, frame)[0]))
    assert int(np.argmax(run_whole(mixed, frame)[0])) == wanted
    engine = OpenVinoEngine()
    for precision in ("int8", "bf16"):
        unit = ComputeUnit("openvino", (CPU,), precision)
        assert {engine.unsupported_reason(layer, unit) for layer in mixed.layers} == {None}
        with closing(engine.compile(mixed.whole(), unit)) as compiled:
            assert int(np.argmax(compiled.run(list(frame.values()))[0])) == wanted
    float32 = ComputeUnit("openvino", (CPU,), "fp32")
    refused = [layer for layer in mixed.layers if engine.unsupported_reason(layer, float32)]
    assert refused
    assert all(layer.computes_int8 for layer in refused)
