"""Conversion: kept by content, refused with a reason, and never half done."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from counterpoint.engines import pnnx
from counterpoint.engines.contract_cases import foreign_network, standard_cases
from counterpoint.engines.conversion_cache import ConversionCache
from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.engines.ncnn_check import layer_types
from counterpoint.engines.pnnx import Converter, Refused
from counterpoint.engines.pnnx_rewrites import (
    inserted_positions,
    rewrite_old_softmax,
    rewrite_space_to_depth,
)
from counterpoint.errors import EngineError, MachineError
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile
from counterpoint.platform.model import ComputeUnit
from tests.tuning.small_network import small_network


@pytest.fixture
def converter(engine: NcnnEngine, tmp_path: Path) -> Converter:
    """With nothing in its cache; skips where ncnn is not here."""
    return Converter(ConversionCache(tmp_path / "converted"))


def fake_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    path = tmp_path / "fake-pnnx"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(pnnx, "program", lambda: path)


def network_of(*nodes: NodeProto, shape: tuple[int, ...] = (1, 4, 6, 6)) -> Network:
    """``x`` to ``y`` by nodes without weights."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return network_of_model(model, WeightFile(), "made")


def test_a_segment_is_converted_once(
    converter: Converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_network().whole()
    converter.prepare([whole, whole])
    first = converter.convert(whole)
    assert "Convolution" in layer_types(first.param_path.read_text())
    assert first.batched == (True,)
    # Neither again in this program nor in the next one; weights are part of what it is.
    fake_program(tmp_path, monkeypatch, "raise SystemExit(7)")
    assert converter.convert(whole) == first
    later = Converter(ConversionCache(tmp_path / "converted"))
    assert later.convert(small_network().whole()) == first
    with pytest.raises(Refused, match=r"pnnx failed \(status 7\)"):
        later.convert(small_network(seed=1).whole())


def test_what_was_deleted_or_damaged_is_made_again(converter: Converter) -> None:
    whole = small_network().whole()
    first = converter.convert(whole)
    size = first.weights_path.stat().st_size
    first.weights_path.unlink()
    again = converter.convert(whole)
    assert again.weights_path.stat().st_size == size
    again.weights_path.write_bytes(b"short")
    kept = ConversionCache(again.weights_path.parents[1])
    assert kept.get(again.weights_path.parent.name) is None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"pnnx crashed \(SIGSEGV\)"),
        ("pass", "pnnx made nothing of it"),
        ("import time; time.sleep(600)", "pnnx did not answer within 2 s"),
        (
            "for n in ('model.param', 'model.bin', 'model.py'): open(n, 'w').write('rubbish')",
            "ncnn failed .* with what pnnx made of it",
        ),
    ],
    ids=["crashes", "makes nothing", "hangs", "makes rubbish"],
)
def test_a_converter_that_fails(
    converter: Converter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    told: str,
) -> None:
    fake_program(tmp_path, monkeypatch, code)
    monkeypatch.setattr(pnnx, "LIMIT_S", 2.0)
    whole = small_network().whole()
    with pytest.raises(Refused, match=told):
        converter.convert(whole)
    entries = [path for path in (tmp_path / "converted").iterdir() if path.is_dir()]
    assert [sorted(p.name for p in path.iterdir()) for path in entries] == [["about.json"]]


def test_a_wrong_conversion_is_refused(
    converter: Converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The converter loses a ReLU: everything loads and runs."""
    real = pnnx.program()
    fake_program(
        tmp_path,
        monkeypatch,
        "import subprocess, sys\n"
        f"subprocess.run([{str(real)!r}, *sys.argv[1:]], check=True)\n"
        "text = open('model.param').read().replace(' 9=1', '')\n"
        "open('model.param', 'w').write(text)",
    )
    with pytest.raises(Refused, match="pnnx converts it into something else"):
        converter.convert(small_network().whole())


def test_refusals_name_layer_and_operator(engine: NcnnEngine, on_cpu: ComputeUnit) -> None:
    network = network_of(
        helper.make_node("Constant", [], ["axis"], value=numpy_helper.from_array(np.array(1))),
        helper.make_node("Relu", ["x"], ["r"], "first"),
        helper.make_node("CumSum", ["r", "axis"], ["y"], "running"),
    )
    with pytest.raises(EngineError) as caught:
        engine.compile(network.whole(), on_cpu).close()
    assert "running" in str(caught.value)
    assert "cumsum" in str(caught.value).lower()
    assert (caught.value.unit, caught.value.layer) == (on_cpu.name, "running")
    assert "\n" not in str(caught.value)


def test_what_needs_no_conversion_to_be_refused(engine: NcnnEngine, on_cpu: ComputeUnit) -> None:
    quantised = next(case.network for case in standard_cases() if case.network.is_quantised)
    for network in (foreign_network(), quantised):
        reasons = [engine.unsupported_reason(layer, on_cpu) for layer in network.layers]
        assert any("pnnx" in reason for reason in reasons if reason), reasons
    whole_numbers = network_of(
        helper.make_node("ArgMax", ["x"], ["y"], "largest", axis=1, keepdims=1)
    )
    with pytest.raises(EngineError, match="tensor y is int64"):
        engine.compile(whole_numbers.whole(), on_cpu)


def test_a_full_cache_forgets_the_oldest(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "kept", most_bytes=250_000)

    def put(number: int) -> None:
        file = tmp_path / "model.bin"
        file.write_bytes(bytes(100_000))
        cache.put(f"{number:032x}", {"number": number}, [file])

    for number in range(4):
        put(number)
    found = [cache.get(f"{number:032x}") for number in range(4)]
    assert [kept is not None for kept in found] == [False, False, True, True]
    assert found[3] is not None
    assert found[3].about["number"] == 3
    with pytest.raises(ValueError, match="no key"):
        cache.get("../../elsewhere")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 10_000, '{"files": {"model.bin": 5}}'])
def test_a_damaged_entry_counts_as_none(tmp_path: Path, text: str) -> None:
    key = "0" * 32
    entry = tmp_path / key
    entry.mkdir()
    (entry / "about.json").write_text(text)
    (entry / "model.bin").write_bytes(b"1234")
    assert ConversionCache(tmp_path).get(key) is None


def test_no_room_for_a_conversion(tmp_path: Path) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    with pytest.raises(MachineError, match="COUNTERPOINT_STORE"):
        ConversionCache(in_the_way / "kept").put("0" * 32, {}, [])


@pytest.mark.parametrize("text", ["", "1\n2 2\n", "7767517"])
def test_param_files_of_somebody_else(text: str) -> None:
    with pytest.raises(ValueError, match="not a param file"):
        layer_types(text)


def space_to_depth(shape: tuple[int, ...], block: int, joined: tuple[int, ...]) -> ModelProto:
    """Six dimensions in between, as the zoo's YOLOv2 has them."""
    n, c, h, w = shape
    viewed = (n, c, h // block, block, w // block, block)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Reshape", ["r", "viewed"], ["v"], "view"),
        helper.make_node("Transpose", ["v"], ["t"], "phases", perm=[0, 3, 5, 1, 2, 4]),
        helper.make_node("Reshape", ["t", "joined"], ["j"], "join"),
        helper.make_node("Sigmoid", ["j"], ["y"], "sigmoid"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, joined)],
        [
            numpy_helper.from_array(np.array(viewed, np.int64), "viewed"),
            numpy_helper.from_array(np.array(joined, np.int64), "joined"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@given(
    n=st.integers(1, 2),
    c=st.integers(1, 4),
    h=st.integers(1, 3),
    w=st.integers(1, 3),
    block=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_space_to_depth_as_a_convolution_is_exact(
    *, n: int, c: int, h: int, w: int, block: int, seed: int
) -> None:
    shape = (n, c, h * block, w * block)
    model = space_to_depth(shape, block, (n, c * block**2, h, w))
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    (before,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert rewrite_space_to_depth(model) == 1
    (after,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(before, after)
    assert inserted_positions(model) == [0]
    assert "Transpose" not in {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("spoil", ["perm", "returned", "read twice"])
def test_other_transposes_stay(spoil: str) -> None:
    model = space_to_depth((1, 2, 4, 4), 2, (1, 8, 2, 2))
    if spoil == "perm":
        model.graph.node[2].attribute[0].ints[:] = [0, 5, 3, 1, 2, 4]
    elif spoil == "returned":
        model.graph.output.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, None))
    else:
        model.graph.node.append(helper.make_node("Relu", ["v"], ["z"], "other"))
    before = model.SerializeToString()
    assert rewrite_space_to_depth(model) == 0
    assert model.SerializeToString() == before


@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    axis=st.none() | st.integers(-4, 3),
    operator=st.sampled_from(["Softmax", "LogSoftmax"]),
)
@settings(max_examples=60, deadline=None)
def test_old_softmaxes_mean_the_same(shape: list[int], axis: int | None, operator: str) -> None:
    axis = None if axis is None else axis % len(shape)
    if axis is None and len(shape) < 2:
        axis = 0
    attributes = [] if axis is None else [helper.make_attribute("axis", axis)]

    def model(version: int) -> ModelProto:
        softmax = helper.make_node(operator, ["r"], ["s"], "softmax")
        softmax.attribute.extend(attributes)
        graph = helper.make_graph(
            [
                helper.make_node("Relu", ["x"], ["r"], "relu"),
                softmax,
                helper.make_node("Neg", ["s"], ["y"], "neg"),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        )
        opset = helper.make_opsetid("", version)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)

    old = model(11)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (before,) = run_in_onnxruntime(old, x)
    assert rewrite_old_softmax(old) == 1
    old.opset_import[0].version = 13
    (after,) = run_in_onnxruntime(old, x)
    np.testing.assert_allclose(before, after, rtol=1e-6)
    assert rewrite_old_softmax(model(13)) == 0


def run_in_onnxruntime(model: ModelProto, x: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    return list(onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x}))
