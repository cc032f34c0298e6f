"""The published single core on its own formulas: OPU-Lab/opu-compiler, Scheduler.cpp and Arch.h."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.area import PLAIN_SLICES, core_area
from counterpoint.costs.models.overlay.core import (
    DRAM_BYTES_PER_CYCLE,
    PUBLISHED_CORE,
    PUBLISHED_DESIGN,
    CoreArrays,
    Design,
)
from counterpoint.costs.models.overlay.cycles import LayerCycles, layer_cycles
from counterpoint.costs.models.overlay.lanes import dense_passes, depthwise_passes
from counterpoint.costs.models.overlay.shapes import layer_shapes, shapes_of
from counterpoint.network.graph import LoopNest
from counterpoint.network.loading import load
from tests.costs.models.layers import conv, layer_of

ONE = CoreArrays.of([PUBLISHED_CORE])


def explained(nest: LoopNest) -> LayerCycles:
    (found,) = layer_cycles(shapes_of([(layer_of(nest), nest)]), PUBLISHED_CORE)
    return found


def test_constants() -> None:
    assert PUBLISHED_CORE.multipliers == 1024
    assert PUBLISHED_CORE.clock_hz == 200_000_000
    assert PUBLISHED_CORE.feature_buffer_bytes == 1444 * 64  # "2 x 92 KB"
    assert PUBLISHED_CORE.weight_buffer_bytes == 36 * 1024
    assert DRAM_BYTES_PER_CYCLE == 64
    assert Design(cores=(PUBLISHED_CORE,)) == PUBLISHED_DESIGN
    assert core_area(PUBLISHED_CORE, PLAIN_SLICES).dsp_slices == 512


def published_passes(channels: int, kernels: int) -> int:
    """get_latency: cycles for one tap of one pixel of a tile of at most 64 input channels."""
    passes = ceil(kernels / 16)
    if channels <= 16:
        return ceil(passes / 4)
    if channels <= 32:
        return ceil(passes / 2)
    return passes


@given(st.integers(1, 64), st.integers(1, 600))
def test_passes_of_a_tile(channels: int, kernels: int) -> None:
    found = dense_passes(ONE, np.array([channels]), np.array([kernels]))
    assert int(found[0]) == published_passes(channels, kernels)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 200),
    st.integers(1, 300),
    st.integers(1, 30),
    st.sampled_from([1, 3]),
)
def test_compute_cycles_of_a_layer(into: int, out: int, edge: int, kernel: int) -> None:
    nest = conv(into, out, edge, kernel)
    taps, channels = kernel * kernel, into
    if taps > 1 and taps * into < 64:  # rewritten as 1 x 1
        taps, channels = 1, taps * into
    blocks = [min(64, channels - first) for first in range(0, channels, 64)]
    expected = taps * edge * edge * sum(published_passes(block, out) for block in blocks)
    found = explained(nest)
    assert found.tile is not None
    if out <= 64 or found.tile.kernels % 64 == 0:  # the published tiles have 64 output channels
        assert found.compute == expected
    assert found.compute >= expected


@pytest.mark.parametrize(
    ("nest", "compute"),
    [
        (conv(64, 64, 56), 9 * 56 * 56 * 4),  # R S Ho Wo ceil(K / 16)
        (conv(32, 64, 56), 9 * 56 * 56 * 2),  # halved
        (conv(16, 64, 56), 9 * 56 * 56 * 1),  # quartered
        (conv(16, 24, 56, 1), 56 * 56 * 1),
        (conv(3, 32, 224, 3, 2), 112 * 112 * 1),  # 27 channels of a 1 x 1: ceil(32 / 16) halved
        (conv(3, 64, 224, 7, 2), 49 * 112 * 112 * 1),  # 147 >= 64: not rewritten
    ],
)
def test_examples(nest: LoopNest, compute: int) -> None:
    assert explained(nest).compute == compute


@pytest.mark.parametrize("channels", [32, 64, 96, 144, 960])
def test_depthwise(channels: int) -> None:
    nest = LoopNest(
        batch=1,
        groups=channels,
        in_channels=channels,
        out_channels=channels,
        input_size=(14, 14),
        output_size=(14, 14),
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
    )
    assert explained(nest).compute == 14 * 14 * ceil(channels / 64)
    assert int(depthwise_passes(ONE, np.array([64]), np.array([9]))[0]) == 1  # 576 of 1024 busy


def test_a_depthwise_layer_waits_for_the_memory() -> None:
    """A word in and a word out for each word computed: half the time, at best."""
    network = load("zoo:mobilenet_v1")
    shapes = layer_shapes(network)
    found = {layer.name: layer for layer in layer_cycles(shapes, PUBLISHED_CORE)}
    layer = found["conv5_1/dw"]
    assert layer.compute == 14 * 14 * 8
    assert layer.total >= 2 * layer.compute


@pytest.mark.parametrize(
    ("network", "low", "high"),
    [  # golden, our own figures: of the paper only the mean over nine networks is known, 0.91
        ("zoo:squeezenet_v1.1", 0.90, 0.92),
        ("zoo:resnet50", 0.83, 0.86),
        ("zoo:yolov2", 0.98, 0.99),
    ],
)
def test_efficiency_of_ordinary_networks(network: str, low: float, high: float) -> None:
    layers = layer_cycles(layer_shapes(load(network)), PUBLISHED_CORE)
    cycles = sum(layer.total for layer in layers)
    macs = sum(layer.macs for layer in layers)
    assert low < macs / (1024 * cycles) < high
