"""What a split makes of a network, what it refuses, and splits of real networks."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from pydantic import TypeAdapter, ValidationError

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.split import Axis, Split
from counterpoint.network.splitting import part_borders, split, split_reason
from tests.engine_runs import relative_error, run_segment
from tests.network.split_runs import TOLERANCE, check_split, network_from, network_in_memory
from tests.onnx_models import kernel, model
from tests.random_networks import network_of
from tests.shared_data import require

AXES: tuple[Axis, ...] = ("channels", "rows")

# Weights above the size that stays inside the model.
W = kernel(16, 16)


def layer_names(network: Network) -> list[str]:
    return [layer.name for layer in network.layers]


def convolution(body: str = "y = Conv<pads=[1,1,1,1]>(x, w)", **constants: Any) -> Network:
    return network_in_memory(model(body, inputs="float[1,16,8,8] x", w=W, **constants))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(0, 40))
def test_parts_are_proportional_and_none_is_empty(parts: list[int], more: int) -> None:
    count = len(parts) + more
    borders = part_borders(count, parts)
    assert (borders[0], borders[-1]) == (0, count)
    assert all(start < stop for start, stop in pairwise(borders))
    if count * min(parts) >= 2 * sum(parts):  # nobody had to be given a first one
        ahead = 0
        for border, part in zip(borders[1:], parts, strict=True):
            ahead += part
            assert abs(border - Fraction(count * ahead, sum(parts))) <= Fraction(1, 2)


def test_a_split_survives_its_file_form_and_refuses_nonsense() -> None:
    adapter = TypeAdapter(Split)
    wanted = Split(("conv1", "pool1"), "rows", (3, 1))
    assert adapter.validate_json(adapter.dump_json(wanted)) == wanted
    for text in (
        '{"layers": [], "axis": "rows", "parts": [1, 1]}',
        '{"layers": ["a", "a"], "axis": "rows", "parts": [1, 1]}',
        '{"layers": ["a"], "axis": "rows", "parts": [1]}',
        '{"layers": ["a"], "axis": "rows", "parts": [1, 0]}',
        '{"layers": ["a", "b"], "axis": "channels", "parts": [1, 1]}',
        '{"layers": ["a"], "axis": "columns", "parts": [1, 1]}',
        '{"layers": ["a"], "axis": "rows", "parts": [1, 1], "more": 1}',
    ):
        with pytest.raises(ValidationError):
            adapter.validate_json(text)


def test_a_part_is_one_layer_with_its_slice_and_the_concat_another() -> None:
    network = convolution("a = Conv<pads=[1,1,1,1]>(x, w) y = Relu(a)")
    by_rows = split(network, [Split(("Conv0",), "rows", (3, 1))])
    assert [(layer.name, layer.kind, layer.operators) for layer in by_rows.layers] == [
        ("Conv0/part0", "Conv", ("Slice", "Conv", "Relu")),
        ("Conv0/part1", "Conv", ("Slice", "Conv", "Relu")),
        ("Conv0/concat", "Concat", ("Concat",)),
    ]
    assert by_rows.tensors["y/part0"].shape == (1, 16, 6, 8)
    assert by_rows.tensors["y/part1"].shape == (1, 16, 2, 8)
    by_channels = split(network, [Split(("Conv0",), "channels", (3, 1))])
    assert by_channels.layers[0].operators == ("Conv", "Relu")
    assert by_channels.tensors["y/part0"].shape == (1, 12, 8, 8)
    for parted in (by_rows, by_channels):
        assert parted.macs == network.macs
        assert (parted.name, parted.inputs, parted.outputs) == (
            network.name,
            network.inputs,
            network.outputs,
        )


def test_equal_channel_parts_cost_the_same() -> None:
    parted = split(convolution(), [Split(("Conv0",), "channels", (1, 1))])
    assert parted.layers[0].signature == parted.layers[1].signature
    assert parted.layers[0].weight_bytes == W.nbytes // 2


def test_a_split_copies_no_weights_and_is_the_same_each_time() -> None:
    network = convolution()
    folder = network.whole().onnx_path().parent
    size = (folder / "weights.bin").stat().st_size
    wanted = [Split(("Conv0",), "channels", (1, 2))]
    first, second = (split(network, wanted) for _ in range(2))
    assert first.content_hash == second.content_hash != network.content_hash
    assert first.whole().onnx_path() != network.whole().onnx_path()
    assert first.whole().onnx_path().parent == folder
    assert (folder / "weights.bin").stat().st_size == size
    assert split(convolution(), wanted).content_hash == first.content_hash
    del network, second
    assert first.whole().onnx_path().exists(), "the weights live as long as one network needs them"


@pytest.mark.parametrize("axis", AXES)
def test_a_part_can_be_split_again(axis: Axis) -> None:
    network = convolution()
    once = split(network, [Split(("Conv0",), axis, (1, 1))])
    twice = check_split(once, [Split(("Conv0/part1",), axis, (1, 1))])
    assert [name for name in layer_names(twice) if "/in" not in name] == [
        "Conv0/part0",
        "Conv0/part1/part0",
        "Conv0/part1/part1",
        "Conv0/part1/concat",
        "Conv0/concat",
    ]


@pytest.mark.parametrize("axis", AXES)
def test_residual_of_an_identity_stays_one_layer(axis: Axis) -> None:
    body = "s = Relu(x) a = Conv<pads=[1,1,1,1]>(s, w) b = Add(a, s) y = Relu(b)"
    parted = check_split(convolution(body), [Split(("Conv1",), axis, (1, 1))])
    assert layer_names(parted) == ["Relu0", "Conv1/part0", "Conv1/part1", "Conv1/concat"]
    assert {"Conv", "Add", "Relu"} < set(parted.layers[1].operators)


def test_depthwise_channels_slice_the_input() -> None:
    network = network_in_memory(
        model(
            "y = Conv<pads=[1,1,1,1], group=16>(x, d)",
            inputs="float[1,16,8,8] x",
            d=kernel(32, 1),
        )
    )
    parted = check_split(network, [Split(("Conv0",), "channels", (3, 5))])
    assert parted.layers[0].operators == ("Slice", "Conv")
    assert parted.layers[0].kind == "DepthwiseConv"
    assert parted.tensors["y/part0"].shape == (1, 12, 8, 8)


@pytest.mark.parametrize("axis", AXES)
def test_old_operator_sets_slice_by_attributes(axis: Axis) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], "pool", kernel_shape=[3, 3])
    check_split(network_from([node], [1, 4, 9, 9], {}, opset=8), [Split(("pool",), axis, (1, 1))])


@pytest.mark.parametrize("axis", AXES)
def test_int8_layers_stay_in_their_form(axis: Axis) -> None:
    steps = np.linspace(0.01, 0.02, 16, dtype=np.float32)
    constants: dict[str, Any] = {
        "q": np.random.default_rng(0).integers(-127, 128, (16, 16, 3, 3), np.int8),
        "steps": steps,
        "zeros": np.zeros(16, np.int8),
        "s": np.array(0.05, np.float32),
        "m": np.array(128, np.uint8),
    }
    body = """
        a = QuantizeLinear(x, s, m)
        b = DequantizeLinear(a, s, m)
        v = DequantizeLinear<axis=0>(q, steps, zeros)
        c = Conv<pads=[1,1,1,1]>(b, v)
        d = Relu(c)
        e = QuantizeLinear(d, s, m)
        y = DequantizeLinear(e, s, m)
    """
    network = network_in_memory(model(body, inputs="float[1,16,8,8] x", **constants))
    assert layer_names(network)[1] == "Conv3"
    parted = check_split(network, [Split(("Conv3",), axis, (1, 1))])
    assert layer_names(parted)[1:4] == ["Conv3/part0", "Conv3/part1", "Conv3/concat"]
    assert parted.layers[1].quantised
    assert parted.tensors[parted.layers[1].outputs[0]].dtype == "uint8"
    assert all(parted.tensors[name].dtype != "float32" for name in parted.layers[3].inputs)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pools_that_round_up_reach_over_both_borders(operator: str) -> None:
    body = f"y = {operator}<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)"
    parted = check_split(convolution(body), [Split((f"{operator}0",), "rows", (1, 1))])
    assert parted.outputs[0].shape == (1, 16, 4, 4)


def test_a_reshape_follows_the_concat() -> None:
    network = convolution("a = GlobalAveragePool(x) y = Flatten(a)")
    parted = check_split(network, [Split(("GlobalAveragePool0",), "channels", (1, 1))])
    assert parted.layers[2].operators == ("Concat", "Flatten")


def test_a_chain_stays_split_between_its_layers() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Conv<pads=[1,1,1,1]>(b, w)"
    parted = check_split(convolution(body), [Split(("Conv0", "Conv2"), "rows", (1, 1))])
    assert [layer.operators for layer in parted.layers] == [
        ("Slice", "Conv", "Relu"),
        ("Conv",),
        ("Slice", "Conv", "Relu"),
        ("Conv",),
        ("Concat",),
    ]
    # Each half makes the row of the other that its second layer reaches over.
    assert parted.tensors["b/part0"].shape == (1, 16, 5, 8)


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        ([Split(("nobody",), "rows", (1, 1))], "no layer 'nobody'"),
        ([Split(("Softmax2",), "rows", (1, 1))], "Softmax is neither"),
        ([Split(("Conv0",), "rows", (1,) * 9)], "8 rows to share out, too few for 9 parts"),
        ([Split(("Conv0", "Softmax2"), "rows", (1, 1))], "'Softmax2': Softmax is not computed row"),
        ([Split(("Conv0", "Conv3"), "rows", (1, 1))], "'Conv3' is not the only reader of 'Conv0'"),
        (
            [Split(("Conv0",), "rows", (1, 1)), Split(("Conv0",), "channels", (1, 1))],
            "'Conv0' of model is split twice",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(splits: list[Split], reason: str) -> None:
    network = convolution(
        "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) s = Softmax<axis=1>(b) y = Conv(s, w)"
    )
    with pytest.raises(UserInputError, match=reason):
        split(network, splits)


def test_reasons_name_what_stands_in_the_way() -> None:
    def reason(body: str, axis: Axis) -> str:
        network = convolution(body)
        return str(split_reason(network, 0, axis))

    assert "not computed row by row" in reason("y = GlobalAveragePool(x)", "rows")
    assert "padding alone" in reason("y = Conv<pads=[30,0,0,0]>(x, w)", "rows")
    assert "different ways" in reason(
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1, count_include_pad=1>(x)",
        "rows",
    )
    assert reason("y = Conv(x, w)", "rows") == "None"
    one_group = network_in_memory(
        model("y = Conv<group=1>(x, d)", inputs="float[1,16,8,8] x", d=kernel(1, 16))
    )
    assert "1 channels to share out" in str(split_reason(one_group, 0, "channels"))
    bare = network_of([["in"]], [["t0"]], outputs=["t0"])
    assert "no nodes to rewrite" in str(split_reason(bare, 0, "rows"))
    with pytest.raises(UserInputError, match="no nodes to rewrite"):
        split(bare, [Split(("layer0",), "rows", (1, 1))])


@pytest.mark.parametrize("axis", AXES)
def test_openvino_computes_the_same(axis: Axis) -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(a)"
    splits = [Split(("Conv0",), axis, (1, 1)), Split(("MaxPool1",), axis, (1, 2))]
    check_split(convolution(body), splits, engine="openvino")


def all_splits(network: Network, axis: Axis) -> list[Split]:
    return [
        Split((layer.name,), axis, (2, 1))
        for layer in network.layers
        if split_reason(network, layer.index, axis) is None
    ]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["squeezenet_v1.1", "mobilenet_v2"])
def test_every_layer_of_a_published_network(name: str, axis: Axis) -> None:
    network = load(f"zoo:{name}")
    splits = all_splits(network, axis)
    computing = {layer.name for layer in network.layers if layer.macs or "Pool" in layer.kind}
    left = computing - {wanted.layers[0] for wanted in splits}
    assert all(network.outputs[0].shape == (1, 1000) and axis == "rows" for _ in left)
    check_split(network, splits)


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet_v1.1/squeezenet_v1.1.onnx",
        "mobilenet_v2/mobilenet_v2.onnx",
        "mobilenet_v2/mobilenet_v2_int8.onnx",
        "mlperf_tiny/ic_quantized_int8.onnx",
        "ultraface/version-RFB-320.onnx",
        "mnist/mnist_cntk_opset7.onnx",
    ],
)
def test_every_layer_of_a_trained_network(name: str) -> None:
    network = load(require(f"models/{name}"))
    scale = 50.0 if "squeezenet" in name or "mnist" in name else 1.0
    for axis in AXES:
        splits = all_splits(network, axis)
        assert splits
        check_split(network, splits, scale=scale)


def test_one_large_layer_of_vgg16() -> None:
    """Only the layer is run, whole and in parts."""
    network = load("zoo:vgg16")
    whole = next(layer for layer in network.layers if layer.name == "conv5_1")
    source = network.tensors[whole.inputs[0]]
    random = np.random.default_rng(0)
    tensors = {source.name: random.standard_normal(source.shape or ()).astype(np.float32)}
    (wanted,) = run_segment(network.subnetwork([whole.index]), tensors)
    for axis in AXES:
        parted = split(network, [Split((whole.name,), axis, (1, 1))])
        parts = [layer.index for layer in parted.layers if layer.name.startswith("conv5_1/")]
        assert len(parts) == 3
        (found,) = run_segment(parted.subnetwork(parts), tensors)
        assert relative_error([found], [wanted]) < TOLERANCE
