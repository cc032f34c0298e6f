"""Xu et al., NPC 2019: what follows from its table of processors for its two smaller networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoint.costs.models.processors import MOBILENET_OPERATORS, SIX_PROCESSORS
from counterpoint.costs.models.protocol import Cost, layer_costs
from counterpoint.costs.models.roofline import Roofline
from counterpoint.network.graph import Network
from counterpoint.network.loading import load


@pytest.fixture(scope="module")
def alexnet() -> Network:
    return load("zoo:alexnet")


@pytest.fixture(scope="module")
def mobilenet() -> Network:
    return load("zoo:mobilenet_v1", keep_batchnorm=True)


def modelled_ms(processor: Roofline, network: Network) -> float:
    costs = layer_costs(processor, network)
    return sum(cost.time_ns for cost in costs if isinstance(cost, Cost)) / 1e6


def test_the_overhead_is_spread_over_that_many_operators(mobilenet: Network) -> None:
    assert sum(len(layer.operators) for layer in mobilenet.layers) == MOBILENET_OPERATORS


@pytest.mark.parametrize(
    ("processor", "alexnet_ms", "mobilenet_ms"),
    [
        ("Xeon E5-2680 v4", 14.24, 41.82),  # AlexNet is quicker: as found
        ("Core i5-6500", 18.97, 27.54),  # MobileNetV1 was quicker
        ("Tesla P100", 0.473, 0.232),  # AlexNet was quicker
    ],
)
def test_two_networks(
    alexnet: Network, mobilenet: Network, processor: str, alexnet_ms: float, mobilenet_ms: float
) -> None:
    model = SIX_PROCESSORS[processor]
    assert modelled_ms(model, alexnet) == pytest.approx(alexnet_ms, rel=0.01)
    assert modelled_ms(model, mobilenet) == pytest.approx(mobilenet_ms, rel=0.01)


def test_the_overhead_that_would_turn_the_p100s_order(alexnet: Network, mobilenet: Network) -> None:
    plain = SIX_PROCESSORS["Tesla P100"]
    for overhead_ns, turned in ((3700, False), (4100, True)):
        model = replace(plain, overhead_ns=overhead_ns)
        assert (modelled_ms(model, alexnet) < modelled_ms(model, mobilenet)) == turned
