from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.protocol import Bound, Cost
from counterpoint.costs.models.roofline import Roofline
from counterpoint.costs.models.roofline_fit import Measured, evaluate, fit
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Layer
from tests.costs.models.layers import conv, layer_of

PLAIN = Roofline(peak_macs_per_s=1e9, bandwidth_bytes_per_s=1e9)


def time_ns(model: Roofline, layer: Layer) -> int:
    cost = model.cost(layer)
    assert isinstance(cost, Cost)
    return cost.time_ns


def test_the_larger_of_the_two_counts() -> None:
    pool = layer_of(kind="MaxPool", items=1000)
    assert PLAIN.cost(pool) == Cost(8000, None, Bound.MEMORY)
    wide = layer_of(conv(16, 16, 8))
    assert PLAIN.cost(wide) == Cost(wide.macs, None, Bound.COMPUTE)


def test_the_most_specific_efficiency_holds() -> None:
    model = replace(PLAIN, efficiency={"Conv": 0.5, "Conv3x3": 0.25}, default_efficiency=0.1)
    three, one = layer_of(conv(16, 16, 8)), layer_of(conv(64, 64, 8, 1))
    other = layer_of(conv(16, 16, 8), kind="Gemm")
    assert time_ns(model, three) == 4 * three.macs
    assert time_ns(model, one) == 2 * one.macs
    assert time_ns(model, other) == 10 * other.macs


def test_operators_that_are_not_fused_are_calls_that_move_the_output_again() -> None:
    layer = layer_of(kind="MaxPool", operators=("MaxPool", "BatchNormalization", "Relu"))
    model = replace(PLAIN, overhead_ns=500)
    assert time_ns(model, layer) == 8000 + 500
    assert time_ns(replace(model, fused=False), layer) == 8000 * 3 + 3 * 500


def test_precision_and_power() -> None:
    pool = layer_of(kind="MaxPool", items=1000)
    model = replace(PLAIN, item_bytes=1, power_mw=250)
    assert model.cost(pool) == Cost(2000, 2000 * 250, Bound.MEMORY)
    assert time_ns(model, replace(pool, quantised=True)) == 8000  # the file's bytes are int8


def test_unknown_shapes_are_refused() -> None:
    answer = PLAIN.cost(replace(layer_of(kind="MaxPool"), output_bytes=None))
    assert answer == "the shapes of layer layer are not known, so nor are its bytes"


@pytest.mark.parametrize(
    "wrong",
    [
        {"peak_macs_per_s": 0.0},
        {"bandwidth_bytes_per_s": float("nan")},
        {"efficiency": {"Conv": 1.5}},
        {"default_efficiency": 0.0},
        {"overhead_ns": -1},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(PLAIN, **wrong)  # type: ignore[arg-type]


@st.composite
def machines(draw: st.DrawFn) -> tuple[Roofline, tuple[Layer, ...]]:
    share = st.floats(0.05, 1.0)
    model = Roofline(
        peak_macs_per_s=1e10,
        bandwidth_bytes_per_s=draw(st.floats(1e8, 1e10)),
        efficiency={"Conv": draw(share), "DepthwiseConv": draw(share)},
        overhead_ns=draw(st.integers(0, 100_000)),
    )
    channels = st.sampled_from([16, 32, 64, 128])
    convs = draw(
        st.lists(
            st.builds(conv, channels, channels, st.integers(4, 32), st.sampled_from([1, 3])),
            min_size=6,
            max_size=12,
        )
    )
    kinds = [("Conv", "DepthwiseConv")[place % 2] for place in range(len(convs))]
    layers = [layer_of(nest, kind=kind) for nest, kind in zip(convs, kinds, strict=True)]
    pools = draw(st.lists(st.integers(10_000, 500_000), min_size=3, max_size=5, unique=True))
    return model, (*layers, *(layer_of(kind="MaxPool", items=items) for items in pools))


@settings(max_examples=40, deadline=None)
@given(machines())
def test_a_fit_is_never_worse_than_what_it_started_from(
    machine: tuple[Roofline, tuple[Layer, ...]],
) -> None:
    truth, layers = machine
    samples = [Measured(layer, max(1, time_ns(truth, layer))) for layer in layers]
    start = Roofline(peak_macs_per_s=1e10, bandwidth_bytes_per_s=1e10)

    def loss(model: Roofline) -> float:
        return sum(
            ((time_ns(model, sample.layer) - sample.time_ns) / sample.time_ns) ** 2
            for sample in samples
        )

    found = fit(start, samples)
    assert loss(found.model) <= loss(start) + 1e-6
    assert loss(fit(truth, samples).model) <= 1e-6  # the truth stays where it is


def test_a_fit_finds_the_machine_that_made_the_samples() -> None:
    truth = Roofline(
        peak_macs_per_s=1e10,
        bandwidth_bytes_per_s=4e9,
        efficiency={"Conv": 0.4, "Gemm": 0.7},
        overhead_ns=20_000,
    )
    layers = [
        *(layer_of(conv(c, c, edge)) for c in (32, 64, 128) for edge in (8, 16, 28)),
        *(layer_of(conv(c, c, 16, 1), kind="Gemm") for c in (256, 512)),
        *(layer_of(kind="MaxPool", items=items) for items in (10_000, 100_000, 1_000_000)),
    ]
    samples = [Measured(layer, time_ns(truth, layer)) for layer in layers]
    start = Roofline(peak_macs_per_s=1e10, bandwidth_bytes_per_s=1e10)
    found = fit(start, samples)
    assert found.worst_error < 0.01
    assert found.model.efficiency["Conv"] == pytest.approx(0.4, rel=0.02)
    assert found.model.bandwidth_bytes_per_s == pytest.approx(4e9, rel=0.02)
    assert found.model.overhead_ns == pytest.approx(20_000, rel=0.05)
    assert found.samples == len(samples)


def test_errors_are_those_of_the_definition() -> None:
    pool = layer_of(kind="MaxPool", items=1000)
    told = evaluate(PLAIN, [Measured(pool, 10_000), Measured(pool, 5_000)])
    assert told.mean_error == pytest.approx((0.2 + 0.6) / 2)
    assert told.worst_error == pytest.approx(0.6)
    assert told.total_error == pytest.approx(16 / 15 - 1)


def test_a_fit_needs_usable_samples() -> None:
    with pytest.raises(UserInputError, match="at least one"):
        fit(PLAIN, [])
    with pytest.raises(UserInputError, match="at least 1 ns"):
        fit(PLAIN, [Measured(layer_of(kind="MaxPool"), 0)])
