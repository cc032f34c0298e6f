"""QDQ segments on VTA: what the host computes, but for ties; and what VTA does not take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.vta import VtaArithmetic
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network
from counterpoint.network.precision.scheme import Scheme
from tests.engines.npu.quantised_networks import (
    FOR_VTA,
    VTA,
    Array,
    frame_of,
    in_int8,
    on_host,
    residual_network,
)
from tests.onnx_models import loaded, model

ON_VTA = VtaArithmetic(Vta())


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return residual_network(tmp_path_factory.mktemp("residual"))


@pytest.fixture(scope="module")
def quantised(network: Network) -> Network:
    return in_int8(network, FOR_VTA)


def layers_named(network: Network, *names: str) -> list[int]:
    return [layer.index for layer in network.layers if layer.outputs[0].startswith(names)]


def taken(network: Network) -> list[int]:
    return [layer.index for layer in network.layers if ON_VTA.unsupported_reason(layer) is None]


def test_a_chain_of_layers_is_what_the_host_computes_but_for_ties(quantised: Network) -> None:
    """QuantizeLinear rounds halves to the even step, VTA's shift up: one step at most."""
    chain = taken(quantised)
    assert len(chain) == 2
    one_by_one = 0
    for layers in (chain[:1], chain[1:]):
        segment = quantised.subnetwork(layers)
        ready = ON_VTA.compile(segment, VTA)
        for seed in range(4):
            random = np.random.default_rng(seed)
            (spec,) = segment.inputs
            frame = [random.integers(-128, 128, spec.shape, np.int8)]
            (made,), (expected,) = ready.run(frame), on_host(segment, frame, "int8")
            difference = made.astype(int) - expected.astype(int)
            assert difference.min() >= 0
            assert difference.max() <= 1
            assert (difference != 0).mean() < 0.05
            one_by_one += int((difference != 0).sum())
    assert one_by_one  # ties are there: who rounds otherwise is seen


def test_segments_of_several_layers_and_lent_memory(quantised: Network) -> None:
    chain = taken(quantised)
    segment = quantised.subnetwork(chain)
    ready = ON_VTA.compile(segment, VTA)
    frame = [np.random.default_rng(0).integers(-128, 128, segment.inputs[0].shape, np.int8)]
    held = frame
    for layer in chain:
        held = list(ON_VTA.compile(quantised.subnetwork([layer]), VTA).run(held))
    made = ready.run(frame)
    np.testing.assert_array_equal(made[0], held[0])
    lent = [np.zeros_like(made[0])]
    assert ready.run(frame, lent) is lent
    np.testing.assert_array_equal(lent[0], made[0])
    assert set(ready.counts) == {layer.outputs[0] for layer in segment.layers}
    assert ready.total.instructions["STORE output"] >= 2
    assert ready.profile() is None
    ready.close()
    with pytest.raises(EngineError, match="closed"):
        ready.run(frame)


def test_refusals_say_why(network: Network, quantised: Network) -> None:
    reasons = {layer.outputs[0]: ON_VTA.unsupported_reason(layer) for layer in quantised.layers}
    told = " | ".join(str(reason) for reason in reasons.values())
    assert "3 input and 16 output channels" in told
    assert "residual additions" in told
    second = network.layers[1]
    assert "not quantised" in str(ON_VTA.unsupported_reason(second))
    with pytest.raises(EngineError, match=r"vta:NPU@int8 cannot compile .*counterpoint plan -p"):
        ON_VTA.compile(network.subnetwork([second.index]), VTA)


@pytest.mark.parametrize(
    ("scheme", "why"),
    [
        (Scheme(activations="signed"), "no power of two"),
        (Scheme(activations="asymmetric", power_of_two=True), "zero points|not int8 around 0"),
    ],
)
def test_scales_that_no_shift_is(network: Network, scheme: Scheme, why: str) -> None:
    other = in_int8(network, scheme)
    segment = other.subnetwork(taken(other)[:1])
    with pytest.raises(EngineError, match=why):
        ON_VTA.compile(segment, VTA)


def test_forms_that_vta_has_not(tmp_path: Path) -> None:
    """A stranger's QDQ network: an activation, or a residual, before the sum is int8."""
    body = """
        xd = DequantizeLinear(q, s, z)  a = Conv<pads=[1,1,1,1]>(xd, wd)
        wd = DequantizeLinear<axis=0>(w, s, z)
        t = Sigmoid(a)  y = QuantizeLinear(t, s, z)
        b = Conv<pads=[1,1,1,1]>(xd, wd)  r = Add(b, xd)  u = QuantizeLinear(r, s, z)
        c = Conv<pads=[1,1,1,1]>(xd, wd)  v = Relu(c)
    """
    made = model(
        body,
        inputs="int8[1,16,8,8] q",
        outputs="int8 y, int8 u, float v",
        w=np.ones((16, 16, 3, 3), np.int8),
        s=np.float32(0.25).reshape(()),
        z=np.int8(0).reshape(()),
    )
    told = [
        ON_VTA.unsupported_reason(layer)
        for layer in loaded(made, tmp_path).layers
        if layer.kind == "Conv"
    ]
    assert [str(reason).partition(":")[0] for reason in told] == [
        "VTA's ALU has no Sigmoid",
        "residual additions ran on the CPU",
        "its result is not int8, which is all that VTA stores",
    ]


def test_the_network_is_computed_within_its_quantisation_error(
    network: Network, quantised: Network
) -> None:
    """VTA and the host for the rest, against float32: no further off than the host's own int8."""
    on_vta = set(taken(quantised))
    for seed in range(3):
        frame = frame_of(network, seed)
        (exact,) = on_host(network.whole(), frame, "fp32")
        (host,) = on_host(quantised.whole(), frame, "int8")
        held: dict[str, Array] = dict(
            zip([spec.name for spec in quantised.inputs], frame, strict=True)
        )
        for layer in quantised.layers:
            segment = quantised.subnetwork([layer.index])
            inputs = [held[spec.name] for spec in segment.inputs]
            if layer.index in on_vta:
                made: list[Array] = list(ON_VTA.compile(segment, VTA).run(inputs))
            else:
                made = on_host(segment, inputs, "int8")
            held |= {spec.name: one for spec, one in zip(segment.outputs, made, strict=True)}
        made_there = held[quantised.outputs[0].name]
        own = np.sqrt(np.mean((made_there - exact) ** 2))
        assert own < 1.1 * np.sqrt(np.mean((host - exact) ** 2))
        assert own < 0.1 * np.sqrt(np.mean(exact**2))
