"""Random convolutions, pools, products and chains: split and whole compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from counterpoint.errors import ModelFileError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.split import Axis, Split
from counterpoint.network.splitting import split_reason
from tests.network.split_runs import check_split, network_from

RUNS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

AXES = st.sampled_from(("channels", "rows"))
PARTS = st.lists(st.integers(1, 4), min_size=2, max_size=3).map(tuple)
EDGES = st.integers(1, 3)
ENDINGS = ("", "Relu", "PRelu", "gate", "shift", "residual")


@st.composite
def windows(draw: st.DrawFn, *, pool: bool = False) -> dict[str, Any]:
    """Attributes of a convolution or pool; padding is less than the window."""
    edge = [draw(EDGES), draw(EDGES)]
    attributes: dict[str, Any] = {
        "kernel_shape": edge,
        "strides": [draw(EDGES), draw(EDGES)],
        "dilations": [1, 1],
    }
    padding = draw(st.sampled_from(("explicit", "explicit", "SAME_UPPER", "SAME_LOWER", "VALID")))
    if padding in ("explicit", "VALID") and not pool:
        attributes["dilations"] = [draw(st.integers(1, 2)), draw(st.integers(1, 2))]
    if padding == "explicit":
        attributes["pads"] = [draw(st.integers(0, edge[axis] - 1)) for axis in (0, 1, 0, 1)]
    else:
        attributes["auto_pad"] = padding
        if pool:  # ONNX Runtime 1.31 fails where SAME pools leave columns out
            attributes["strides"] = [
                min(pair) for pair in zip(edge, attributes["strides"], strict=True)
            ]
    return attributes


@st.composite
def convolutions(draw: st.DrawFn) -> Network:
    """A convolution ``conv`` with what is fused into it."""
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    into, out = groups * draw(EDGES), groups * draw(st.integers(1, 4))
    attributes = {**draw(windows()), "group": groups}
    random = np.random.default_rng(draw(st.integers(0, 99)))

    def values(*shape: int) -> Any:
        return random.uniform(0.1, 1, shape).astype(np.float32)

    weights = values(out, into // groups, *attributes["kernel_shape"])
    constants = {"w": weights, "b": values(out)}
    bias = ["b"] if draw(st.booleans()) else []
    nodes = [helper.make_node("Conv", ["x", "w", *bias], ["c"], "conv", **attributes)]
    result = "c"
    if draw(st.booleans()):
        statistics = ["scale", "shift", "mean", "var"]
        constants |= {name: values(out) for name in statistics}
        nodes.append(helper.make_node("BatchNormalization", [result, *statistics], ["n"], "bn"))
        result = "n"
    ending = draw(st.sampled_from(ENDINGS))
    if ending == "Relu":
        nodes.append(helper.make_node("Relu", [result], ["y"], "end"))
    elif ending == "PRelu":
        constants["slope"] = values(out, 1, 1)
        nodes.append(helper.make_node("PRelu", [result, "slope"], ["y"], "end"))
    elif ending == "gate":
        nodes.append(helper.make_node("Sigmoid", [result], ["g"], "gate"))
        nodes.append(helper.make_node("Mul", [result, "g"], ["y"], "end"))
    elif ending == "shift":
        constants["vector"] = values(1, out, 1, 1)
        nodes.append(helper.make_node("Add", ["vector", result], ["y"], "end"))
    elif ending == "residual":
        constants["w2"] = values(*weights.shape)
        nodes.insert(0, helper.make_node("Conv", ["x", "w2"], ["s"], "before", **attributes))
        nodes.append(helper.make_node("Add", ["s", result], ["y"], "end"))
    shape = [2, into, draw(st.integers(5, 11)), draw(st.integers(5, 11))]
    return network_from(nodes, shape, constants)


@given(convolutions(), AXES, PARTS)
@RUNS
def test_convolutions(network: Network, axis: Axis, parts: tuple[int, ...]) -> None:
    index = next(layer.index for layer in network.layers if layer.name == "conv")
    extent = (network.outputs[0].shape or ())[{"channels": 1, "rows": 2}[axis]]
    assume(extent >= len(parts))
    reason = split_reason(network, index, axis)
    if reason is not None:
        group = "share out" in reason and network.layers[index].kind != "Conv"
        assert group or "padding alone" in reason, reason
        return
    if axis == "channels" and network.layers[index].kind != "Conv":
        parts = parts[:2]  # whole groups, of which there may be two
    parted = check_split(network, [Split(("conv",), axis, parts)])
    assert len(parted.layers) == len(network.layers) + len(parts)


@st.composite
def pools(draw: st.DrawFn) -> Network:
    operator = draw(st.sampled_from(("MaxPool", "AveragePool")))
    attributes = {**draw(windows(pool=True)), "ceil_mode": draw(st.integers(0, 1))}
    if operator == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
        del attributes["dilations"]
    # ONNX counts windows that begin behind the image, ONNX Runtime does not.
    ends = attributes.get("pads", [0] * 4)[2:]
    limits = [k - end for k, end in zip(attributes["kernel_shape"], ends, strict=True)]
    if "auto_pad" in attributes or any(
        stride > limit for stride, limit in zip(attributes["strides"], limits, strict=True)
    ):
        attributes["ceil_mode"] = 0
    shape = [1, draw(st.integers(2, 5)), draw(st.integers(5, 12)), draw(st.integers(5, 12))]
    nodes = [
        helper.make_node(operator, ["x"], ["p"], "pool", **attributes),
        helper.make_node("Flatten", ["p"], ["y"], "flat"),
    ]
    return network_from(nodes[: draw(st.integers(1, 2))], shape, {})


@given(pools(), AXES)
@RUNS
def test_pools(network: Network, axis: Axis) -> None:
    reason = split_reason(network, 0, axis)
    if reason is not None:
        expected = ("padding alone", "too few", "engines count in different ways")
        assert axis == "rows", reason
        assert any(text in reason for text in expected), reason
        return
    parted = check_split(network, [Split(("pool",), axis, (1, 1))])
    assert [layer.name for layer in parted.layers] == ["pool/part0", "pool/part1", "pool/concat"]


@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from(("none", "vector", "matrix", "column", "after")),
    st.integers(3, 40),
    PARTS,
)
@RUNS
def test_products(
    transposed: bool, is_gemm: bool, bias: str, features: int, parts: tuple[int, ...]
) -> None:
    random = np.random.default_rng(features)
    weights = random.standard_normal((features, 20) if transposed and is_gemm else (20, features))
    constants = {"w": weights.astype(np.float32)}
    added = {"vector": (features,), "matrix": (1, features), "column": (3, 1), "after": (features,)}
    if bias in added:
        constants["b"] = random.standard_normal(added[bias]).astype(np.float32)
    inside = ["b"] if is_gemm and bias not in ("none", "after") else []
    attributes: dict[str, Any] = {"transB": int(transposed), "alpha": 0.5} if is_gemm else {}
    operator = "Gemm" if is_gemm else "MatMul"
    nodes = [helper.make_node(operator, ["x", "w", *inside], ["m"], "product", **attributes)]
    if bias == "after":
        nodes.append(helper.make_node("Add", ["m", "b"], ["y"], "bias"))
    network = network_from(nodes, [3, 20], constants)
    parted = check_split(network, [Split(("product",), "channels", parts)])
    assert len(parted.layers) == len(parts) + 1
    assert split_reason(network, 0, "rows") is not None


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Layers ``l0``, ``l1`` ... in a row: convolutions and pools, with residuals from ``x``."""
    length = draw(st.integers(2, 4))
    nodes, tensor = [], "x"
    constants = {}
    shape = [1, 4, draw(st.integers(8, 16)), draw(st.integers(5, 9))]
    for index in range(length):
        name, result = f"l{index}", f"t{index}"
        if index and draw(st.booleans()):
            attributes = draw(windows(pool=True))
            nodes.append(helper.make_node("MaxPool", [tensor], [result], name, **attributes))
        else:
            same = draw(st.booleans())
            attributes = {"pads": [1] * 4} if same else draw(windows())
            edge = [3, 3] if same else attributes["kernel_shape"]
            random = np.random.default_rng(index)
            constants[f"w{index}"] = random.standard_normal((4, 4, *edge)).astype(np.float32)
            nodes.append(
                helper.make_node("Conv", [tensor, f"w{index}"], [result], name, **attributes)
            )
            if index == 0 and same and draw(st.booleans()):
                nodes.append(helper.make_node("Add", [result, "x"], ["sum"], "residual"))
                result = "sum"
        tensor = result
    try:
        return network_from(nodes, shape, constants)
    except ModelFileError:
        assume(False)
        raise


@given(chains(), PARTS)
@RUNS
def test_chains(network: Network, parts: tuple[int, ...]) -> None:
    shapes = [(network.tensors[layer.outputs[0]].shape or ()) for layer in network.layers]
    assume(all(shape and min(shape) > 0 for shape in shapes))
    assume(shapes[-1][2] >= len(parts))
    names = tuple(layer.name for layer in network.layers)
    try:
        parted = check_split(network, [Split(names, "rows", parts)])
    except UserInputError as error:
        assert "padding alone" in str(error), error
        return
    assert len(parted.layers) == len(parts) * len(names) + 1
