from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.costs.store import Store
from counterpoint.engines.agreement import rounded
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.network.precision.quantise import quantise
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.tuning import sensitivity
from counterpoint.tuning.accuracy import Judge, LabelledFrames
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.progress import Silence
from counterpoint.tuning.reference import Reference
from counterpoint.tuning.sensitivity import LayerNoise, SensitivityMeter, choosable
from tests.tuning.small_classifier import images, small_classifier

CPU = Device("CPU", DeviceKind.CPU)
EXACT = ComputeUnit("onnxruntime", (CPU,), "fp32", (("threads", "1"),))
INT8 = ComputeUnit("onnxruntime", (CPU,), "int8", (("threads", "1"),))
COARSE = ComputeUnit("coarse", (CPU,), "bf16")


@dataclass
class CoarseEngine:
    """Rounds all that a segment returns to bf16; fails after so many segments."""

    name: str = "coarse"
    left: int = 10**9
    base: OnnxRuntimeEngine = field(default_factory=OnnxRuntimeEngine)

    def version(self) -> str:
        return "1"

    def unsupported_reason(self, layer: Any, unit: Any) -> str | None:
        return "no pools" if layer.kind == "MaxPool" else None

    def compile(self, segment: Subnetwork, unit: ComputeUnit, **options: Any) -> CompiledSegment:
        if not self.left:
            raise EngineError("the power went out")
        self.left -= 1
        inner = self.base.compile(segment, EXACT)

        class Rounded:
            def run(self, inputs: Sequence[Tensor], outputs: Any = None) -> list[Tensor]:
                return [rounded(np.asarray(made), "bf16") for made in inner.run(inputs)]

            def profile(self) -> None:
                return None

            def close(self) -> None:
                inner.close()

        return Rounded()


@dataclass
class Bench:
    network: Network
    judge: Judge
    store: Store
    coarse: CoarseEngine
    platform: Platform = field(
        default_factory=lambda: Platform("test", "test", (CPU,), (EXACT, INT8))
    )

    def meter(self) -> SensitivityMeter:
        engines: dict[str, Any] = {"onnxruntime": OnnxRuntimeEngine(), "coarse": self.coarse}
        return SensitivityMeter(
            self.network,
            self.judge,
            platform=self.platform,
            engines=engines,
            store=self.store,
            progress=Silence(),
        )


@pytest.fixture
def bench() -> Bench:
    network = small_classifier()
    frames = images(8)
    platform = Platform("test", "test", (CPU,), (EXACT,))
    expected = Reference(
        network,
        platform,
        {"onnxruntime": OnnxRuntimeEngine()},
        [ordered(network, frame) for frame in frames],
    ).expected
    judge = Judge(network, LabelledFrames(tuple(frames)), expected)
    return Bench(network, judge, Store.in_memory(), CoarseEngine())


def test_int8_noise_of_layers_adds_up_to_that_of_a_mix(bench: Bench) -> None:
    network, frames = bench.network, bench.judge.images.frames
    ranges = calibrate(network, frames)
    found = bench.meter().int8(ranges, Scheme(), INT8)
    assert tuple(found) == choosable(network)
    assert [network.layers[index].name for index in found] == [
        "conv0",
        "conv1",
        "conv2",
        "conv3",
        "conv4",
        "gemm",
    ]
    assert all(each.images == 8 and 1e-9 < each.noise < 0.1 for each in found.values())
    engine = OnnxRuntimeEngine()
    for chosen in ([0, 1], list(found)[2:], list(found)):
        mixed = quantise(network, chosen, ranges, Scheme()).whole()
        compiled = engine.compile(mixed, INT8)
        made = [list(compiled.run(ordered(network, frame))) for frame in frames]
        measured = bench.judge.accuracy(made).noise
        predicted = sum(found[index].noise for index in chosen)
        assert 0.25 < measured / predicted < 4  # 6 dB


def test_what_is_measured_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = calibrate(bench.network, bench.judge.images.frames)
    first = bench.meter().int8(ranges, Scheme(), INT8)

    def nobody(*_args: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(sensitivity, "quantise", nobody)
    assert bench.meter().int8(ranges, Scheme(), INT8) == first
    with pytest.raises(AssertionError, match="measured again"):
        bench.meter().int8(ranges, Scheme(clipping="min_max"), INT8)
    bench.judge.images = LabelledFrames(tuple(images(8, seed=1)))
    with pytest.raises(AssertionError, match="measured again"):
        bench.meter().int8(ranges, Scheme(), INT8)


def by_hand(bench: Bench) -> dict[int, LayerNoise]:
    """One layer rounded, and everything computed from the start, layer by layer."""
    engine, network = OnnxRuntimeEngine(), bench.network
    parts = [network.subnetwork([layer.index]) for layer in network.layers]
    compiled = [engine.compile(part, EXACT) for part in parts]
    found = {}
    for layer in network.layers:
        if layer.kind == "MaxPool":
            continue
        outputs = []
        for frame in bench.judge.images.frames:
            tensors = dict(frame)
            for part, segment in zip(parts, compiled, strict=True):
                made = segment.run([tensors[spec.name] for spec in part.inputs])
                if part.layers[0].index == layer.index:
                    made = [rounded(np.asarray(array), "bf16") for array in made]
                tensors |= dict(zip([spec.name for spec in part.outputs], made, strict=True))
            outputs.append([tensors[spec.name] for spec in network.outputs])
        accuracy = bench.judge.accuracy(outputs)
        changed = None if accuracy.drop is None else accuracy.drop.lost
        found[layer.index] = LayerNoise(accuracy.noise, changed, 8)
    return found


@pytest.mark.parametrize("live_bytes", [2**28, 60_000])
def test_one_layer_on_a_coarse_unit_and_the_others_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, live_bytes: int
) -> None:
    """Also where few images' tensors fit in memory at once."""
    monkeypatch.setattr(sensitivity, "LIVE_BYTES", live_bytes)
    found = bench.meter().on_unit(COARSE, EXACT)
    truth = by_hand(bench)
    assert found.keys() == truth.keys()
    for index, each in found.items():
        assert each.noise == pytest.approx(truth[index].noise, rel=0.02, abs=1e-12)
        assert (each.changed, each.images) == (truth[index].changed, 8)


def test_an_interrupted_measurement_goes_on(bench: Bench) -> None:
    whole = bench.meter().on_unit(COARSE, EXACT)
    bench.store = Store.in_memory()
    bench.coarse.left = 3
    with pytest.raises(EngineError, match="power"):
        bench.meter().on_unit(COARSE, EXACT)
    bench.coarse.left = len(whole) - 3
    assert bench.meter().on_unit(COARSE, EXACT) == whole
    assert bench.coarse.left == 0
    assert bench.meter().on_unit(COARSE, EXACT) == whole


def test_a_store_of_somebody_else_is_not_believed(bench: Bench, tmp_path: Path) -> None:
    truth = bench.meter().on_unit(COARSE, EXACT)
    with Store.open(tmp_path / "store") as store:
        bench.store = store
        meter = bench.meter()
        for value in ("no", -1.0, True):
            key = meter._key(f"unit:onnxruntime:{OnnxRuntimeEngine().version()}", 0, COARSE)
            store.put(key, (1,), {"noise": value, "changed": 0, "images": 8})
            assert meter.on_unit(COARSE, EXACT)[0] == truth[0]
