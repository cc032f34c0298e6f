"""Plans for machines with int8 processors: what is quantised, where it runs, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.api import Session, as_planned, emulated_machine
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.precision.quantise import quantise
from counterpoint.network.precision.scheme import Scheme
from counterpoint.planning.choose import Question
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.platform_file import SHIPPED, load_platform
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_of
from counterpoint.tuning.platform_plan import plan_for_platform
from counterpoint.tuning.platform_precision import (
    PrecisePlan,
    Wish,
    plan_with_precision,
    quantises,
)
from tests.engines.npu.quantised_networks import Array, on_host
from tests.onnx_models import kernel, loaded, model

SWITCH = Wish(Question(method="switch"))


@pytest.fixture(scope="module")
def pynq() -> PlatformFile:
    return load_platform("pynq_z1_vta")


@pytest.fixture(scope="module")
def resnet18() -> Network:
    return load("zoo:resnet18")


@pytest.fixture(scope="module")
def planned(resnet18: Network, pynq: PlatformFile) -> PrecisePlan:
    return plan_with_precision(resnet18, pynq, SWITCH)


def plan_file_of(made: PrecisePlan, platform: PlatformFile) -> Plan:
    plan = plan_of(made.network, platform.platform, {}, made.found.table, made.found.planned)
    return replace(plan, precision=made.precision)


def test_resnet18_takes_what_was_published(planned: PrecisePlan) -> None:
    """0.494 s (Moreau et al., ReQuEST 2018), 73 ms of it VTA's convolutions."""
    table, value = planned.found.table, planned.found.planned.value
    assert value == pytest.approx(494e6, rel=0.05)
    column = table.unit_names.index("vta:NPU@int8")
    times = [row[column] for row in table.layer_ns]
    assert sum(time for time in times if time is not None) == pytest.approx(73e6, rel=0.1)
    where = {
        planned.network.layers[layer].name: unit
        for layers, unit in planned.found.planned.segments
        for layer in layers
    }
    for name in ("conv1", "pool1", "res2a", "res5b", "pool5", "fc1000"):
        assert where[name] == "tvm:CPU@fp32"
    assert where["res2a_branch2a"] == where["res5b_branch2b"] == "vta:NPU@int8"
    assert planned.notes[0] == "20 layers are int8, with ranges measured on 4 seeded frames"


def test_what_leaves_float_is_converted_by_whoever_makes_it(planned: PrecisePlan) -> None:
    """No layer only converts: the first convolution makes int8, and the last sum float."""
    assert planned.precision is not None
    kinds = {layer.kind for layer in planned.network.layers}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear"}
    assert planned.network.layers[0].operators[-1] == "QuantizeLinear"
    assert "conv1" not in planned.precision.int8
    assert "pool1" in planned.precision.int8


def test_the_plan_makes_the_same_network_again(
    planned: PrecisePlan, resnet18: Network, pynq: PlatformFile
) -> None:
    plan = plan_file_of(planned, pynq)
    assert as_planned(resnet18, plan).content_hash == planned.network.content_hash


def test_resnet18_computes_within_its_quantisation_error(
    planned: PrecisePlan, resnet18: Network, pynq: PlatformFile
) -> None:
    """Every instruction of VTA on every convolution that it takes, one frame."""
    frame = seeded_frame(resnet18.inputs, 9)
    machine = emulated_machine(pynq, time_scale=1e-3)
    with Session(resnet18, plan_file_of(planned, pynq), machine=machine) as session:
        made: Array = session.run(None, frame)[0]
    inputs: list[Tensor] = list(frame.values())
    (exact,) = on_host(resnet18.whole(), inputs, "fp32")
    (host,) = on_host(planned.network.whole(), inputs, "int8")

    def noise(output: Array) -> float:
        return float(np.sqrt(np.mean((output.astype(np.float64) - exact) ** 2)))

    assert (made != host).any()  # ties are rounded otherwise
    assert noise(made) < 1.1 * noise(host)
    assert made.argmax() == exact.argmax()


def test_an_unquantised_plan_is_refused_with_the_way_out(
    resnet18: Network, pynq: PlatformFile
) -> None:
    found = plan_for_platform(resnet18, pynq, SWITCH.question)
    plan = plan_of(resnet18, pynq.platform, {}, found.table, found.planned)
    with pytest.raises(EngineError, match=r"not quantised.*counterpoint plan -p"):
        Session(resnet18, plan, machine=emulated_machine(pynq))


def island(folder: Path) -> Network:
    """A convolution that VTA takes, between two that it does not."""
    body = (
        "a = Conv<pads=[1,1,1,1]>(x, first) b = Relu(a) c = Conv(b, middle) d = Relu(c) "
        "y = Conv<pads=[1,1,1,1]>(d, last)"
    )
    weights: dict[str, Any] = {
        "first": kernel(16, 3),
        "middle": kernel(16, 16, 1),
        "last": kernel(3, 16),
    }
    return loaded(model(body, inputs="float[1,3,32,32] x", **weights), folder)


def with_packing(folder: Path, ns_per_item: float) -> PlatformFile:
    """The PYNQ-Z1 whose tensors take that long to bring into VTA's layout and back."""
    text = (SHIPPED / "pynq_z1_vta.toml").read_text()
    assert "read_ns_per_item = 30.512" in text
    path = folder / "pynq.toml"
    path.write_text(text.replace("_ns_per_item = 30.512", f"_ns_per_item = {ns_per_item}"))
    return load_platform(str(path))


def units_of(made: PrecisePlan) -> set[str]:
    return {unit for _, unit in made.found.planned.segments}


def test_an_island_that_does_not_pay_stays_on_the_cpu(tmp_path: Path) -> None:
    """16384 items in and out: at 30 ns each 1 ms, and the convolution takes the CPU 7 ms."""
    network = island(tmp_path)
    paying = plan_with_precision(network, with_packing(tmp_path, 30.0), SWITCH)
    assert units_of(paying) == {"tvm:CPU@fp32", "vta:NPU@int8"}
    assert paying.precision is not None
    assert len(paying.precision.int8) == 1
    dear = plan_with_precision(network, with_packing(tmp_path, 300.0), SWITCH)
    assert units_of(dear) == {"tvm:CPU@fp32"}
    assert dear.precision is None
    assert dear.network is network
    assert paying.found.planned.value is not None
    assert dear.found.planned.value is not None
    assert paying.found.planned.value < dear.found.planned.value


def archipelago(folder: Path) -> Network:
    """Three convolutions for VTA of unlike sizes, depthwise ones for the CPU between them."""
    body = (
        "a = Conv(x, w0) b = Conv<group=16, pads=[1,1,1,1]>(a, d0) c = Conv(b, w1) "
        "d = Conv<group=32, pads=[1,1,1,1], strides=[2,2]>(c, d1) y = Conv(d, w2)"
    )
    weights: dict[str, Any] = {
        "w0": kernel(16, 16, 1),
        "d0": kernel(16, 1),
        "w1": kernel(32, 16, 1),
        "d1": kernel(32, 1),
        "w2": kernel(128, 32, 1),
    }
    return loaded(model(body, inputs="float[1,16,24,24] x", **weights), folder)


def test_the_best_is_not_missed_by_asking_in_turns(tmp_path: Path) -> None:
    """Brute force over which of VTA's layers are int8, at several prices of packing."""
    network = archipelago(tmp_path)
    ranges = calibrate(network, [seeded_frame(network.inputs, seed) for seed in range(4)])
    scheme = Scheme(activations="signed", power_of_two=True)
    sizes = set()
    for price in (0.0, 30.0, 60.0, 100.0, 150.0, 1000.0):
        platform = with_packing(tmp_path, price)
        values, on_vta_alone = [], []
        for layers in chain.from_iterable(combinations((0, 2, 4), count) for count in range(4)):
            subject = quantise(network, layers, ranges, scheme)
            units = None if layers else ["tvm:CPU@fp32"]
            found = plan_for_platform(subject, platform, SWITCH.question, units=units).planned
            on_vta = {
                subject.layers[layer].name
                for members, unit in found.segments
                for layer in members
                if unit == "vta:NPU@int8"
            }
            values.append(found.value or 0)
            if on_vta == {network.layers[layer].name for layer in layers}:
                on_vta_alone.append(found.value or 0)
        made = plan_with_precision(network, platform, SWITCH)
        assert made.found.planned.value is not None
        assert min(values) <= made.found.planned.value <= min(on_vta_alone)
        sizes.add(0 if made.precision is None else len(made.precision.int8))
    assert len(sizes) > 1


def test_the_users_frames_and_hand(tmp_path: Path, pynq: PlatformFile) -> None:
    network = island(tmp_path)
    frames: list[Mapping[str, Tensor]] = [seeded_frame(network.inputs, seed) for seed in (5, 6)]
    made = plan_with_precision(network, pynq, Wish(SWITCH.question, frames=frames))
    assert made.precision is not None
    assert made.precision.ranges.frames == 2
    assert made.notes == ("1 layer is int8, with ranges measured on 2 frames",)
    held = plan_with_precision(
        network, pynq, Wish(SWITCH.question, fixed=lambda subject: {1: "tvm:CPU@fp32"})
    )
    assert held.precision is None
    blank = [{"x": np.full((1, 3, 32, 32), np.nan, np.float32)}]
    with pytest.raises(UserInputError, match="not finite"):
        plan_with_precision(network, pynq, Wish(SWITCH.question, frames=blank))


def test_nvdla_takes_both_precisions(tmp_path: Path) -> None:
    """int8 where it is faster, softmax on the host; the plan runs."""
    platform = load_platform("nvdla_full")
    body = (
        "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) c = MaxPool<kernel_shape=[2,2]>(b) "
        "g = GlobalAveragePool(c) f = Flatten(g) y = Softmax(f)"
    )
    network = loaded(model(body, inputs="float[1,3,32,32] x", w=kernel(16, 3)), tmp_path)
    scheme = quantises(network, platform)
    assert scheme is not None
    assert not scheme.power_of_two
    made = plan_with_precision(network, platform, SWITCH)
    plan = plan_file_of(made, platform)
    frame = seeded_frame(network.inputs, 3)
    with Session(network, plan, machine=emulated_machine(platform, time_scale=1e3)) as session:
        output: Array = session.run(None, frame)[0]
    (exact,) = on_host(network.whole(), list(frame.values()), "fp32")
    np.testing.assert_allclose(output, exact, atol=0.02)


def test_who_needs_no_int8(pynq: PlatformFile) -> None:
    alexnet = load("zoo:alexnet")
    assert quantises(alexnet, load_platform("khadas_vim3")) is None  # recorded as it is
    assert quantises(alexnet, load_platform("gtx_970")) is None
    scheme = quantises(alexnet, pynq)
    assert scheme is not None
    assert scheme.power_of_two
