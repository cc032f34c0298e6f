from __future__ import annotations

import pytest

from counterpoint.network.graph import LoopNest
from counterpoint.network.loading import load


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1", "squeezenet_v1.1", "googlenet"])
def test_loops_count_the_same_multiply_adds(name: str) -> None:
    network = load(f"zoo:{name}")
    for layer in network.layers:
        assert (layer.loops is not None) == (layer.macs > 0)
        if layer.loops is not None:
            assert layer.loops.macs == layer.macs
            assert layer.loops.is_depthwise == (layer.kind == "DepthwiseConv")


def test_loops_of_a_convolution_and_a_product() -> None:
    network = load("zoo:alexnet")
    first = network.layers[0].loops
    assert first == LoopNest(
        batch=1,
        in_channels=3,
        out_channels=first.out_channels if first else 0,
        input_size=(227, 227),
        output_size=(55, 55),
        kernel=(11, 11),
        stride=(4, 4),
    )
    products = [layer.loops for layer in network.layers if layer.kind == "Gemm"]
    assert [(loops.in_channels, loops.out_channels) for loops in products if loops] == [
        (9216, 4096),
        (4096, 4096),
        (4096, 1000),
    ]
