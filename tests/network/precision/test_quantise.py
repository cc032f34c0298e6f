"""What a rewrite to int8 makes of a network: its form, its numbers, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.precision.correspondence import correspondence
from counterpoint.network.precision.quantise import (
    as_chosen,
    choice_of,
    observed,
    quantise,
    refusals,
)
from counterpoint.network.precision.ranges import Ranges, TensorRange
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.split import Split
from counterpoint.network.splitting import split
from tests.engine_runs import random_frame, relative_error, run_parts, run_whole
from tests.network.precision.int8_runs import min_max, run_model, without_conversions
from tests.network.split_runs import network_in_memory
from tests.onnx_models import kernel, loaded, model, random_models

W = kernel(16, 16)
SEEN = Scheme(clipping="min_max")
QDQ = ("DequantizeLinear", "Conv", "QuantizeLinear")


def network_of(body: str, **constants: Any) -> Network:
    inputs = constants.pop("inputs", "float[1,16,8,8] x")
    opset = constants.pop("opset", 17)
    return network_in_memory(model(body, inputs=inputs, opset=opset, w=W, **constants))


def all_int8(network: Network, scale: float = 1.0) -> Network:
    chosen = [layer.index for layer in network.layers if layer.index not in refusals(network)]
    return quantise(network, chosen, min_max(network, [random_frame(network, scale)]), SEEN)


def operators(network: Network) -> dict[str, tuple[str, ...]]:
    return {layer.name: layer.operators for layer in network.layers}


def test_a_chain_becomes_layers_on_integers() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) c = MaxPool<kernel_shape=[2,2]>(b)"
    network = network_of(body + " y = Conv<pads=[1,1,1,1]>(c, w)")
    rewritten = all_int8(network)
    assert operators(rewritten) == {
        "x/int8": ("QuantizeLinear",),
        "Conv0": ("DequantizeLinear", "Conv", "Relu", "QuantizeLinear"),
        "MaxPool2": ("DequantizeLinear", "MaxPool", "QuantizeLinear"),
        "Conv3": QDQ,
        "y/int8/returned": ("DequantizeLinear",),
    }
    assert [layer.computes_int8 for layer in rewritten.layers] == [False, True, True, True, False]
    assert rewritten.inputs == network.inputs
    assert rewritten.outputs == network.outputs
    between = rewritten.layers[1].outputs[0]
    assert rewritten.tensors[between].dtype == "uint8"
    assert rewritten.layers[1].weight_bytes < network.layers[0].weight_bytes / 2  # shared by two
    assert correspondence(network, rewritten).layers == ((1,), (2,), (3,))
    assert correspondence(network, rewritten).conversions == (0, 4)


def test_what_is_not_chosen_stays_float() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Conv<pads=[1,1,1,1]>(a, w) c = Relu(b)"
    network = network_of(body + " y = Conv<pads=[1,1,1,1]>(c, w)")
    ranges = min_max(network, [random_frame(network)])
    first = quantise(network, [0], ranges, SEEN)
    assert operators(first)["Conv1"] == ("DequantizeLinear", "Conv", "Relu")
    assert operators(first)["Conv3"] == ("Conv",)
    second = quantise(network, [1], ranges, SEEN)
    assert operators(second) == {
        "Conv0": ("Conv", "QuantizeLinear"),
        "Conv1": ("DequantizeLinear", "Conv", "Relu", "QuantizeLinear"),
        "Conv3": ("DequantizeLinear", "Conv"),
    }
    assert [layer.computes_int8 for layer in second.layers] == [False, True, False]
    assert quantise(network, [], ranges, SEEN) is network


def test_a_float_reader_beside_an_int8_one_reads_float() -> None:
    body = "a = Relu(x) b = Conv<pads=[1,1,1,1]>(a, w) c = Sigmoid(a) y = Mul(b, c)"
    network = network_of(body)
    index = next(layer.index for layer in network.layers if layer.kind == "Conv")
    rewritten = quantise(network, [index], min_max(network, [random_frame(network)]), SEEN)
    assert operators(rewritten)["Sigmoid2"] == ("Sigmoid",)
    assert operators(rewritten)["a/int8"] == ("QuantizeLinear",)
    assert correspondence(network, rewritten).conversions == (1,)


def test_one_convolution_number_by_number() -> None:
    network = network_of(
        "a = Conv<pads=[1,1,1,1]>(x, w, b) y = Relu(a)", b=np.linspace(-1, 1, 16, dtype=np.float32)
    )
    frame = random_frame(network)
    ranges = min_max(network, [frame])
    outputs = run_whole(quantise(network, [0], ranges, SEEN), frame)

    def stepped(values: Any, low: float, high: float) -> Any:
        scale = (high - low) / 255
        zero = round(-low / scale)
        return (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale, scale

    x, _ = stepped(frame["x"], *_ends(ranges, "x"))
    steps = np.abs(W).max(axis=(1, 2, 3), keepdims=True) / 127
    weights = np.rint(W / steps) * steps
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    exact = np.zeros((16, 8, 8))
    for row in range(8):
        for column in range(8):
            window = padded[:, row : row + 3, column : column + 3]
            exact[:, row, column] = (weights * window).sum(axis=(1, 2, 3))
    exact += np.linspace(-1, 1, 16).reshape(-1, 1, 1)
    expected, scale = stepped(np.maximum(exact, 0), *_ends(ranges, "y"))
    difference = np.abs(outputs[0][0] - expected) / scale
    assert difference.max() < 1.01
    assert (difference > 0.5).mean() < 0.01  # where float32 and float64 round a tie otherwise


def _ends(ranges: Ranges, name: str) -> tuple[float, float]:
    found = ranges.tensors[name]
    return min(found.minimum, 0), max(found.maximum, 0)


@pytest.mark.parametrize(
    "behind",
    [
        "y = BatchNormalization(a, s, b, m, v)",
        "y = Mul(a, c)",
        "d = Mul(a, c) y = Add(d, c)",
        "y = Div(a, c)",
        "y = Sub(a, k)",
    ],
)
def test_what_is_linear_by_channel_folds_into_the_weights(behind: str) -> None:
    network = network_of(
        "a = Conv<pads=[1,1,1,1]>(x, w) " + behind,
        s=np.linspace(0.5, 2, 16, dtype=np.float32),
        b=np.linspace(-1, 1, 16, dtype=np.float32),
        m=np.linspace(-0.5, 0.5, 16, dtype=np.float32),
        v=np.linspace(0.3, 3, 16, dtype=np.float32),
        c=np.linspace(-2, 1.9, 16, dtype=np.float32).reshape(16, 1, 1),
        k=np.array(0.7, np.float32),
    )
    rewritten = all_int8(network)
    assert operators(rewritten)["Conv0"] == QDQ
    frame = random_frame(network)
    assert relative_error(run_whole(rewritten, frame), run_whole(network, frame)) < 0.03
    plain = run_model(without_conversions(rewritten), frame)
    assert relative_error(plain, run_whole(network, frame)) < 0.01


def test_a_product_with_its_bias_becomes_one_gemm() -> None:
    network = network_of(
        "f = Flatten(x) a = MatMul(f, p) y = Add(a, b)",
        inputs="float[2,3,4,4] x",
        p=np.random.default_rng(0).standard_normal((48, 10)).astype(np.float32),
        b=np.linspace(-3, 3, 10, dtype=np.float32),
    )
    index = next(layer.index for layer in network.layers if layer.kind == "Gemm")
    frame = random_frame(network)
    rewritten = quantise(network, [index], min_max(network, [frame]), SEEN)
    assert operators(rewritten)["MatMul1"] == ("DequantizeLinear", "Gemm")
    assert relative_error(run_whole(rewritten, frame), run_whole(network, frame)) < 0.03


def test_a_residual_sum_is_on_integers_and_keeps_its_layer() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) r = Relu(a) b = Conv<pads=[1,1,1,1]>(r, w)"
    network = network_of(body + " s = Add(b, r) t = Relu(s) y = Conv<pads=[1,1,1,1]>(t, w)")
    assert network.layers[1].operators == ("Conv", "Add", "Relu")
    rewritten = all_int8(network)
    found = correspondence(network, rewritten)
    assert [rewritten.layers[index].operators for index in found.layers[1]] == [
        QDQ,
        ("DequantizeLinear", "DequantizeLinear", "Add", "Relu", "QuantizeLinear"),
    ]
    frame = random_frame(network)
    assert relative_error(run_whole(rewritten, frame), run_whole(network, frame)) < 0.05


def test_operators_that_only_move_values_share_one_step() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Conv<pads=[1,1,1,1]>(x, v) c = Concat<axis=1>(a, b)"
    body += " d = MaxPool<kernel_shape=[2,2]>(c) y = Conv(d, u)"
    network = network_of(body, v=10 * W, u=kernel(16, 32, 1))
    rewritten = all_int8(network)
    steps = _scales(rewritten)
    assert len({steps[name] for name in ("a", "b", "c", "d")}) == 1
    assert steps["x"] != steps["a"]


def _scales(network: Network) -> dict[str, float]:
    import onnx
    from onnx import numpy_helper

    whole = onnx.load(network.whole().onnx_path())
    values = {t.name: numpy_helper.to_array(t) for t in whole.graph.initializer}
    return {
        node.input[0].removesuffix("/float"): float(values[node.input[1]])
        for node in whole.graph.node
        if node.op_type == "QuantizeLinear"
    }


def test_old_operator_sets_are_converted() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Clip<min=0.0, max=6.0>(a)"
    network = network_of(body + " y = Softmax<axis=1>(b)", opset=8)
    rewritten = all_int8(network, 3.0)
    frame = random_frame(network, 3.0)
    assert relative_error(run_whole(rewritten, frame), run_whole(network, frame)) < 0.1
    assert operators(rewritten)["Conv0"][-1] == "QuantizeLinear"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("y = Softmax(x)", "no engine here runs Softmax in int8"),
        ("y = ConvTranspose(x, w)", "no engine here runs ConvTranspose in int8"),
        ("n = Neg(w) y = Conv(x, n)", "its weights are computed by nodes"),
        ("y = Conv(x, z)", "its weights are not finite"),
        ("f = Flatten(x) y = Gemm<alpha=2.0>(f, p)", "Gemm of this form"),
        ("f = Flatten(x) t = Transpose(f) y = MatMul(f, t)", "does not multiply"),
        (
            "q = QuantizeLinear(x, k) d = DequantizeLinear(q, k) e = DequantizeLinear(i, k)"
            " y = Conv(d, e)",
            "the network quantises it already",
        ),
        ("h = Cast<to=10>(x) v = Cast<to=10>(w) y = Conv(h, v)", "is float16"),
    ],
)
def test_refusals(body: str, reason: str) -> None:
    network = network_of(
        body,
        z=np.full((4, 16, 1, 1), np.inf, np.float32),
        p=np.ones((1024, 3), np.float32),
        k=np.array(0.1, np.float32),
        i=np.ones((4, 16, 1, 1), np.uint8),
    )
    last = network.layers[-1].index
    assert reason in refusals(network)[last]
    with pytest.raises(UserInputError, match="cannot be int8"):
        quantise(network, [last], Ranges(1, {}), SEEN)


def test_a_missing_range_is_named() -> None:
    network = network_of("y = Conv(x, w)")
    with pytest.raises(UserInputError, match="range of tensor 'x' is not known: calibrate"):
        quantise(network, [0], Ranges(1, {}), SEEN)


def test_a_choice_makes_the_same_network_again() -> None:
    network = network_of("a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Conv(b, w)")
    ranges = min_max(network, [random_frame(network)])
    chosen = choice_of(network, [1], ranges, SEEN)
    assert chosen.int8 == ("Conv2",)
    assert set(chosen.ranges.tensors) == {"b", "y"}
    rewritten = quantise(network, [1], ranges, SEEN)
    quantise(network, [0], ranges, SEEN)  # what else was made of the network does not matter
    again = as_chosen(network, chosen)
    assert again.content_hash == rewritten.content_hash
    assert operators(again) == operators(rewritten)
    assert (
        again.content_hash
        != as_chosen(network, PrecisionChoice(("Conv0",), SEEN, ranges)).content_hash
    )
    for layers, tensors, message in (
        (("conv",), {}, "no layer 'conv', which shall be int8"),
        (("Conv2",), {"z": TensorRange(0, 1, 0, 1)}, "no tensor 'z', whose range is given"),
    ):
        with pytest.raises(UserInputError, match=message):
            as_chosen(network, PrecisionChoice(layers, SEEN, Ranges(1, tensors)))


def test_a_rewritten_layer_can_be_split() -> None:
    network = network_of(
        "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Conv<pads=[1,1,1,1]>(b, w)"
    )
    rewritten = all_int8(network)
    parted = split(
        rewritten, [Split(("Conv0",), "channels", (1, 1)), Split(("Conv2",), "rows", (3, 1))]
    )
    assert sum(layer.computes_int8 for layer in parted.layers if layer.macs) == 4
    frame = random_frame(network)
    assert relative_error(run_whole(parted, frame), run_whole(rewritten, frame)) < 0.01


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(random_models(), st.data())
def test_random_networks(made: ModelProto, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        network = loaded(made, Path(folder))
    frame = random_frame(network)
    able = sorted(set(range(len(network.layers))) - set(refusals(network)))
    chosen = data.draw(st.lists(st.sampled_from(able), unique=True)) if able else []
    ranges = min_max(network, [frame])
    scheme = data.draw(
        st.builds(
            Scheme,
            weights=st.sampled_from(["per_channel", "per_tensor"]),
            activations=st.sampled_from(["asymmetric", "symmetric", "signed"]),
        )
    )
    rewritten = quantise(network, chosen, ranges, scheme)
    assert rewritten.outputs == network.outputs
    assert quantise(network, chosen, ranges, scheme).content_hash == rewritten.content_hash
    found = correspondence(network, rewritten)
    assert all(found.layers)
    everything = sorted([*found.conversions, *(i for layers in found.layers for i in layers)])
    assert everything == list(range(len(rewritten.layers)))
    for index in chosen:
        main = next(
            rewritten.layers[i]
            for i in found.layers[index]
            if rewritten.layers[i].name == network.layers[index].name
        )
        assert "DequantizeLinear" in main.operators
    # Without the conversions it computes what the network does, but for the weights' rounding.
    wanted = run_model(without_conversions(network), frame)
    assert relative_error(run_model(without_conversions(rewritten), frame), wanted) < 0.05
    # Layer by layer it computes what it does as a whole: a tie may round otherwise.
    singles = [[index] for index in range(len(rewritten.layers))]
    whole = run_whole(rewritten, frame)
    assert relative_error(run_parts(rewritten, singles, frame), whole) < 0.1


def test_observed_tensors_are_those_that_may_be_needed() -> None:
    network = network_of("a = Conv<pads=[1,1,1,1]>(x, w) y = Softmax(a)")
    assert [spec.name for spec in observed(network).outputs] == ["a"]
