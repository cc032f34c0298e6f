from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.protocol import Cost
from counterpoint.costs.models.vta import CORTEX_A9, Vta, packing_ns_per_item
from counterpoint.costs.models.vta_tiling import Tile, tiles, traffic
from counterpoint.network.graph import LoopNest, Network
from counterpoint.network.loading import load
from tests.costs.models.layers import conv, layer_of


@pytest.fixture(scope="module")
def resnet18() -> Network:
    return load("zoo:resnet18")


def offloaded(network: Network) -> list[LoopNest]:
    model = Vta(residual_on=CORTEX_A9)
    return [
        layer.loops
        for layer in network.layers
        if layer.loops is not None and isinstance(model.cost(layer), Cost)
    ]


def convolutions_ms(network: Network, model: Vta) -> float:
    cycles = [model.cycles(nest) for nest in offloaded(network)]
    return sum(count for count in cycles if count is not None) / model.clock_mhz / 1e3


def test_the_convolutions_of_resnet18(resnet18: Network) -> None:
    # Moreau et al., ReQuEST 2018: 0.073 s on the PYNQ-Z1
    assert len(offloaded(resnet18)) == 19
    assert convolutions_ms(resnet18, Vta()) == pytest.approx(73, rel=0.10)


def test_utilisation_with_and_without_latency_hiding(resnet18: Network) -> None:
    # the same: 88 % and 70 % of the GEMM core's peak
    peak_ms = sum(nest.macs for nest in offloaded(resnet18)) / 256 / 1e5
    hidden = peak_ms / convolutions_ms(resnet18, Vta())
    plain = peak_ms / convolutions_ms(resnet18, Vta(latency_hiding=False))
    assert hidden == pytest.approx(0.88, abs=0.02)
    assert plain == pytest.approx(0.70, abs=0.02)


def test_resnet18_end_to_end(resnet18: Network) -> None:
    # the same: 0.494 s, 0.073 of them on VTA
    model = Vta(residual_on=CORTEX_A9)
    vta_ns = cpu_ns = 0.0
    for layer in resnet18.layers:
        cost, residual_ns = model.cost(layer), model.residual_ns(layer)
        if isinstance(cost, Cost) and residual_ns is not None:
            vta_ns += cost.time_ns - residual_ns
            cpu_ns += residual_ns
        else:
            host = CORTEX_A9.cost(layer)
            assert isinstance(host, Cost)
            cpu_ns += host.time_ns
    cpu_ns += 64 * 56 * 56 * packing_ns_per_item(CORTEX_A9)  # what the first convolution reads
    assert (vta_ns + cpu_ns) / 1e9 == pytest.approx(0.494, rel=0.05)
    assert cpu_ns / (vta_ns + cpu_ns) > 0.85


def test_the_cpu_alone(resnet18: Network) -> None:
    # the same: 3.25 s; residuals hide behind the convolutions that they are fused with
    costs = [CORTEX_A9.cost(layer) for layer in resnet18.layers]
    total_ns = sum(cost.time_ns for cost in costs if isinstance(cost, Cost))
    assert total_ns / 1e9 == pytest.approx(3.25, rel=0.05)


@pytest.mark.parametrize(
    ("nest", "kind", "operators", "reason"),
    [
        (conv(3, 64, 224, 7, 2), "Conv", ("Conv",), "multiples of 16"),
        (conv(16, 24, 8), "Conv", ("Conv",), "multiples of 16"),
        (None, "MaxPool", None, "no pooling"),
        (None, "GlobalAveragePool", None, "no pooling"),
        (LoopNest(batch=1, in_channels=512, out_channels=1000), "Gemm", None, "fully connected"),
        (conv(16, 16, 8), "Conv", ("Conv", "Add", "Relu"), "residual"),
        (None, "Add", None, "residual"),
        (conv(16, 16, 8), "Conv", ("Conv", "Sigmoid"), "no Sigmoid"),
        (replace(conv(16, 16, 8), groups=16), "DepthwiseConv", None, "depthwise"),
        (replace(conv(16, 16, 8), dilation=(2, 2)), "Conv", None, "dilated"),
        (None, "Softmax", None, "not Softmax"),
    ],
)
def test_refusals_have_reasons(
    nest: LoopNest | None, kind: str, operators: tuple[str, ...] | None, reason: str
) -> None:
    answer = Vta().cost(layer_of(nest, kind=kind, operators=operators))
    assert isinstance(answer, str)
    assert reason in answer


def test_what_no_scratchpad_holds_is_refused() -> None:
    answer = Vta(weight_buffer_bytes=1024).cost(layer_of(conv(16, 16, 8)))
    assert isinstance(answer, str)
    assert "no tile" in answer


def test_a_residual_takes_the_cpu_as_long_as_its_bytes() -> None:
    layer = layer_of(conv(16, 16, 8), operators=("Conv", "Add", "Relu"))
    items = 16 * 8 * 8
    moved = 3 * 4 * items + 2 * 2 * items
    expected = moved * 1e9 / CORTEX_A9.bandwidth_bytes_per_s
    assert Vta(residual_on=CORTEX_A9).residual_ns(layer) == pytest.approx(expected, abs=1)


@st.composite
def small_convolutions(draw: st.DrawFn) -> LoopNest:
    channels = st.sampled_from([16, 32, 48, 64])
    return conv(
        draw(channels),
        draw(channels),
        draw(st.integers(1, 12)),
        draw(st.sampled_from([1, 3, 5])),
        draw(st.integers(1, 2)),
    )


def touched_bytes(nest: LoopNest, tile: Tile) -> int:
    """Oracle: walks all tiles, the operand of the outer loop staying where it may."""
    rows, columns = nest.output_size
    inner = [0, 0]
    turns = -(-nest.in_channels // tile.in_channels)
    places = [(y, x) for y in range(0, rows, tile.rows) for x in range(0, columns, tile.columns)]
    kernels = range(0, nest.out_channels, tile.out_channels)
    steps_by_order = (
        [(p, k, c) for p in places for k in kernels for c in range(turns)],
        [(p, k, c) for k in kernels for p in places for c in range(turns)],
    )
    tall = min((tile.rows - 1) * nest.stride[0] + nest.kernel[0], nest.input_size[0])
    wide = min((tile.columns - 1) * nest.stride[1] + nest.kernel[1], nest.input_size[1])
    read = tall * wide * tile.in_channels
    weights = nest.kernel[0] * nest.kernel[1] * tile.in_channels * tile.out_channels
    for order, steps in enumerate(steps_by_order):
        held_input = held_weights = None
        for place, kernel, turn in steps:
            if held_input != (place, turn):
                inner[order] += read
                held_input = (place, turn)
            if held_weights != (kernel, turn):
                inner[order] += weights
                held_weights = (kernel, turn)
    return min(inner) + len(places) * nest.out_channels * 4


@settings(max_examples=30, deadline=None)
@given(small_convolutions())
def test_traffic_is_that_of_a_walk_over_the_tiles(nest: LoopNest) -> None:
    for number, tile in enumerate(tiles(nest, 16, Vta().scratchpads)):
        if number % 7 == 0:
            assert traffic(nest, tile).loaded == touched_bytes(nest, tile), tile


@settings(max_examples=30, deadline=None)
@given(small_convolutions())
def test_cycles_are_above_every_bound(nest: LoopNest) -> None:
    model = Vta()
    cycles, waiting = model.cycles(nest), replace(model, latency_hiding=False).cycles(nest)
    assert cycles is not None
    assert waiting is not None
    assert cycles >= nest.macs / 256
    least_bytes = nest.kernel[0] * nest.kernel[1] * nest.in_channels * nest.out_channels
    assert cycles >= least_bytes / 8
    larger = replace(model, weight_buffer_bytes=1 << 20, input_buffer_bytes=1 << 20)
    again = larger.cycles(nest)
    assert again is not None
    assert again <= cycles
